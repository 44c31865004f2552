#include "unit/authority/local_fixture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace connector::authority::test {
namespace {

TEST_F(LocalCaTest, same_csr_and_nonce_give_the_same_certificate_also_after_a_restart) {
    const auto wanted = submission(mail_content("alice@corp.example"));
    Bytes first;
    {
        const auto authority = open();
        first = must(issue(*authority, wanted));
        EXPECT_EQ(must(issue(*authority, wanted)), first);
    }
    clock_.now += std::chrono::hours(5);
    const auto authority = open();
    EXPECT_EQ(must(issue(*authority, wanted)), first);
    const auto found = must(wait(authority->find(wanted)));
    ASSERT_TRUE(found);
    EXPECT_EQ(std::get<ports::IssuedAnswer>(*found).certificate, first);
}

TEST_F(LocalCaTest, another_nonce_gives_another_certificate_and_an_unknown_one_is_not_found) {
    const auto authority = open();
    const auto content = mail_content("alice@corp.example");
    const auto one = submission(content, 1);
    auto two = one;
    two.nonce = Bytes(16, 2);
    EXPECT_FALSE(must(wait(authority->find(one))));
    EXPECT_NE(must(issue(*authority, one)), must(issue(*authority, two)));
}

TEST_F(LocalCaTest, a_nonce_is_not_given_to_a_second_csr) {
    const auto authority = open();
    ASSERT_TRUE(issue(*authority, submission(mail_content("alice@corp.example"))));
    const auto other = issue(*authority, submission(mail_content("bob@corp.example")));
    EXPECT_EQ(code_of(other), "authorityRejected");
}

TEST_F(LocalCaTest, the_leaf_has_the_profile) {
    auto wanted = settings();
    LocalTemplate bounds;
    bounds.crl_url = "http://pki.corp.example/ca.crl";
    bounds.aia_url = "http://pki.corp.example/ca.crt";
    bounds.policies = {"2.23.140.1.5.1.2"};
    wanted.templates.emplace("signing", bounds);
    const auto authority = must(open(std::move(wanted)));
    auto order = submission(mail_content("alice@corp.example"));
    order.template_alias = "signing";
    const auto leaf = facts_of(issue(*authority, order));
    EXPECT_EQ(leaf.key_usage, KeyUsage(KeyUsage::k_digital_signature));
    ASSERT_TRUE(leaf.extended_key_usage);
    EXPECT_EQ(*leaf.extended_key_usage, std::vector<std::string>{std::string(eku::k_email_protection)});
    EXPECT_FALSE(leaf.is_ca);
    EXPECT_TRUE(leaf.serial_fit);
    EXPECT_TRUE(leaf.signature_strong);
    EXPECT_TRUE(leaf.subject_key_identifier);
    EXPECT_EQ(leaf.authority_key_identifier, made_.issuing.subject_key_identifier);
    EXPECT_EQ(leaf.policies, (std::vector<std::string>{"2.23.140.1.5.1.2"}));
    EXPECT_FALSE(leaf.alternative_names_critical);
    EXPECT_EQ(leaf.not_before, k_now - std::chrono::minutes(5));
    EXPECT_EQ(leaf.not_after, leaf.not_before + std::chrono::days(365) - std::chrono::seconds(1));
    const auto has = [&leaf](const char* oid) {
        return std::find(leaf.extensions.begin(), leaf.extensions.end(), oid) != leaf.extensions.end();
    };
    EXPECT_TRUE(has("2.5.29.31"));
    EXPECT_TRUE(has("1.3.6.1.5.5.7.1.1"));
    EXPECT_TRUE(crypto::verify_chain(leaf.der, authority->traits().issuing, authority->traits().anchors, k_now));
}

TEST_F(LocalCaTest, alternative_names_are_critical_where_the_subject_is_empty) {
    const auto authority = open();
    auto content = mail_content("alice@corp.example");
    content.subject = Name{};
    const auto leaf = facts_of(issue(*authority, submission(content)));
    EXPECT_TRUE(leaf.subject.empty());
    EXPECT_TRUE(leaf.alternative_names_critical);
}

TEST_F(LocalCaTest, validity_is_bounded_by_template_and_issuer) {
    auto wanted = settings();
    LocalTemplate bounds;
    bounds.validity_days = 100;
    wanted.templates.emplace("default", bounds);
    const auto authority = must(open(std::move(wanted)));
    const auto days_of = [&](unsigned asked, std::uint8_t nonce) {
        auto order = submission(mail_content("alice@corp.example"), nonce);
        order.validity_days = asked;
        const auto leaf = facts_of(issue(*authority, order));
        return std::chrono::ceil<std::chrono::days>(leaf.not_after - leaf.not_before).count();
    };
    EXPECT_EQ(days_of(0, 1), 100);
    EXPECT_EQ(days_of(30, 2), 30);
    EXPECT_EQ(days_of(1000, 3), 100);

    clock_.now = made_.issuing.not_after - std::chrono::days(10);
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"), 4)));
    EXPECT_EQ(leaf.not_after, made_.issuing.not_after);
    clock_.now = made_.issuing.not_after;
    const auto late = wait(authority->submit(submission(mail_content("alice@corp.example"), 5)));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::misconfigured);
}

TEST_F(LocalCaTest, what_the_template_does_not_allow_is_refused_and_leaves_nothing) {
    auto wanted = settings();
    LocalTemplate bounds;
    bounds.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    wanted.templates.emplace("default", bounds);
    const auto authority = must(open(std::move(wanted)));
    auto usage = mail_content("alice@corp.example");
    usage.key_usage = KeyUsage(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation);
    auto extended = mail_content("alice@corp.example");
    extended.extended_key_usage = {std::string(eku::k_email_protection), std::string(eku::k_client_auth)};
    auto nameless = mail_content("alice@corp.example");
    nameless.subject = Name{};
    nameless.alternative_names.clear();
    for (const auto& content : {usage, extended, nameless}) {
        const auto order = submission(content);
        EXPECT_EQ(code_of(issue(*authority, order)), "authorityRejected");
        EXPECT_FALSE(must(wait(authority->find(order))));
    }
}

TEST_F(LocalCaTest, key_usage_has_to_suit_the_key) {
    const auto authority = open();
    auto content = mail_content("alice@corp.example");
    content.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
    EXPECT_EQ(code_of(issue(*authority, submission(content))), "authorityRejected");
    EXPECT_TRUE(issue(*authority, submission(crypto::test::rsa_key(), content, 2)));
}

TEST_F(LocalCaTest, foreign_names_do_not_leave_the_house) {
    const auto authority = open();
    auto dns = mail_content("alice@corp.example");
    dns.alternative_names.push_back(GeneralName{NameForm::dns, "dc1.corp.example"});
    auto sid = mail_content("alice@corp.example");
    sid.alternative_names.push_back(GeneralName{NameForm::uri, "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"});
    for (const auto& content : {mail_content("chief@other.example"), mail_content("a@sub.corp.example"), dns, sid}) {
        const auto order = submission(content);
        EXPECT_EQ(code_of(issue(*authority, order)), "authorityRejected");
        EXPECT_FALSE(must(wait(authority->find(order))));
    }
}

// AT-70: the key alone gives nobody a name outside the domains; who has it is still refused by the chain.
TEST_F(LocalCaTest, the_constraints_hold_against_whoever_has_the_key) {
    const auto key_text = SecretBytes::copy_of(folder_.read("ca/ca.key"));
    const auto ca_key = must(crypto::PrivateKey::from_pem(key_text));
    const auto verify = [&](const crypto::CertificateOrder& order) {
        const Bytes leaf = must(crypto::issue(order, made_.issuing.der, ca_key));
        return crypto::verify_chain(leaf, {made_.issuing.der}, {made_.root.der}, k_now);
    };
    const auto key = crypto::test::ec_key();
    auto mail = crypto::test::mail_order("alice@corp.example", key);
    mail.not_before = k_now;
    EXPECT_TRUE(verify(mail));
    auto foreign = mail;
    foreign.alternative_names = {GeneralName{NameForm::email, "chief@other.example"}};
    EXPECT_FALSE(verify(foreign));
    auto host = mail;
    host.alternative_names = {GeneralName{NameForm::dns, "dc1.corp.example"}};
    EXPECT_FALSE(verify(host));
    auto in_subject = mail;
    in_subject.alternative_names.clear();
    in_subject.subject = Name{{{Attribute{std::string(oid::k_email_address), "chief@other.example"}}}};
    EXPECT_FALSE(verify(in_subject));
    auto ca = crypto::test::ca_order("Sub", key);
    ca.not_before = k_now;
    EXPECT_TRUE(made_.issuing.is_ca);
    const Bytes sub = must(crypto::issue(ca, made_.issuing.der, ca_key));
    auto below = mail;
    const Bytes leaf = must(crypto::issue(below, sub, key));
    EXPECT_FALSE(crypto::verify_chain(leaf, {sub, made_.issuing.der}, {made_.root.der}, k_now));
}

TEST_F(LocalCaTest, the_roots_key_keeps_the_daemon_from_starting) {
    const auto refused = [this](LocalSettings wanted) {
        const auto opened = open(std::move(wanted));
        return !opened && opened.error().kind == ErrorKind::misconfigured &&
               opened.error().message.find("root") != std::string::npos;
    };
    EXPECT_FALSE(refused(settings()));
    // Beside the CA, in its subfolder, under any name.
    folder_.write("ca/backup/note.txt", "text before\n" + folder_.read("root.key"));
    EXPECT_TRUE(refused(settings()));
    std::filesystem::remove_all(directory() / "backup");
    EXPECT_FALSE(refused(settings()));
    // In the state directory.
    folder_.write("state/root.key", folder_.read("root.key"));
    auto wanted = settings();
    wanted.other_places = {folder_.path() / "state"};
    EXPECT_TRUE(refused(std::move(wanted)));
    // Encrypted: what cannot be looked into has no place in the CA's own directory.
    const auto root = must(crypto::PrivateKey::from_pem(SecretBytes::copy_of(folder_.read("root.key"))));
    const auto sealed = must(root.to_pem(SecretBytes::copy_of("secret")));
    folder_.write("ca/old.pem", sealed.reveal_text());
    EXPECT_TRUE(refused(settings()));
    std::filesystem::remove(directory() / "old.pem");
    folder_.write("ca/root.p12", "0");
    EXPECT_TRUE(refused(settings()));
}

// Whoever closes a file takes every POSIX lock of the process on it away (fcntl(2)): SQLite's, if it is a database.
class Locked {
public:
    explicit Locked(const std::filesystem::path& file) : descriptor_(::open(file.c_str(), O_RDWR | O_CLOEXEC)) {
        struct flock lock = whole(F_WRLCK);
        EXPECT_EQ(::fcntl(descriptor_, F_SETLK, &lock), 0) << file;
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
    ~Locked() { ::close(descriptor_); }
    // As another process sees it: a lock of an open file is at odds with those of its own process too.
    [[nodiscard]] bool held() const {
        struct flock lock = whole(F_WRLCK);
        EXPECT_EQ(::fcntl(descriptor_, F_OFD_GETLK, &lock), 0);
        return lock.l_type != F_UNLCK;
    }

private:
    static struct flock whole(int type) {
        struct flock lock {};
        lock.l_type = static_cast<short>(type);
        lock.l_whence = SEEK_SET;
        return lock;
    }
    int descriptor_;
};

TEST_F(LocalCaTest, looking_for_the_roots_key_opens_no_database) {
    const auto root = must(crypto::PrivateKey::from_pem(SecretBytes::copy_of(folder_.read("root.key"))));
    const auto ledger = folder_.write("state/connector.db", "x");
    const auto index = folder_.write("state/connector.db-shm", "x");
    const auto large = folder_.write("state/deep/ca.db", std::string(2 * 1024 * 1024, 'x'));
    const auto elsewhere = folder_.write("elsewhere/connector.db-wal", "x");
    std::filesystem::create_hard_link(ledger, folder_.path() / "state/kept.pem");
    std::filesystem::create_symlink(elsewhere, folder_.path() / "state/link.pem");
    const Locked one(ledger);
    const Locked two(index);
    const Locked three(large);
    const Locked four(elsewhere);
    EXPECT_FALSE(find_root_key(folder_.path() / "state", {}, root.spki_sha256()));
    EXPECT_FALSE(find_root_key(folder_.path() / "state", folder_.path() / "state/ca.key", root.spki_sha256()));
    EXPECT_TRUE(one.held());
    EXPECT_TRUE(two.held());
    EXPECT_TRUE(three.held());
    EXPECT_TRUE(four.held());
    // A name that only begins like one is read as everything else.
    const auto key = folder_.write("state/connector.db.key", folder_.read("root.key"));
    EXPECT_TRUE(find_root_key(folder_.path() / "state", {}, root.spki_sha256()) == key);
    EXPECT_TRUE(one.held());
}

TEST_F(LocalCaTest, an_open_key_file_is_refused) {
    std::filesystem::permissions(directory() / "ca.key", std::filesystem::perms::group_read,
                                 std::filesystem::perm_options::add);
    const auto opened = open(settings());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "authorityMisconfigured");
}

TEST_F(LocalCaTest, templates_beyond_the_ca_are_refused_at_the_start) {
    LocalTemplate of_a_ca;
    of_a_ca.key_usage = KeyUsage(KeyUsage::k_key_cert_sign);
    LocalTemplate client;
    client.extended_key_usage = {std::string(eku::k_client_auth)};
    LocalTemplate any;
    any.extended_key_usage = {std::string(eku::k_any)};
    for (const auto& bounds : {of_a_ca, client, any}) {
        auto wanted = settings();
        wanted.templates.emplace("bad", bounds);
        const auto opened = open(std::move(wanted));
        ASSERT_FALSE(opened);
        EXPECT_NE(opened.error().message.find("template.bad"), std::string::npos) << opened.error().message;
    }
}

TEST_F(LocalCaTest, templates_are_known_by_alias) {
    auto wanted = settings();
    wanted.templates.emplace("signing", LocalTemplate{});
    const auto authority = must(open(std::move(wanted)));
    EXPECT_TRUE(authority->has_template(std::nullopt));
    EXPECT_TRUE(authority->has_template("signing"));
    EXPECT_FALSE(authority->has_template("other"));
    auto order = submission(mail_content("alice@corp.example"));
    order.template_alias = "other";
    EXPECT_EQ(code_of(issue(*authority, order)), "authorityMisconfigured");
}

TEST_F(LocalCaTest, a_revoked_serial_stands_in_the_next_list) {
    const auto authority = open();
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    ports::Revocation revocation;
    revocation.issuer = to_text(leaf.issuer);
    revocation.serial_number = leaf.serial_number;
    revocation.reason = "keyCompromise";
    EXPECT_TRUE(wait(authority->revoke(revocation)));
    EXPECT_TRUE(wait(authority->revoke(revocation)));  // already revoked is success

    const auto crl = [&] {
        const std::string text = folder_.read("ca/ca.crl");
        return must(crypto::inspect_crl(bytes_of(text), made_.issuing.der));
    };
    const auto first = crl();
    ASSERT_EQ(first.entries.size(), 1U);
    EXPECT_EQ(to_hex(first.entries[0].serial), leaf.serial_number);
    EXPECT_EQ(first.entries[0].reason, crypto::RevocationReason::key_compromise);
    const auto next = must(make_local_crl(directory(), std::nullopt, {}, k_now));
    EXPECT_GT(next.number, 2U);
    EXPECT_EQ(next.entries, 1U);

    // An expired certificate leaves the list.
    const auto later = must(make_local_crl(directory(), std::nullopt, {}, leaf.not_after + std::chrono::days(30)));
    EXPECT_EQ(later.entries, 0U);
}

TEST_F(LocalCaTest, only_its_own_certificates_are_revoked) {
    const auto authority = open();
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    ports::Revocation revocation;
    revocation.issuer = to_text(leaf.issuer);
    revocation.serial_number = "0102";
    revocation.reason = "superseded";
    EXPECT_EQ(code_of(wait(authority->revoke(revocation))), "notIssuedHere");
    revocation.serial_number = leaf.serial_number;
    revocation.issuer = "CN=Somebody else";
    EXPECT_EQ(code_of(wait(authority->revoke(revocation))), "notIssuedHere");
    revocation.issuer = to_text(leaf.issuer);
    revocation.reason = "because";
    EXPECT_EQ(code_of(wait(authority->revoke(revocation))), "invalidRequest");
}

TEST_F(LocalCaTest, the_command_line_revokes_beside_the_daemon) {
    const auto authority = open();
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    const auto revoked =
        must(revoke_local(directory(), std::nullopt, "00:" + leaf.serial_number, "superseded", {}, k_now));
    EXPECT_EQ(revoked.serial_number, leaf.serial_number);
    EXPECT_FALSE(revoked.already);
    EXPECT_TRUE(must(revoke_local(directory(), std::nullopt, leaf.serial_number, "superseded", {}, k_now)).already);
    EXPECT_EQ(code_of(revoke_local(directory(), std::nullopt, "ff", "superseded", {}, k_now)), "notIssuedHere");
    EXPECT_EQ(code_of(revoke_local(directory(), std::nullopt, leaf.serial_number, "removeFromCRL", {}, k_now)),
              "invalidRequest");
}

}  // namespace
}  // namespace connector::authority::test
