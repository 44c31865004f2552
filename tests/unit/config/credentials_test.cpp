#include "config/credentials.hpp"

#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <string>

namespace connector::config {
namespace {

SecretRef file(const std::filesystem::path& path) {
    return {SecretRef::Source::file, {}, path};
}
SecretRef credential(std::string name) {
    return {SecretRef::Source::credential, std::move(name), {}};
}

// $CREDENTIALS_DIRECTORY for as long as it lives.
class CredentialsDirectory {
public:
    explicit CredentialsDirectory(const std::filesystem::path& folder) {
        ::setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1);
    }
    ~CredentialsDirectory() { ::unsetenv("CREDENTIALS_DIRECTORY"); }
    CredentialsDirectory(const CredentialsDirectory&) = delete;
    CredentialsDirectory& operator=(const CredentialsDirectory&) = delete;
};

std::string refusal(const SecretRef& where) {
    const auto secret = read_secret(where);
    if (secret) return "(it was read)";
    EXPECT_EQ(secret.error().kind, ErrorKind::misconfigured);
    EXPECT_EQ(secret.error().code, "secretUnreadable");
    return secret.error().message;
}

TEST(ConfigCredentials, a_file_is_read_octet_for_octet) {
    const test::ScratchFolder folder;
    const std::string content("a\0b\r\n", 5);
    for (const mode_t mode : {mode_t{0400}, mode_t{0600}}) {
        const auto secret = read_secret(file(folder.write("secret" + std::to_string(mode), content, mode)));
        ASSERT_TRUE(secret) << secret.error().message;
        EXPECT_TRUE(secret->equals(bytes_of(content)));
    }
}

TEST(ConfigCredentials, files_that_others_may_use_are_refused_with_the_way_out) {
    const test::ScratchFolder folder;
    for (const auto& [mode, octal] : {std::pair<mode_t, std::string>{0640, "0640"},
                                      {0644, "0644"},
                                      {0606, "0606"},
                                      {0700, "0700"},
                                      {04600, "4600"},
                                      {0200, "0200"}}) {
        if (mode == 0200 && ::geteuid() != 0) continue;  // cannot even be opened then
        const auto path = folder.write("secret" + octal, "x", mode);
        const std::string text = refusal(file(path));
        EXPECT_NE(text.find(path.string()), std::string::npos) << text;
        EXPECT_NE(text.find("has mode " + octal), std::string::npos) << text;
        EXPECT_NE(text.find("chmod 0600"), std::string::npos) << text;
    }
}

TEST(ConfigCredentials, only_plain_files_are_read) {
    const test::ScratchFolder folder;
    const auto real = folder.write("real", "x");
    std::filesystem::create_symlink(real, folder.path() / "link");
    ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
    EXPECT_NE(refusal(file(folder.path() / "link")).find("symbolic link"), std::string::npos);
    EXPECT_NE(refusal(file(folder.path() / "pipe")).find("not a plain file"), std::string::npos);
    EXPECT_NE(refusal(file(folder.path())).find("not a plain file"), std::string::npos);
    EXPECT_NE(refusal(file(folder.path() / "none")).find("does not exist"), std::string::npos);
    EXPECT_NE(refusal(file(folder.write("empty", ""))).find("is empty"), std::string::npos);
    EXPECT_NE(refusal(file(folder.write("large", std::string(k_largest_secret + 1, 'x')))).find("64 KiB"),
              std::string::npos);
    EXPECT_TRUE(read_secret(file(folder.write("full", std::string(k_largest_secret, 'x')))));
}

TEST(ConfigCredentials, another_accounts_file_is_refused_unless_only_looked_at_by_an_administrator) {
    if (::geteuid() != 0) return;  // only root can give a file away
    const test::ScratchFolder folder;
    const auto path = folder.write("secret", "x");
    ASSERT_EQ(::chown(path.c_str(), 4711, 4711), 0);
    EXPECT_NE(refusal(file(path)).find("belongs to user 4711"), std::string::npos);
    EXPECT_TRUE(check_secret_file(path, OwnerRule::anyone));
    EXPECT_FALSE(check_secret_file(path, OwnerRule::us_or_root));
}

TEST(ConfigCredentials, credentials_come_from_the_service_managers_folder) {
    const test::ScratchFolder folder;
    ::unsetenv("CREDENTIALS_DIRECTORY");
    const std::string outside = refusal(credential("token"));
    EXPECT_NE(outside.find("LoadCredential=token"), std::string::npos) << outside;

    const CredentialsDirectory set(folder.path());
    // systemd shows an ACL as group bits.
    folder.write("token", "secret\n", 0440);
    const auto token = read_password(credential("token"));
    ASSERT_TRUE(token) << token.error().message;
    EXPECT_EQ(token->reveal_text(), "secret");
    EXPECT_NE(refusal(credential("other")).find((folder.path() / "other").string()), std::string::npos);
    for (const auto* name : {"../token", "/etc/passwd", "", "..", "."})
        EXPECT_NE(refusal(credential(name)).find("no `/`"), std::string::npos) << name;
}

TEST(ConfigCredentials, one_line_end_is_not_part_of_a_password) {
    const test::ScratchFolder folder;
    struct Case {
        std::string content;
        std::string expected;
    };
    for (const auto& [content, expected] :
         {Case{"pass", "pass"}, Case{"pass\n", "pass"}, Case{"pass\r\n", "pass"}, Case{"pass\n\n", "pass\n"},
          Case{" pass \n", " pass "}, Case{"pass\r", "pass\r"}}) {
        const auto password = read_password(file(folder.write("password", content)));
        ASSERT_TRUE(password);
        EXPECT_EQ(password->reveal_text(), expected);
    }
    EXPECT_FALSE(read_password(file(folder.write("password", "\n"))));
}

TEST(ConfigCredentials, a_sealing_key_is_32_octets_and_its_message_holds_none_of_them) {
    const test::ScratchFolder folder;
    EXPECT_TRUE(read_sealing_key(file(folder.write("good", std::string(32, '\n')))));
    for (const std::size_t size : {31U, 33U, 64U}) {
        const auto key = read_sealing_key(file(folder.write("bad", std::string(size, 'Q'))));
        ASSERT_FALSE(key);
        EXPECT_NE(key.error().message.find(std::to_string(size) + " octets"), std::string::npos);
        EXPECT_EQ(key.error().message.find("QQ"), std::string::npos);
    }
}

TEST(ConfigCredentials, what_is_not_built_says_so_without_its_query) {
    const SecretRef token{SecretRef::Source::pkcs11, "token=hsm;object=seal?pin-value=1234", {}};
    const std::string text = refusal(token);
    EXPECT_NE(text.find("pkcs11:token=hsm;object=seal is not built yet"), std::string::npos) << text;
    EXPECT_EQ(text.find("1234"), std::string::npos);
}

TEST(ConfigCredentials, what_windows_editors_write_before_a_password_is_no_part_of_it) {
    const test::ScratchFolder folder;
    const auto plain = read_password(file(folder.write("bom", "\xEF\xBB\xBFpa ss\r\n", 0600)));
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(plain->reveal_text(), "pa ss");
    for (const auto& [name, content] : {std::pair<std::string, std::string>{"le", std::string("\xFF\xFEp\0", 4)},
                                        {"be", std::string("\xFE\xFF\0p", 4)},
                                        {"bare", std::string("p\0a\0", 4)}}) {
        const auto refused = read_password(file(folder.write(name, content, 0600)));
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().code, "secretUnreadable");
        EXPECT_NE(refused.error().message.find("is UTF-16; save it as UTF-8"), std::string::npos);
    }
}

}  // namespace
}  // namespace connector::config
