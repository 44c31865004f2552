#include "unit/authority/local_fixture.hpp"

#include <sys/stat.h>

namespace connector::authority::test {
namespace {

class LocalCaCreation : public ::testing::Test {
protected:
    [[nodiscard]] LocalCaOrder order() const {
        LocalCaOrder wanted;
        wanted.directory = folder_.path() / "ca";
        wanted.name = "Corp Mail CA";
        wanted.domains = {"corp.example"};
        wanted.root_key_file = folder_.path() / "root.key";
        return wanted;
    }
    [[nodiscard]] mode_t mode_of(const std::filesystem::path& name) const {
        struct stat facts {};
        EXPECT_EQ(::stat((folder_.path() / name).c_str(), &facts), 0) << name;
        return facts.st_mode & 0777U;
    }
    [[nodiscard]] bool there(const std::filesystem::path& name) const {
        return std::filesystem::exists(folder_.path() / name);
    }
    ScratchFolder folder_;
};

TEST_F(LocalCaCreation, makes_a_root_and_a_constrained_issuing_ca) {
    const auto made = must(create_local_ca(order(), k_now));
    EXPECT_EQ(to_text(made.root.subject), "CN=Corp Mail CA Root");
    EXPECT_EQ(to_text(made.issuing.subject), "CN=Corp Mail CA");
    EXPECT_TRUE(made.issuing.is_ca);
    EXPECT_EQ(*made.issuing.extended_key_usage, std::vector<std::string>{std::string(eku::k_email_protection)});
    EXPECT_EQ(made.issuing.key.curve, "P-256");
    EXPECT_LT(made.issuing.not_after, made.root.not_after);
    EXPECT_EQ(mode_of("ca"), 0700U);
    EXPECT_EQ(mode_of("ca/ca.key"), 0600U);
    EXPECT_EQ(mode_of("ca/ca.db"), 0600U);
    EXPECT_EQ(mode_of("root.key"), 0600U);
    const auto root = must(crypto::PrivateKey::from_pem(SecretBytes::copy_of(folder_.read("root.key"))));
    EXPECT_EQ(root.spki_sha256(), made.root.key.spki_sha256);
    EXPECT_TRUE(must(crypto::certificates_from_pem(folder_.read("ca/root.crt"))).front() == made.root.der);
}

TEST_F(LocalCaCreation, keys_are_encrypted_where_a_passphrase_is_given) {
    auto wanted = order();
    wanted.root_passphrase = SecretBytes::copy_of("correct horse");
    wanted.issuing_passphrase = SecretBytes::copy_of("battery staple");
    ASSERT_TRUE(create_local_ca(wanted, k_now));
    const auto text = SecretBytes::copy_of(folder_.read("root.key"));
    EXPECT_FALSE(crypto::PrivateKey::from_pem(text));
    EXPECT_TRUE(crypto::PrivateKey::from_pem(text, *wanted.root_passphrase));
    HereOffload offload;
    StillClock clock;
    LocalSettings settings;
    settings.name = "corp";
    settings.directory = wanted.directory;
    EXPECT_EQ(code_of(LocalAuthority::open(std::move(settings), offload, clock)), "authorityMisconfigured");
    LocalSettings with;
    with.directory = wanted.directory;
    with.passphrase = SecretBytes::copy_of("battery staple");
    EXPECT_TRUE(LocalAuthority::open(std::move(with), offload, clock));
}

TEST_F(LocalCaCreation, nothing_is_overwritten_and_nothing_is_left_behind) {
    folder_.write("ca/there.txt", "x");
    EXPECT_EQ(code_of(create_local_ca(order(), k_now)), "fileExists");
    EXPECT_FALSE(there("root.key"));
    std::filesystem::remove(folder_.path() / "ca/there.txt");
    folder_.write("root.key", "mine");
    EXPECT_EQ(code_of(create_local_ca(order(), k_now)), "fileExists");
    EXPECT_EQ(folder_.read("root.key"), "mine");
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "ca"));
    std::filesystem::remove(folder_.path() / "root.key");
    // An empty directory may be there.
    EXPECT_TRUE(create_local_ca(order(), k_now));
}

TEST_F(LocalCaCreation, a_link_is_not_followed) {
    folder_.write("victim", "x");
    std::filesystem::create_symlink(folder_.path() / "victim", folder_.path() / "root.key");
    EXPECT_EQ(code_of(create_local_ca(order(), k_now)), "fileExists");
    EXPECT_EQ(folder_.read("victim"), "x");
}

TEST_F(LocalCaCreation, the_roots_key_does_not_go_into_the_directory) {
    auto wanted = order();
    wanted.root_key_file = wanted.directory / "root.key";
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
    wanted.root_key_file = folder_.path() / "elsewhere/../ca/keys/root.key";
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
    EXPECT_FALSE(there("ca"));
}

TEST_F(LocalCaCreation, unfit_orders_are_refused) {
    auto wanted = order();
    wanted.domains.clear();
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
    wanted.domains = {"not a domain"};
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
    wanted = order();
    wanted.name = std::string(60, 'x');
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
    wanted = order();
    wanted.days = 0;
    EXPECT_EQ(code_of(create_local_ca(wanted, k_now)), "invalidRequest");
}

TEST_F(LocalCaCreation, domains_become_a_labels_and_may_mean_what_is_below) {
    auto wanted = order();
    wanted.domains = {
        "B\xC3\xBC"
        "cher.example",
        ".corp.example"};
    const auto made = must(create_local_ca(wanted, k_now));
    EXPECT_EQ(made.domains, (std::vector<std::string>{"xn--bcher-kva.example", ".corp.example"}));
}

}  // namespace
}  // namespace connector::authority::test
