#include "unit/config/configured_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace connector::config {
namespace {

using ConfigLoader = ConfiguredMachine;

TEST_F(ConfigLoader, all_faults_are_told_at_once_in_their_places) {
    const Loaded loaded = read(
        "[management]\n"                        // 1
        "ulr = \"https://mdm.corp.example\"\n"  // 2
        "ca_file = 7\n"                         // 3
        "batch = 501\n"                         // 4
        "max_validity_days = 3\n"               // 5
        "[recipients]\n"                        // 6
        "ca_file = \"none.pem\"\n"              // 7
        "required_eku = [\"1.2\", \"x.y\"]\n"   // 8
        "device = \"serial\"\n"                 // 9
        "[polcy]\n"                             // 10
        "identity = \"certificate\"\n"          // 11
        "[health]\n"                            // 12
        "  allow_remote = \"yes\"\n");          // 13
    struct Expected {
        std::uint32_t line;
        std::uint32_t column;
        std::string_view key;
        std::string_view words;
    };
    const Expected expected[] = {
        {13, 1, "sealing.key", "is missing; it is needed by run"},
        {13, 1, "policy.identity", "is missing; it is needed by pkcs.issue"},
        {13, 1, "policy.allowed_mail_domains", "is missing"},
        {13, 1, "importer.signers", "is missing"},
        {1, 1, "management.url", "is missing; it is needed by run, enroll, import"},
        {2, 1, "management.ulr", "there is no such key (did you mean url?)"},
        {3, 11, "management.ca_file", "must be a path in quotes (PEM file, or \"system\"), and is a whole number"},
        {4, 9, "management.batch", "must be a whole number from 1 to 500, and is 501"},
        {5, 1, "management.max_validity_days", "did you mean policy.max_validity_days?"},
        {6, 1, "recipients.binding", "is missing"},
        {7, 11, "recipients.ca_file", "none.pem does not exist"},
        {8, 24, "recipients.required_eku", "must be an object identifier"},
        {9, 10, "recipients.device", "must be \"san-uri\", \"san-dns\" or \"common-name\", and is \"serial\""},
        {10, 2, "polcy", "there is no such table (did you mean [policy]?)"},
        {13, 18, "health.allow_remote", "must be true or false, and is a text"},
    };
    EXPECT_FALSE(loaded.ok());
    for (const auto& each : expected) {
        const Problem* problem = find(loaded.problems, each.key);
        ASSERT_NE(problem, nullptr) << each.key << "\n" << all(loaded.problems);
        EXPECT_EQ(problem->line, each.line) << each.key;
        EXPECT_EQ(problem->column, each.column) << each.key;
        EXPECT_NE(problem->text().find(each.words), std::string::npos) << problem->text();
    }
    EXPECT_TRUE(std::is_sorted(loaded.problems.begin(), loaded.problems.end(),
                               [](const Problem& left, const Problem& right) { return left.line < right.line; }));
    EXPECT_EQ(find(loaded.problems, "management.batch")->text(),
              file().string() + ":4:9: management.batch: must be a whole number from 1 to 500, and is 501");
}

TEST_F(ConfigLoader, what_has_no_default_explains_the_choices) {
    const Loaded loaded = read(with("binding = \"certificate\"\n", ""));
    ASSERT_EQ(loaded.problems.size(), 1U) << all(loaded.problems);
    const std::string text = loaded.problems[0].text();
    for (const auto* words :
         {"recipients.binding: is missing", "\"certificate\": the device certificate names the user",
          "\"register\": a local register", "\"service\": nobody: the service's word is taken",
          "\"directory\": LDAP says whose", "\"statement\": a statement in the request"})
        EXPECT_NE(text.find(words), std::string::npos) << words << " in " << text;
    expect_one(with("identity = \"certificate\"\n", ""), "policy.identity",
               {"\"certificate\": the user name in the device certificate", "\"service\": nobody",
                "\"directory\": LDAP says which"});
}

TEST_F(ConfigLoader, a_directory_that_is_asked_has_all_it_needs) {
    const std::string identity = "identity = \"certificate\"\n";
    const std::string by_person = "identity = \"directory\"\n";
    const Loaded bare = read(with(identity, by_person));
    for (const auto* key : {"directory.url", "directory.ca_file", "directory.credential", "directory.user_base"})
        EXPECT_NE(find(bare.problems, key), nullptr) << key << "\n" << all(bare.problems);
    EXPECT_EQ(find(bare.problems, "directory.device_base"), nullptr) << "only where it is asked for devices";
    const std::string table =
        "[directory]\nurl = \"ldaps://dc1.corp.example  ldaps://dc2:636\"\nca_file = \"service-ca.pem\"\n"
        "credential = \"credential:ldap\"\nuser_base = \"dc=corp,dc=example\"\n";
    const Loaded good = read(with(identity, by_person) + table);
    ASSERT_TRUE(good.ok()) << all(good.problems);
    EXPECT_EQ(good.settings->directory.urls, (std::vector<std::string>{"ldaps://dc1.corp.example", "ldaps://dc2:636"}));
    EXPECT_EQ(good.settings->directory.cache, std::chrono::seconds{300});
    expect_one(with(identity, by_person) + table + "bind = \"simple\"\n", "directory.bind_name", {"is missing"});
    expect_one(with(identity, by_person) + table + "bind_name = \"cn=x\"\n", "directory.bind_name",
               {"is for bind = \"simple\""});
    expect_one(with(identity, by_person) + table + "mail_attributes = []\n", "directory.mail_attributes",
               {"nobody would have a mailbox"});
    expect_one(with("binding = \"certificate\"\n", "binding = \"directory\"\n") + table, "directory.device_base",
               {"is missing"});
}

TEST_F(ConfigLoader, single_faults) {
    struct Case {
        std::string line;
        std::string instead;
        std::string_view key;
        std::string_view words;
    };
    const std::string url = "url = \"https://mdm.corp.example/api/v1/\"\n";
    const std::string seal = "key = \"file:secrets/sealing.key\"\n";
    const std::string binding = "binding = \"certificate\"\n";
    const std::string identity = "identity = \"certificate\"\n";
    const std::string domains = "allowed_mail_domains = [\"corp.example\"]\n";
    const std::string ekus = "required_eku = [\"1.3.6.1.5.5.7.3.2\"]\n";
    const std::string signers = "signers = \"importers.pem\"\n";
    const std::string est = "[authority.corp]\ntype = \"est\"\nurl = \"https://ca\"\nca_file = \"service-ca.pem\"\n";
    const Case cases[] = {
        {url, "url = \"http://mdm.corp.example\"\n", "management.url", "must be an https address"},
        {url, "url = \"https://user:pass@mdm.corp.example\"\n", "management.url", "must be an https address"},
        {url, "url = \"https://mdm.corp.example/?x=1\"\n", "management.url", "must be an https address"},
        {url, "url = \"https://mdm.corp.example:0/\"\n", "management.url", "must be an https address"},
        {url, "url = \"\"\n", "management.url", "must be an https address"},
        {url, url + "proxy = \"http://u:p@proxy:3128\"\n", "management.proxy",
         "proxy_user and proxy_password are keys of their own"},
        {url, url + "proxy = \"http://proxy\"\n", "management.proxy", "http://host:port"},
        {url, url + "proxy_user = \"me\"\n", "management.proxy_user", "stands without management.proxy"},
        {url, url + "proxy = \"http://proxy:1\"\nproxy_user = \"me\"\n", "management.proxy_user",
         "needs management.proxy_password beside it"},
        {url, url + "admin_token = \"hunter2\"\n", "management.admin_token",
         "the secret itself does not belong into this file"},
        {url, url + "Batch = 3\n", "management.Batch", "did you mean batch?"},
        {url, url + "poll-wait-seconds = 3\n", "management.poll-wait-seconds", "did you mean poll_wait_seconds?"},
        {url, url + "request_timeout_seconds = 30.5\n", "management.request_timeout_seconds",
         "is a number with a fraction"},
        {url, url + "zzzzzz = 1\n", "management.zzzzzz", "there is no such key"},
        {"[storage]\n", "[connector]\nkinds = [\"pkcs.renew\"]\n[storage]\n", "connector.kinds",
         "\"pkcs.renew\" is not built yet (built are: pkcs.issue, pfx.deliver, pfx.withdraw)"},
        {"[storage]\n", "[connector]\nkinds = [\"scep\"]\n[storage]\n", "connector.kinds", "must be a list of"},
        {"[storage]\n", "[connector]\nkinds = [\"pkcs.issue\", \"pkcs.issue\"]\n[storage]\n", "connector.kinds",
         "stands there twice"},
        {"[storage]\n", "[connector]\nkinds = []\n[storage]\n", "connector.kinds", "nothing to do"},
        {"[storage]\n", "[connector]\nname = \"evil\\u001b[2J\"\n[storage]\n", "connector.name", "cannot be seen"},
        {seal, "key = \"file:secrets/none.key\"\n", "sealing.key", "secrets/none.key does not exist"},
        {seal, "key = \"secrets/sealing.key\"\n", "sealing.key", "must be \"credential:NAME\" or \"file:PATH\""},
        {seal, "key = \"pkcs11:token=hsm;object=seal\"\n", "sealing.key", "pkcs11: is not built yet"},
        {seal, "key = \"dpapi:\"\n", "sealing.key", "dpapi: is not built yet"},
        {seal, "key = \"credential:../x\"\n", "sealing.key", "has no `/`"},
        {seal, "key = \"credential:\"\n", "sealing.key", "is not empty"},
        {seal, "", "sealing.key", "is missing; it is needed by run"},
        {binding, "binding = \"statement\"\n", "recipients.statement_signers",
         "is missing; it is needed by recipients.binding = \"statement\""},
        {binding, binding + "statement_signers = \"x.pem\"\n", "recipients.statement_signers", "x.pem does not exist"},
        {binding, binding + "crl_urls = [\"https://pki.corp.example/a.crl\"]\n", "recipients.crl_urls",
         "https would add nothing"},
        {binding, binding + "crl_urls = [\"ftp://pki.corp.example/a.crl\"]\n", "recipients.crl_urls", "http://host"},
        {binding, binding + "hold_days = 0\n", "recipients.hold_days", "from 1 to 90"},
        {identity, identity + "allowed_key_usages = [\"keyCertSign\"]\n", "policy.allowed_key_usages",
         "must be a list of"},
        {domains, "allowed_mail_domains = []\n", "policy.allowed_mail_domains",
         "must not be empty; it is needed by pkcs.issue"},
        {domains, "", "policy.allowed_mail_domains", "is missing"},
        {domains, "allowed_mail_domains = [\"*.corp.example\"]\n", "policy.allowed_mail_domains",
         "must be whole mail domains"},
        {domains, "allowed_mail_domains = [\"@corp.example\"]\n", "policy.allowed_mail_domains",
         "must be whole mail domains"},
        {ekus, "", "recipients.required_eku", "dedicated_ca = true"},
        {ekus, "required_eku = [\"1.3.6.1.5.5.7.3.4\"]\n", "recipients.required_eku",
         "is never accepted in a device certificate"},
        {signers, "", "importer.signers", "is missing; it is needed by pfx.deliver while signatures are required"},
        {signers, "signers = \"secrets\"\n", "importer.signers", "is not a plain file"},
        {signers, signers + "certificate = \"importers.pem\"\n", "importer.certificate",
         "needs importer.key beside it"},
        {signers, signers + "[directory]\nurl = \"ldap://dc\"\n", "directory.url", "over ldap:// anybody on the way"},
        {signers, signers + "[directory]\nurl = \"ldaps://dc/dc=corp\"\n", "directory.url", "ldaps://host[:port]"},
        {signers, signers + "[directory]\nurl = \"ldaps://a@dc\"\n", "directory.url", "ldaps://host[:port]"},
        {signers, signers + "[directory]\nbind = \"anonymous\"\n", "directory.bind",
         "must be \"gssapi\" or \"simple\""},
        {signers, signers + "[directory]\nuser_filter = \"(mail=*)\"\n", "directory.user_filter", "{upn} stands for"},
        {signers, signers + "[directory]\nuser_filter = \"(a={upn})(b=c)\"\n", "directory.user_filter",
         "a whole filter"},
        {signers, signers + "[directory]\ndevice_filter = \"cn={device}\"\n", "directory.device_filter",
         "a whole filter"},
        {signers, signers + "[directory]\nuser_base = \"corp\"\n", "directory.user_base", "a distinguished name"},
        {signers, signers + "[directory]\nowner_attribute = \"\"\n", "directory.owner_attribute",
         "the name of an attribute"},
        {signers, signers + "[directory]\nmail_attributes = [\"a)b\"]\n", "directory.mail_attributes",
         "the name of an attribute"},
        {signers, signers + "[notify]\nsmtp = \"https://mail\"\n", "notify.smtp", "smtp://host[:port]"},
        {signers, signers + "[notify]\nsmtp = \"smtp://mail/x\"\n", "notify.smtp", "no path"},
        {signers, signers + "[notify]\nsmtp = \"smtp://mail\"\nto = [\"a@b\"]\n", "notify.from", "is missing"},
        {signers, signers + "[notify]\nsmtp = \"smtp://mail\"\nfrom = \"a@b\"\n", "notify.to", "is empty"},
        {signers, signers + "[notify]\nfrom = \"a@b\\r\\nBcc: c@d\"\n", "notify.from",
         "characters that cannot be seen"},
        {signers, signers + "[notify]\nto = [\"a@b, c@d\"]\n", "notify.to", "one plain mail address"},
        {signers, signers + "[notify]\nevents = [\"all\"]\n", "notify.events", "the id of an event"},
        {signers, signers + "[delivery]\nkey = \"secrets/delivery.key\"\n", "delivery.key",
         "needs delivery.certificate beside it"},
        {signers, signers + "[delivery]\nroot_files = [\"root.pem\"]\n", "delivery.root_files", "is not built yet"},
        {signers, signers + "[crypto]\nrsa_generator = \"nettle\"\n", "crypto.rsa_generator",
         "\"nettle\" is not built yet"},
        {signers, signers + "[health]\nlisten = \"0.0.0.0:9464\"\n", "health.listen", "is not loopback"},
        {signers, signers + "[health]\nlisten = \"localhost:9464\"\n", "health.listen",
         "must be an address and a port"},
        {signers, signers + "[health]\ntls_certificate = \"delivery.pem\"\n", "health.tls_certificate",
         "needs health.tls_key beside it"},
        {signers,
         signers + "[health]\nlisten = \"0.0.0.0:9464\"\nallow_remote = true\npage = \"full\"\n"
                   "token = \"credential:token\"\n",
         "health.token", "would cross the network in clear"},
        {signers, signers + "[log]\nfile = \"x.log\"\n[audit]\nfile = \"./x.log\"\n", "audit.file",
         "needs a file of its own"},
        {signers, signers + "[import.A]\n", "import.A.key", "is missing; it is needed by each [import.NAME]"},
        {signers, signers + "[import.A]\nkey = \"cng:A\"\n", "import.A.key", "cng: is not built yet"},
        {signers, signers + "[import]\nkey = \"file:x\"\n", "import.key",
         "must be a table (write [import.NAME] above its keys)"},
        {signers,
         signers + "[import.A]\nkey = \"credential:a\"\nkey_name = \"B\"\n[import.B]\nkey = \"credential:b\"\n",
         "import.B.key_name", "has the same two names as [import.A]"},
        {signers, signers + "[authority.corp]\ntype = \"scep\"\nurl = \"https://ca\"\n", "authority.corp.type",
         "\"scep\" is not built yet (built are: local, est)"},
        {signers, signers + "[authority.corp]\ntype = \"est\"\nurl = \"https://ca\"\n", "authority.corp.ca_file",
         "is missing; it is needed by type est"},
        {signers, signers + est + "directory = \"ca\"\n", "authority.corp.directory",
         "is a key of type local, and this is of type est"},
        {signers, signers + "[authority.corp]\ntype = \"local\"\ndirectory = \"ca\"\nlabel = \"x\"\n",
         "authority.corp.label", "is a key of type est, and this is of type local"},
        {signers, signers + est + "user = \"ra\"\n", "authority.corp.user", "needs authority.corp.password beside it"},
        {signers, signers + est + "certificate = \"device-ca.pem\"\n", "authority.corp.certificate",
         "needs authority.corp.key beside it"},
        {signers, signers + est + "user = \"r:a\"\n", "authority.corp.user", "without a colon"},
        {signers, signers + est + "label = \"cacerts\"\n", "authority.corp.label", "the name of an operation"},
        {signers, signers + est + "label = \"a/b\"\n", "authority.corp.label", "one path segment"},
        {signers, signers + est + "auth = [\"ntlm\"]\n", "authority.corp.auth",
         "must be a list of \"digest\" or \"basic\""},
        {signers, signers + est + "[authority.corp.template.x]\nname = \"simpleenroll\"\n",
         "authority.corp.template.x.name", "the name of an operation"},
        {signers, signers + est + "[authority.corp.template.x]\nvalidity_days = 3\n",
         "authority.corp.template.x.validity_days", "is a key of type local"},
        {signers, signers + "[authority.corp]\ntype = \"local\"\n", "authority.corp.directory",
         "is missing; it is needed by type local"},
        {signers, signers + "[authority.corp]\ndirectory = \"ca\"\n", "authority.corp.type", "is missing"},
        {signers, signers + "[authority.\"a b\"]\ntype = \"local\"\n", "authority.a b", "its name must be"},
        {signers, signers + "[authority.corp]\ntype = \"local\"\ndirectory = \"ca\"\nbreaker = {failure = 3}\n",
         "authority.corp.breaker.failure", "did you mean failures?"},
        {signers,
         signers + "[authority.corp]\ntype = \"local\"\ndirectory = \"ca\"\n[authority.corp.template.x]\nusage = []\n",
         "authority.corp.template.x.usage", "did you mean key_usage?"},
        {signers, signers + "[[log]]\nlevel = \"info\"\n", "log", "must be a table"},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(each.instead);
        expect_one(with(each.line, each.instead), each.key, {each.words});
    }
}

TEST_F(ConfigLoader, no_pin_and_no_secret_is_ever_repeated) {
    const std::string seal = "key = \"file:secrets/sealing.key\"\n";
    const char* const secrets[] = {
        "pkcs11:token=hsm?pin-value=hunter2",
        "pkcs11:token=hsm?PIN-VALUE=hunter2",
        "pkcs11:token=hsm?pin-source=file:/hunter2",
        "pkcs11:a?module-path=/tmp/hunter2.so",
        "hunter2",
        "hunter2\\n",
        "-----BEGIN PRIVATE KEY-----hunter2",
        "file:-----BEGIN PRIVATE KEY-----hunter2",
    };
    for (const auto* secret : secrets) {
        const Loaded loaded = read(with(seal, "key = \"" + std::string(secret) + "\"\n"));
        ASSERT_EQ(loaded.problems.size(), 1U) << secret << all(loaded.problems);
        EXPECT_EQ(all(loaded.problems).find("hunter2"), std::string::npos) << all(loaded.problems);
    }
    expect_one(with(seal, "key = \"pkcs11:token=hsm?pin-value=1\"\n"), "sealing.key", {"must not name a PIN"});
}

TEST_F(ConfigLoader, the_sealing_key_may_not_lie_beside_the_database) {
    folder_.write("state/deep/sealing.key", std::string(32, 'k'));
    std::filesystem::create_directory_symlink(folder_.path() / "state", folder_.path() / "elsewhere");
    const std::string seal = "key = \"file:secrets/sealing.key\"\n";
    for (const auto* path :
         {"state/deep/sealing.key", "secrets/../state/deep/sealing.key", "elsewhere/deep/sealing.key"})
        expect_one(with(seal, "key = \"file:" + std::string(path) + "\"\n"), "sealing.key",
                   {"inside storage.directory"});
    // A folder whose name only begins alike is another folder.
    folder_.write("state-secrets/sealing.key", std::string(32, 'k'));
    EXPECT_TRUE(read(with(seal, "key = \"file:state-secrets/sealing.key\"\n")).ok());
}

TEST_F(ConfigLoader, secret_files_are_looked_at) {
    folder_.write("secrets/open.key", std::string(32, 'k'), 0644);
    expect_one(with("file:secrets/sealing.key", "file:secrets/open.key"), "sealing.key",
               {"has mode 0644", "chmod 0600"});
}

TEST_F(ConfigLoader, a_sealing_key_has_32_octets_and_an_authority_its_directory) {
    folder_.write("secrets/short.key", std::string(31, 'k'));
    expect_one(with("file:secrets/sealing.key", "file:secrets/short.key"), "sealing.key",
               {":7:", "has 31 octets; a sealing key has exactly 32"});
    const std::string local = "[authority.corp]\ntype = \"local\"\ndirectory = ";
    EXPECT_TRUE(read(good() + local + "\"ca\"\n").ok());
    expect_one(good() + local + "\"nowhere\"\n", "authority.corp.directory", {"does not exist", "local-ca create"});
    expect_one(good() + local + "\"importers.pem\"\n", "authority.corp.directory", {"is no directory"});
}

TEST_F(ConfigLoader, an_empty_file_lacks_what_is_needed) {
    const Loaded loaded = load(folder_.write("empty.toml", "", 0644), Need::run);
    for (const auto* key : {"management.url", "sealing.key", "recipients.binding"}) {
        const Problem* problem = find(loaded.problems, key);
        ASSERT_NE(problem, nullptr) << key << all(loaded.problems);
        EXPECT_NE(problem->text().find("empty.toml:1:1: "), std::string::npos) << problem->text();
    }
}

TEST_F(ConfigLoader, import_keys_are_named_with_their_places_whatever_else_is_wrong) {
    const Loaded loaded = read(good() + "[import.K]\nkey = \"file:secrets/import.key\"\n[nonsense]\n");
    EXPECT_FALSE(loaded.ok());
    ASSERT_EQ(loaded.import_keys.size(), 1U);
    EXPECT_EQ(loaded.import_keys[0].place.key, "import.K.key");
    EXPECT_EQ(loaded.import_keys[0].place.line, 18U);
    EXPECT_EQ(loaded.import_keys[0].key.key.path, folder_.path() / "secrets/import.key");
}

TEST_F(ConfigLoader, what_is_needed_follows_from_the_kinds) {
    const std::string base =
        "[management]\nurl = \"https://mdm.corp.example\"\nca_file = \"service-ca.pem\"\n[sealing]\nkey = "
        "\"credential:s\"\n";
    EXPECT_TRUE(read(base + "[connector]\nkinds = [\"pfx.withdraw\"]\n").ok());

    const std::string devices =
        "[recipients]\nca_file = \"device-ca.pem\"\ndedicated_ca = true\nbinding = \"register\"\n[policy]\nidentity = "
        "\"certificate\"\n";
    const auto keys_of = [&](const std::string& text) {
        std::vector<std::string> keys;
        for (const auto& problem : read(text).problems) keys.push_back(problem.key);
        std::sort(keys.begin(), keys.end());
        return keys;
    };
    using Keys = std::vector<std::string>;
    EXPECT_EQ(keys_of(base + devices + "[connector]\nkinds = [\"pkcs.issue\"]\n"), Keys{"policy.allowed_mail_domains"});
    EXPECT_EQ(keys_of(base + devices + "[connector]\nkinds = [\"pfx.deliver\"]\n"), Keys{"importer.signers"});
    EXPECT_EQ(keys_of(base + devices + "[connector]\nkinds = [\"pfx.deliver\"]\n[importer]\nsignatures = \"off\"\n"),
              Keys{});
    EXPECT_EQ(
        keys_of(base + devices +
                "[connector]\nkinds = [\"pfx.deliver\"]\n[importer]\nsignatures = \"off\"\naddress = \"domain\"\n"),
        Keys{"policy.allowed_mail_domains"});
    EXPECT_EQ(keys_of(base + "[connector]\nkinds = [\"pfx.deliver\"]\n"),
              (Keys{"importer.signers", "policy.identity", "recipients.binding", "recipients.ca_file",
                    "recipients.required_eku"}));
}

TEST_F(ConfigLoader, each_command_asks_for_what_it_uses) {
    const std::string workstation = "[management]\nurl = \"https://mdm.corp.example\"\nca_file = \"service-ca.pem\"\n";
    EXPECT_TRUE(read(workstation + "admin_token = \"credential:t\"\n", Need::import_tool).ok());
    expect_one(workstation, "management.admin_token", {"is missing; it is needed by import"}, Need::import_tool);
    expect_one(workstation + "admin_token = \"credential:t\"\n[importer]\nkey = \"credential:k\"\n", "importer.key",
               {"needs importer.certificate"}, Need::import_tool);
    EXPECT_TRUE(read(workstation, Need::enroll).ok());
    expect_one("[management]\nurl = \"https://mdm.corp.example\"\n", "management.ca_file", {"is missing"},
               Need::enroll);
    EXPECT_TRUE(read("", Need::local_ca).ok());
    EXPECT_TRUE(read("", Need::control).ok());
    EXPECT_FALSE(read("", Need::run).ok());
    // `status` has to work while the file is being mended.
    const Loaded broken =
        read("[control]\nsocket = \"c.sock\"\n[policy]\nidentity = \"nobody\"\nx = 1\n[nonsense]\n", Need::control);
    ASSERT_TRUE(broken.ok()) << all(broken.problems);
    EXPECT_EQ(broken.settings->control.socket, folder_.path() / "c.sock");
    // The files of the daemon need not be readable for who imports.
    EXPECT_TRUE(
        read(workstation + "admin_token = \"file:none\"\n[import.A]\nkey = \"file:none\"\n", Need::import_tool).ok());
}

TEST_F(ConfigLoader, warnings_do_not_stop_it) {
    const Loaded loaded = read(with("binding = \"certificate\"\n", "binding = \"service\"\n"));
    ASSERT_TRUE(loaded.ok()) << all(loaded.problems);
    const Problem* warning = find(loaded.warnings, "recipients.binding");
    ASSERT_NE(warning, nullptr);
    EXPECT_EQ(warning->line, 11U);
    EXPECT_NE(find(loaded.warnings, "connector.kinds"), nullptr);  // no authority, no import key
}

TEST_F(ConfigLoader, what_is_not_toml_has_its_place) {
    const Loaded loaded = read("[management]\nurl = \"unfinished\nca_file = 1\n");
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(loaded.problems[0].line, 2U);
    EXPECT_NE(loaded.problems[0].message.find("is not TOML"), std::string::npos);
    expect_one("x = 1\n[control]\ny = 2\n[control]\n", "", {"is not TOML"}, Need::control);
}

TEST_F(ConfigLoader, keys_outside_of_a_table_are_told) {
    const Loaded loaded = read("url = \"https://mdm.corp.example\"\n" + good());
    ASSERT_EQ(loaded.problems.size(), 1U) << all(loaded.problems);
    EXPECT_NE(loaded.problems[0].text().find(":1:1: url: stands outside of every table"), std::string::npos)
        << loaded.problems[0].text();
}

TEST_F(ConfigLoader, nasty_names_come_out_harmless) {
    const Loaded loaded = read("[management]\n\"evil\\u001b[2J\\n\\u202e\" = 1\n");
    ASSERT_FALSE(loaded.ok());
    for (const auto& problem : loaded.problems) {
        const std::string text = problem.text();
        EXPECT_TRUE(std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
            << text;
        EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << text;
    }
    EXPECT_NE(all(loaded.problems).find("management.evil\\x1b[2J\\n\\u{202e}: there is no such key"),
              std::string::npos);
}

TEST_F(ConfigLoader, files_are_read_with_care) {
    EXPECT_TRUE(load(folder_.write("connector.toml", good(), 0644), Need::run).ok());
    const auto refusal = [&](const std::filesystem::path& path) {
        const Loaded loaded = load(path, Need::run);
        EXPECT_EQ(loaded.problems.size(), 1U);
        return all(loaded.problems);
    };
    EXPECT_NE(refusal(folder_.path() / "none.toml").find("there is no such file"), std::string::npos);
    EXPECT_NE(refusal(folder_.path()).find("is not a plain file"), std::string::npos);
    EXPECT_NE(refusal(folder_.write("open.toml", good(), 0666)).find("may be written by everyone"), std::string::npos);
    EXPECT_NE(refusal(folder_.write("large.toml", std::string(1024 * 1024 + 1, '\n'))).find("larger than 1 MiB"),
              std::string::npos);
}

}  // namespace
}  // namespace connector::config
