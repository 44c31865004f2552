#include "unit/config/configured_machine.hpp"

#include <gtest/gtest.h>

#include <string>

namespace connector::config {
namespace {

using ConfigSettings = ConfiguredMachine;

TEST_F(ConfigSettings, what_is_needed_is_enough) {
    const Loaded loaded = read(good());
    ASSERT_TRUE(loaded.ok()) << all(loaded.problems);
    const Settings& settings = *loaded.settings;
    EXPECT_EQ(settings.file, file());
    EXPECT_EQ(settings.management.url, "https://mdm.corp.example/api/v1");
    EXPECT_EQ(settings.management.ca_file, folder_.path() / "service-ca.pem");
    EXPECT_FALSE(settings.management.ca_system);
    EXPECT_EQ(settings.management.certificate, folder_.path() / "state/connector.crt");
    EXPECT_EQ(settings.management.key, folder_.path() / "state/connector.key");
    EXPECT_EQ(settings.management.poll_wait.count(), 30);
    EXPECT_EQ(settings.management.batch, 100U);
    EXPECT_EQ(settings.storage.database(), folder_.path() / "state/connector.db");
    ASSERT_TRUE(settings.sealing.key);
    EXPECT_EQ(settings.sealing.key->path, folder_.path() / "secrets/sealing.key");
    using request::Kind;
    EXPECT_EQ(settings.connector.kinds, (std::vector{Kind::pkcs_issue, Kind::pfx_deliver, Kind::pfx_withdraw}));
    EXPECT_TRUE(settings.connector.does(Kind::pfx_deliver));
    EXPECT_FALSE(settings.connector.does(Kind::certificate_revoke));
    EXPECT_EQ(settings.importer.rules.mail_domains, std::vector<std::string>{"corp.example"});
    EXPECT_EQ(settings.log.file, "/var/log/pfx-connector/connector.log");
    EXPECT_EQ(settings.audit.file, "/var/log/pfx-connector/audit.log");
    EXPECT_EQ(settings.control.socket, "/run/pfx-connector/control.sock");
    EXPECT_EQ(settings.health.address, "127.0.0.1");
    EXPECT_EQ(settings.health.port, 9464);
}

TEST_F(ConfigSettings, every_key_arrives_where_it_belongs) {
    const Loaded loaded = read(R"(
[management]
url = "https://[2001:db8::1]:8443/api"
ca_file = "system"
certificate = "own.crt"
key = "/keys/own.key"
proxy = "http://proxy.corp.example:3128"
proxy_user = "connector"
proxy_password = "credential:proxy"
no_proxy = ["localhost", ".corp.example"]
admin_token = "file:token"
poll_wait_seconds = 0
batch = 500
request_timeout_seconds = 60
[connector]
name = "Büro 1"
kinds = ["pfx.withdraw", "pkcs.issue"]
crypto_threads = 2
in_flight = 8
max_pending = 1000
drain_seconds = 0
[storage]
directory = "/srv/pfx"
keep_closed_days = 5
keep_undelivered_days = 3
[sealing]
key = "credential:sealing"
[delivery]
certificate = "delivery.pem"
key = "secrets/delivery.key"
chain_file = "delivery-chain.pem"
pkcs12_legacy = "never"
[recipients]
ca_file = "device-ca.pem"
dedicated_ca = true
required_eku = ["1.3.6.1.4.1.99999.1"]
required_policy = ["2.999.1"]
device = "common-name"
binding = "register"
user_identity = "san-email"
key_change = "audit"
user_change = "allow"
max_per_user = 0
crl_files = ["lists/device.crl", "/srv/lists/other.crl"]
crl_urls = ["http://pki.corp.example:8080/device.crl"]
hold_days = 14
[policy]
identity = "service"
allowed_mail_domains = ["corp.example", "bücher.example"]
allowed_san_types = ["email", "upn", "uri"]
allowed_key_usages = ["keyEncipherment", "contentCommitment"]
allowed_extended_key_usages = ["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2"]
max_validity_days = 400
key_types = ["ecP384", "rsa3072"]
allow_security_identifier = true
[importer]
signatures = "adopted"
signers = "importers.pem"
address = "domain"
[limits]
unwrap_users_per_hour = 0
issue_per_user_per_day = 3
refusals_per_hour = 7
[import.ImportKey1]
key = "file:secrets/import.key"
passphrase = "credential:import"
[import."PFX key 2024"]
key = "credential:old"
provider_name = "Microsoft Software KSP"
key_name = "Old key"
[crypto]
rsa_generator = "openssl"
pool = false
[authority.corp]
type = "local"
directory = "ca"
key_passphrase = "credential:ca"
concurrency = 2
timeout_seconds = 5
breaker = {failures = 2, open_seconds = 10}
[authority.corp.template.smime-signing]
name = "Sign"
key_usage = ["keyEncipherment"]
extended_key_usage = ["1.3.6.1.5.5.7.3.4"]
validity_days = 90
crl_url = "http://crl.corp.example/ca.crl"
aia_url = "http://crl.corp.example/ca.cer"
policies = ["2.23.140.1.5.1.2"]
[authority.corp.template."S/MIME"]
[authority.lab]
type = "local"
directory = "lab-ca"
[authority.away]
type = "est"
url = "https://ca.corp.example:8443/est"
label = "people"
ca_file = "service-ca.pem"
issuer_file = "device-ca.pem"
user = "ra"
password = "credential:est"
auth = ["basic", "digest"]
certificate = "delivery.pem"
key = "file:secrets/delivery.key"
[authority.away.template.smime-signing]
name = "signing"
[log]
level = "warn"
file = ""
format = "json"
max_size_mb = 5
files = 3
journal = "off"
users = "hashed"
[audit]
file = "/var/log/other/audit.log"
[health]
listen = "[::]:9000"
page = "full"
hosts = ["monitor.corp.example"]
allow_remote = true
[control]
socket = "control.sock"
group = "operators"
approvers = 1
)");
    ASSERT_TRUE(loaded.ok()) << all(loaded.problems);
    const Settings& s = *loaded.settings;
    const auto at = [&](const char* name) { return folder_.path() / name; };

    EXPECT_EQ(s.management.url, "https://[2001:db8::1]:8443/api");
    EXPECT_TRUE(s.management.ca_system);
    EXPECT_TRUE(s.management.ca_file.empty());
    EXPECT_EQ(s.management.certificate, at("own.crt"));
    EXPECT_EQ(s.management.key, "/keys/own.key");
    EXPECT_EQ(s.management.proxy, "http://proxy.corp.example:3128");
    EXPECT_EQ(s.management.proxy_user, "connector");
    EXPECT_EQ(s.management.proxy_password->text(), "credential:proxy");
    EXPECT_EQ(s.management.no_proxy, (std::vector<std::string>{"localhost", ".corp.example"}));
    EXPECT_EQ(s.management.admin_token->path, at("token"));
    EXPECT_EQ(s.management.poll_wait.count(), 0);
    EXPECT_EQ(s.management.batch, 500U);
    EXPECT_EQ(s.management.request_timeout.count(), 60);
    EXPECT_EQ(s.connector.name, "Büro 1");
    EXPECT_EQ(s.connector.kinds, (std::vector{request::Kind::pfx_withdraw, request::Kind::pkcs_issue}));
    EXPECT_EQ(s.connector.crypto_threads, 2U);
    EXPECT_EQ(s.connector.in_flight, 8U);
    EXPECT_EQ(s.connector.max_pending, 1000U);
    EXPECT_EQ(s.connector.drain.count(), 0);
    EXPECT_EQ(s.storage.directory, "/srv/pfx");
    EXPECT_EQ(s.storage.keep_closed.count(), 5);
    EXPECT_EQ(s.storage.keep_undelivered.count(), 3);
    EXPECT_EQ(s.sealing.key->text(), "credential:sealing");
    EXPECT_EQ(s.delivery.certificate, at("delivery.pem"));
    EXPECT_EQ(s.delivery.key->text(), "file:" + at("secrets/delivery.key").string());
    EXPECT_EQ(s.delivery.chain_file, at("delivery-chain.pem"));
    EXPECT_FALSE(s.delivery.legacy_allowed);
    const auto& rules = s.recipients.rules;
    EXPECT_EQ(s.recipients.ca_file, at("device-ca.pem"));
    EXPECT_TRUE(rules.dedicated_ca);
    EXPECT_EQ(rules.required_eku, std::vector<std::string>{"1.3.6.1.4.1.99999.1"});
    EXPECT_EQ(rules.required_policy, std::vector<std::string>{"2.999.1"});
    EXPECT_EQ(rules.device, trust::DeviceNaming::common_name);
    EXPECT_EQ(rules.binding, trust::Binding::register_);
    EXPECT_EQ(rules.user_identity, trust::UserIdentity::san_email);
    EXPECT_EQ(rules.key_change, trust::ChangeRule::audit);
    EXPECT_EQ(rules.user_change, trust::ChangeRule::allow);
    EXPECT_EQ(rules.max_per_user, 0U);
    EXPECT_EQ(s.recipients.crl_files,
              (std::vector<std::filesystem::path>{at("lists/device.crl"), "/srv/lists/other.crl"}));
    EXPECT_EQ(s.recipients.crl_urls, std::vector<std::string>{"http://pki.corp.example:8080/device.crl"});
    EXPECT_TRUE(s.recipients.asks_lists());
    EXPECT_EQ(s.recipients.hold.count(), 14);
    EXPECT_EQ(s.policy.identity, trust::IdentitySource::service);
    EXPECT_EQ(s.policy.allowed_mail_domains, (std::vector<std::string>{"corp.example", "bücher.example"}));
    using request::SanType;
    EXPECT_EQ(s.policy.allowed_san_types, (std::vector{SanType::email, SanType::upn, SanType::uri}));
    EXPECT_EQ(s.policy.allowed_key_usages, KeyUsage(KeyUsage::k_key_encipherment | KeyUsage::k_non_repudiation));
    EXPECT_EQ(s.policy.allowed_extended_key_usages.size(), 2U);
    EXPECT_EQ(s.policy.max_validity_days, 400U);
    EXPECT_EQ(s.policy.key_types, (std::vector{KeyType::ec_p384, KeyType::rsa3072}));
    EXPECT_TRUE(s.policy.allow_security_identifier);
    EXPECT_EQ(s.importer.rules.signatures, trust::SignatureRule::adopted);
    EXPECT_EQ(s.importer.rules.address, trust::AddressRule::domain);
    EXPECT_EQ(s.importer.signers_file, at("importers.pem"));
    EXPECT_EQ(s.limits.unwrap_users_per_hour, 0U);
    EXPECT_EQ(s.limits.issue_per_user_per_day, 3U);
    EXPECT_EQ(s.limits.refusals_per_hour, 7U);
    EXPECT_EQ(s.limits.issue_per_day, 1000U);
    ASSERT_EQ(s.import_keys.size(), 2U);
    EXPECT_EQ(s.import_keys.at("ImportKey1").key_name, "ImportKey1");
    EXPECT_EQ(s.import_keys.at("ImportKey1").provider_name, "pfx-connector");
    EXPECT_EQ(s.import_keys.at("ImportKey1").passphrase->name, "import");
    EXPECT_EQ(s.import_keys.at("PFX key 2024").provider_name, "Microsoft Software KSP");
    EXPECT_EQ(s.import_keys.at("PFX key 2024").key_name, "Old key");
    EXPECT_FALSE(s.crypto.pool);
    ASSERT_EQ(s.authorities.size(), 3U);
    const Authority& corp = s.authorities.at("corp");
    EXPECT_EQ(corp.directory, at("ca"));
    EXPECT_EQ(corp.key_passphrase->name, "ca");
    EXPECT_EQ(corp.concurrency, 2U);
    EXPECT_EQ(corp.timeout.count(), 5);
    EXPECT_EQ(corp.breaker.failures, 2U);
    EXPECT_EQ(corp.breaker.open.count(), 10);
    ASSERT_EQ(corp.templates.size(), 2U);
    const AuthorityTemplate& signing = corp.templates.at("smime-signing");
    EXPECT_EQ(signing.name, "Sign");
    EXPECT_EQ(signing.key_usage, KeyUsage(KeyUsage::k_key_encipherment));
    EXPECT_EQ(signing.validity_days, 90U);
    EXPECT_EQ(signing.crl_url, "http://crl.corp.example/ca.crl");
    EXPECT_EQ(signing.aia_url, "http://crl.corp.example/ca.cer");
    EXPECT_EQ(signing.policies, (std::vector<std::string>{"2.23.140.1.5.1.2"}));
    EXPECT_EQ(corp.templates.at("S/MIME").validity_days, 365U);
    EXPECT_EQ(s.authorities.at("lab").breaker.failures, 5U);
    const Authority& away = s.authorities.at("away");
    EXPECT_EQ(away.type, AuthorityType::est);
    EXPECT_EQ(away.url, "https://ca.corp.example:8443/est");
    EXPECT_EQ(away.label, "people");
    EXPECT_EQ(away.ca_file, at("service-ca.pem"));
    EXPECT_EQ(away.issuer_file, at("device-ca.pem"));
    EXPECT_EQ(away.user, "ra");
    EXPECT_EQ(away.password->name, "est");
    EXPECT_EQ(away.schemes, (std::vector{HttpScheme::basic, HttpScheme::digest}));
    EXPECT_EQ(away.certificate, at("delivery.pem"));
    EXPECT_EQ(away.key->path, at("secrets/delivery.key"));
    EXPECT_EQ(away.templates.at("smime-signing").name, "signing");
    EXPECT_EQ(s.log.level, LogLevel::warn);
    EXPECT_TRUE(s.log.file.empty());
    EXPECT_EQ(s.log.format, LogFormat::json);
    EXPECT_EQ(s.log.max_size_mb, 5U);
    EXPECT_EQ(s.log.files, 3U);
    EXPECT_EQ(s.log.journal, Journal::off);
    EXPECT_EQ(s.log.users, LogUsers::hashed);
    EXPECT_EQ(s.audit.file, "/var/log/other/audit.log");
    EXPECT_EQ(s.health.listen, "[::]:9000");
    EXPECT_EQ(s.health.address, "::");
    EXPECT_FALSE(s.health.loopback);
    EXPECT_EQ(s.health.page, HealthPage::full);
    EXPECT_TRUE(s.health.allow_remote);
    EXPECT_EQ(s.control.socket, at("control.sock"));
    EXPECT_EQ(s.control.group, "operators");
}

TEST_F(ConfigSettings, defaults_are_those_of_the_domain) {
    const Loaded loaded = read(good());
    ASSERT_TRUE(loaded.ok());
    const Settings& s = *loaded.settings;
    const request::PolicyRules policy;
    EXPECT_EQ(s.policy.allowed_san_types, policy.allowed_san_types);
    EXPECT_EQ(s.policy.allowed_key_usages, policy.allowed_key_usages);
    EXPECT_EQ(s.policy.allowed_extended_key_usages, policy.allowed_extended_key_usages);
    EXPECT_EQ(s.policy.max_validity_days, policy.max_validity_days);
    EXPECT_EQ(s.policy.key_types, policy.key_types);
    EXPECT_EQ(s.policy.allow_security_identifier, policy.allow_security_identifier);
    const trust::RecipientRules recipients;
    EXPECT_EQ(s.recipients.rules.device, recipients.device);
    EXPECT_EQ(s.recipients.rules.user_identity, recipients.user_identity);
    EXPECT_EQ(s.recipients.rules.key_change, recipients.key_change);
    EXPECT_EQ(s.recipients.rules.user_change, recipients.user_change);
    EXPECT_EQ(s.recipients.rules.max_per_user, recipients.max_per_user);
    const trust::ImporterRules importer;
    EXPECT_EQ(s.importer.rules.signatures, importer.signatures);
    EXPECT_EQ(s.importer.rules.address, importer.address);
    const request::Limits limits;
    for (const auto limit :
         {&request::Limits::unwrap_users_per_hour, &request::Limits::unwrap_users_per_day,
          &request::Limits::deliveries_per_user_per_day, &request::Limits::new_recipients_per_day,
          &request::Limits::issue_per_hour, &request::Limits::issue_per_day, &request::Limits::issue_per_user_per_day,
          &request::Limits::revoke_per_hour, &request::Limits::revoke_per_day,
          &request::Limits::unwrap_failures_per_hour, &request::Limits::refusals_per_hour})
        EXPECT_EQ(s.limits.*limit, limits.*limit);
}

}  // namespace
}  // namespace connector::config
