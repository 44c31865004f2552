#include "daemon/keys/software.hpp"

#include "core/crypto/oaep.hpp"
#include "daemon/keys/import_keys.hpp"
#include "unit/config/scratch_folder.hpp"
#include "unit/crypto/fixtures.hpp"

namespace connector::keys {
namespace {

using connector::test::ScratchFolder;
using crypto::test::must;

class SoftwareKeysTest : public ::testing::Test {
protected:
    SoftwareKeysTest() { write("import.key", must(crypto::test::rsa_key().to_pem())); }
    void write(const std::string& name, const SecretBytes& content, mode_t mode = 0600) {
        folder_.write(name, content.reveal_text(), mode);
    }
    [[nodiscard]] config::ImportKey table(const std::string& file, const std::string& key_name) const {
        config::ImportKey key;
        key.key.path = folder_.path() / file;
        key.provider_name = "pfx-connector";
        key.key_name = key_name;
        return key;
    }
    ScratchFolder folder_;
    std::map<std::string, config::ImportKey, std::less<>> tables_;
};

TEST_F(SoftwareKeysTest, unwraps_under_the_key_of_both_names) {
    tables_.emplace("K1", table("import.key", "K1"));
    const auto keys = must(SoftwareKeys::load(tables_));
    EXPECT_TRUE(keys->has("pfx-connector", "K1"));
    EXPECT_FALSE(keys->has("pfx-connector", "k1"));
    EXPECT_FALSE(keys->has("other", "K1"));
    const auto secret = SecretBytes::copy_of("password of a PFX");
    for (const auto hash : {ports::OaepHash::sha256, ports::OaepHash::sha384, ports::OaepHash::sha512}) {
        const auto wrapped = must(crypto::wrap_oaep(crypto::test::rsa_key().spki_der(), secret, hash));
        EXPECT_EQ(must(keys->unwrap("pfx-connector", "K1", wrapped, hash)).reveal_text(), "password of a PFX");
    }
    const auto broken = keys->unwrap("pfx-connector", "K1", Bytes(256, 1), ports::OaepHash::sha256);
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, "importUndecryptable");
    const auto unknown = keys->unwrap("pfx-connector", "K2", Bytes(256, 1), ports::OaepHash::sha256);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, "importUndecryptable");
    EXPECT_NE(unknown.error().message.find("K2"), std::string::npos);
}

TEST_F(SoftwareKeysTest, passphrases_are_read_from_their_place) {
    write("sealed.key", must(crypto::test::rsa_key().to_pem(SecretBytes::copy_of("word"))));
    folder_.write("passphrase", "word\n");
    auto with = table("sealed.key", "K1");
    tables_.emplace("K1", with);
    EXPECT_FALSE(SoftwareKeys::load(tables_));
    with.passphrase = config::SecretRef{};
    with.passphrase->path = folder_.path() / "passphrase";
    tables_["K1"] = with;
    EXPECT_TRUE(SoftwareKeys::load(tables_));
}

TEST_F(SoftwareKeysTest, unfit_keys_are_named) {
    const auto fault = [this](const config::ImportKey& key) {
        tables_.clear();
        tables_.emplace("K1", key);
        const auto loaded = SoftwareKeys::load(tables_);
        return loaded ? std::string() : loaded.error().message;
    };
    EXPECT_NE(fault(table("missing.key", "K1")).find("import.K1"), std::string::npos);
    write("open.key", must(crypto::test::rsa_key().to_pem()), 0644);
    EXPECT_NE(fault(table("open.key", "K1")), "");
    write("ec.key", must(crypto::test::ec_key().to_pem()));
    EXPECT_NE(fault(table("ec.key", "K1")).find("RSA"), std::string::npos);
}

TEST_F(SoftwareKeysTest, the_same_names_twice_are_refused) {
    tables_.emplace("A", table("import.key", "K1"));
    tables_.emplace("B", table("import.key", "K1"));
    EXPECT_FALSE(SoftwareKeys::load(tables_));
}

TEST_F(SoftwareKeysTest, a_created_key_can_be_loaded_and_is_never_made_twice) {
    const auto file = default_import_key_file(folder_.path() / "state", "ImportKey1");
    const auto made = must(create_import_key(file, 2048));
    EXPECT_EQ(made.bits, 2048U);
    tables_.emplace("ImportKey1", table("state/import-keys/ImportKey1.key", "ImportKey1"));
    const auto keys = must(SoftwareKeys::load(tables_));
    ASSERT_EQ(keys->loaded().size(), 1U);
    EXPECT_EQ(keys->loaded()[0].key.spki_sha256(), made.spki_sha256);
    EXPECT_EQ(create_import_key(file, 2048).error().code, "fileExists");
    EXPECT_EQ(create_import_key(folder_.path() / "odd.key", 1024).error().code, "invalidRequest");

    folder_.write("public.pem", made.public_pem);
    const auto known = must(public_import_key(folder_.path() / "public.pem", "pfx-connector", "ImportKey1"));
    EXPECT_EQ(known.spki_sha256, made.spki_sha256);
}

TEST(ImportKeyNames, are_files_and_tables) {
    for (const char* good : {"ImportKey1", "a", "2024", "key.old-1_b"}) EXPECT_TRUE(is_key_name(good)) << good;
    for (const char* bad : {"", ".hidden", "-x", "../up", "a/b", "a b", "a\n"}) EXPECT_FALSE(is_key_name(bad)) << bad;
    EXPECT_EQ(import_key_toml("K1", "/state/\"x\".key"), "[import.K1]\nkey = \"file:/state/\\\"x\\\".key\"\n");
    EXPECT_EQ(import_key_toml("K.1", "/k"), "[import.\"K.1\"]\nkey = \"file:/k\"\n");
}

}  // namespace
}  // namespace connector::keys
