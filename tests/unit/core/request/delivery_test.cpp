#include "core/request/policy.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

using Version = std::optional<std::string>;
using ports::PfxStyle;
constexpr auto k_auto = Pkcs12Choice::automatic;

TEST(ChooseStyle, by_platform_and_version) {
    const struct {
        Platform platform;
        Version version;
        PfxStyle style;
    } cases[] = {
        {Platform::ios, "17.5", PfxStyle::legacy3des},
        {Platform::ios, "17.99.9", PfxStyle::legacy3des},
        {Platform::ios, "18", PfxStyle::aes256},
        {Platform::ios, "18.0", PfxStyle::aes256},
        {Platform::ios, "26.1", PfxStyle::aes256},
        {Platform::macos, "14.7.1", PfxStyle::legacy3des},
        {Platform::macos, "15.0", PfxStyle::aes256},
        {Platform::android, "13", PfxStyle::legacy3des},
        {Platform::android, "14", PfxStyle::aes256},
        {Platform::windows, "10.0.14393", PfxStyle::legacy3des},
        {Platform::windows, "6.1.7601", PfxStyle::legacy3des},
        {Platform::windows, "10.0.16299", PfxStyle::aes256},
        {Platform::windows, "10.0.22631.4460", PfxStyle::aes256},
        {Platform::windows, "11", PfxStyle::aes256},
        {Platform::linux_pc, "1", PfxStyle::aes256},
        {Platform::linux_pc, std::nullopt, PfxStyle::aes256},
        {Platform::ios, std::nullopt, PfxStyle::aes256},  // silence is no road to the weaker encryption
        {Platform::ios, "seventeen", PfxStyle::aes256},
        {Platform::ios, "", PfxStyle::aes256},
        {Platform::ios, "99999999999999999999", PfxStyle::aes256},
    };
    for (const auto& it : cases) {
        const auto style = choose_style(k_auto, it.platform, it.version, true);
        ASSERT_TRUE(style);
        EXPECT_EQ(*style, it.style) << to_string(it.platform) << " " << it.version.value_or("-");
    }
}

TEST(ChooseStyle, legacy_is_never_given_to_what_reads_aes256) {  // AT-52
    const struct {
        Platform platform;
        Version version;
        bool taken;
    } cases[] = {
        {Platform::ios, "17.5", true},    {Platform::ios, "18.1", false},   {Platform::ios, std::nullopt, false},
        {Platform::macos, "14", true},    {Platform::macos, "15", false},   {Platform::windows, "10.0.10240", true},
        {Platform::linux_pc, "1", false}, {Platform::android, "16", false},
    };
    for (const auto& it : cases) {
        const auto style = choose_style(Pkcs12Choice::legacy3des, it.platform, it.version, true);
        EXPECT_EQ(style.has_value(), it.taken) << to_string(it.platform) << " " << it.version.value_or("-");
        if (!style) {
            EXPECT_EQ(style.error().code, "policyRefused");
            EXPECT_TRUE(samples::begins_with(style.error().message, "/delivery/pkcs12: "));
        }
    }
}

TEST(ChooseStyle, where_legacy_is_forbidden_an_old_device_is_refused_and_told_why) {
    for (const auto choice : {k_auto, Pkcs12Choice::legacy3des}) {
        const auto style = choose_style(choice, Platform::ios, "17.5", false);
        ASSERT_FALSE(style);
        EXPECT_EQ(style.error().code, "policyRefused");
        EXPECT_TRUE(samples::contains(style.error().message, "pkcs12_legacy"));
    }
    EXPECT_EQ(choose_style(k_auto, Platform::ios, "18", false).value(), PfxStyle::aes256);
    EXPECT_EQ(choose_style(Pkcs12Choice::aes256, Platform::ios, "17", false).value(), PfxStyle::aes256);
}

TEST(CheckDelivery, format_platform_and_key_go_together) {  // AT-52
    const struct {
        DeliveryFormat format;
        Platform platform;
        KeyAlgorithm key;
        bool taken;
    } cases[] = {
        {DeliveryFormat::cms, Platform::linux_pc, KeyAlgorithm::ec, true},
        {DeliveryFormat::cms, Platform::ios, KeyAlgorithm::rsa, true},
        {DeliveryFormat::windows_csp, Platform::windows, KeyAlgorithm::rsa, true},
        {DeliveryFormat::windows_csp, Platform::windows, KeyAlgorithm::ec, false},
        {DeliveryFormat::windows_csp, Platform::linux_pc, KeyAlgorithm::rsa, false},
        {DeliveryFormat::windows_csp, Platform::ios, KeyAlgorithm::rsa, false},
        {DeliveryFormat::apple_profile, Platform::ios, KeyAlgorithm::rsa, true},
        {DeliveryFormat::apple_profile, Platform::macos, KeyAlgorithm::rsa, true},
        {DeliveryFormat::apple_profile, Platform::macos, KeyAlgorithm::ec, false},
        {DeliveryFormat::apple_profile, Platform::android, KeyAlgorithm::rsa, false},
    };
    for (const auto& it : cases) {
        const auto checked = check_delivery({it.format, k_auto, "", ""}, it.platform, it.key);
        EXPECT_EQ(checked.has_value(), it.taken) << to_string(it.format) << " " << to_string(it.platform);
        if (!checked) {
            EXPECT_EQ(checked.error().code, "unsupported");
        }
    }
}

}  // namespace
}  // namespace connector::request
