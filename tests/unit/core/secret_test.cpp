#include "core/secret.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>

namespace connector {
namespace {

bool all_zero(ByteView octets) {
    return std::all_of(octets.begin(), octets.end(), [](auto octet) { return octet == 0; });
}

// The VmFlags of the mapping that holds `address`; "" where there is none.
std::string flags_of_mapping(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &first, &last) == 2)
            inside = first <= wanted && wanted < last;
        if (inside && line.rfind("VmFlags:", 0) == 0) return line + " ";
    }
    return {};
}

TEST(SecretBytes, cannot_be_copied_or_compared_in_passing) {
    static_assert(!std::is_copy_constructible_v<SecretBytes>);
    static_assert(!std::is_copy_assignable_v<SecretBytes>);
    static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);
    SecretBytes empty;
    EXPECT_TRUE(empty.empty());
    EXPECT_TRUE(empty.equals({}));
    EXPECT_TRUE(all_zero(SecretBytes(100).view()));
}

TEST(SecretBytes, move_leaves_nothing_behind) {
    auto first = SecretBytes::copy_of("hunter2");
    const auto* memory = first.data();
    SecretBytes second(std::move(first));
    EXPECT_EQ(second.data(), memory);
    EXPECT_EQ(second.reveal_text(), "hunter2");
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(first.data(), nullptr);
    auto third = SecretBytes::copy_of("older");
    third = std::move(second);
    EXPECT_EQ(third.reveal_text(), "hunter2");
}

TEST(SecretBytes, grows_across_pages_and_keeps_what_was_there) {
    SecretBytes secret;
    std::string expected;
    for (int i = 0; i < 300; ++i) {
        const std::string piece = "piece " + std::to_string(i) + " of a long secret;";
        secret.append(piece);
        expected += piece;
    }
    EXPECT_GT(expected.size(), 4096U);
    EXPECT_EQ(secret.reveal_text(), expected);
    secret.append("");
    EXPECT_EQ(secret.size(), expected.size());
}

TEST(SecretBytes, what_is_cut_off_is_wiped) {
    auto secret = SecretBytes::copy_of("keep+drop");
    const auto* memory = secret.data();
    secret.truncate(4);
    EXPECT_EQ(secret.reveal_text(), "keep");
    EXPECT_TRUE(all_zero({memory + 4, 5}));
    secret.truncate(100);
    EXPECT_EQ(secret.size(), 4U);
}

TEST(SecretBytes, compares_content) {
    const auto secret = SecretBytes::copy_of("0123456789abcdef");
    EXPECT_TRUE(secret.equals(bytes_of("0123456789abcdef")));
    EXPECT_FALSE(secret.equals(bytes_of("0123456789abcdeF")));
    EXPECT_FALSE(secret.equals(bytes_of("x123456789abcdef")));
    EXPECT_FALSE(secret.equals(bytes_of("0123456789abcde")));
    EXPECT_FALSE(secret.equals({}));
}

TEST(SecretBytes, stands_in_no_core_dump) {
    const auto secret = SecretBytes::copy_of("not for dumps");
    const std::string flags = flags_of_mapping(secret.data());
    ASSERT_FALSE(flags.empty());
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
}

TEST(SecretBytes, gives_its_pages_back) {
    const std::uint8_t* memory = nullptr;
    {
        const SecretBytes secret(1 << 20);
        memory = secret.data();
        ASSERT_NE(flags_of_mapping(memory).find(" dd "), std::string::npos);
    }
    EXPECT_EQ(flags_of_mapping(memory).find(" dd "), std::string::npos);
}

TEST(Wipe, overwrites) {
    std::string text = "secret";
    wipe(text.data(), 3);
    EXPECT_EQ(text, std::string("\0\0\0ret", 6));
    wipe(nullptr, 0);
}

}  // namespace
}  // namespace connector
