// The command line as a whole: arguments in, exit code, output and calls out. No daemon, no network.
#include "daemon/cli/cli.hpp"
#include "core/text.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/key.hpp"
#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>

#include <sys/stat.h>

#include <algorithm>
#include <sstream>

namespace connector::cli {
namespace {

namespace json = boost::json;
using connector::test::ScratchFolder;

class CliTest : public ::testing::Test {
protected:
    CliTest() {
        folder_.write("connector.toml",
                      "[storage]\ndirectory = \"state\"\n[sealing]\nkey = \"file:sealing.key\"\n[control]\nsocket = "
                      "\"c.sock\"\n");
        std::filesystem::create_directory(folder_.path() / "state");
    }
    int run(std::vector<std::string> arguments) {
        out_.str("");
        err_.str("");
        called_.clear();
        const Environment environment{
            out_,
            err_,
            columns_,
            false,
            [this](const config::Settings&, const std::string& command, const json::object& given) {
                called_ = command + " " + json::serialize(given);
                return answer_;
            },
            [this](const config::Settings&, bool accept_restore) {
                called_ = accept_restore ? "run, accepting" : "run";
                return 0;
            },
            [] { return UtcTime(std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}); },
            [this](const config::Settings&, const std::string& command, const json::object&) {
                called_ = command;
                return std::optional<control::Answer>();
            },
            false};
        arguments.insert(arguments.end(), {"--config", (folder_.path() / "connector.toml").string()});
        return run_cli(arguments, environment);
    }
    [[nodiscard]] std::string out() const { return out_.str(); }
    [[nodiscard]] std::string err() const { return err_.str(); }
    [[nodiscard]] std::ptrdiff_t error_lines() const {
        const std::string text = err();
        return std::count(text.begin(), text.end(), '\n');
    }
    [[nodiscard]] std::string in_folder(const std::string& name) const { return (folder_.path() / name).string(); }

    ScratchFolder folder_;
    std::ostringstream out_;
    std::ostringstream err_;
    std::size_t columns_ = 80;
    control::Answer answer_;
    std::string called_;
};

struct Parsed {
    std::vector<std::string> arguments;
    int exit_code;
    std::string called;
};

TEST_F(CliTest, arguments_become_calls) {
    const std::vector<Parsed> table{
        {{"status"}, 0, "status {}"},
        {{"requests", "list"}, 0, R"(requests.list {"limit":100})"},
        {{"requests", "list", "--stage", "held", "--user", "alice@corp.example", "--limit", "5"},
         0,
         R"(requests.list {"stage":"held","user":"alice@corp.example","limit":5})"},
        {{"requests", "list", "--since", "2026-11-01T00:00:00Z", "--device", "d-1", "--after", "r-9"},
         0,
         R"(requests.list {"device":"d-1","since":"2026-11-01T00:00:00Z","after":"r-9","limit":100})"},
        {{"requests", "show", "r-17"}, 0, R"(requests.show {"id":"r-17"})"},
        {{"requests", "retry", "r-17"}, 0, R"(requests.retry {"id":"r-17"})"},
        {{"requests", "abandon", "r-17"}, 0, R"(requests.abandon {"id":"r-17"})"},
        {{"requests", "approve", "r-17", "--key", "9f3a"}, 0, R"(requests.approve {"id":"r-17","key":"9f3a"})"},
        {{"recipients", "list"}, 0, "recipients.list {}"},
        {{"recipients", "window", "--until", "2026-12-01T00:00:00Z", "--max", "200"},
         0,
         R"(recipients.window {"until":"2026-12-01T00:00:00Z","max":200})"},
        {{"recipients", "block", "--device", "d-1"}, 0, R"(recipients.block {"device":"d-1"})"},
        {{"recipients", "block", "--user", "alice@corp.example"},
         0,
         R"(recipients.block {"user":"alice@corp.example"})"},
        {{"issued", "list", "--limit", "3"}, 0, R"(issued.list {"limit":3})"},
        {{"limits", "show"}, 0, "limits.show {}"},
        {{"limits", "raise", "issue_per_hour=500", "--for", "48h", "--reason", "roll-out"},
         0,
         R"(limits.raise {"limit":"issue_per_hour","to":500,"for":"48h","reason":"roll-out"})"},
        {{"freeze"}, 0, R"(freeze {"kinds":[],"reason":""})"},
        {{"freeze", "pfx.deliver", "pkcs.issue", "--reason", "who?"},
         0,
         R"(freeze {"kinds":["pfx.deliver","pkcs.issue"],"reason":"who?"})"},
        {{"thaw"}, 0, R"(thaw {"kinds":[],"reason":""})"},
        // Usage: 2, and nothing is asked.
        {{}, 2, ""},
        {{"requests"}, 2, ""},
        {{"rquests", "list"}, 2, ""},
        {{"requests", "list", "--stage", "nowhere"}, 2, ""},
        {{"requests", "list", "--since", "yesterday"}, 2, ""},
        {{"requests", "list", "--limit", "0"}, 2, ""},
        {{"requests", "show"}, 2, ""},
        {{"requests", "show", "a b"}, 2, ""},
        {{"requests", "approve", "r-17"}, 2, ""},
        {{"limits", "raise", "issue_per_hour=500", "--for", "48h"}, 2, ""},
        {{"limits", "raise", "issue_per_hour=many", "--for", "48h", "--reason", "x"}, 2, ""},
        {{"recipients", "block"}, 2, ""},
        {{"recipients", "block", "--device", "d-1", "--user", "u"}, 2, ""},
        {{"recipients", "window", "--until", "soon", "--max", "1"}, 2, ""},
        {{"recipients", "window", "--until", "2026-12-01T00:00:00Z"}, 2, ""},
        {{"status", "--password", "x"}, 2, ""},
        {{"enroll", "--renew", "--token-file", "t"}, 2, ""},
        {{"import", "add", "f.pfx"}, 2, ""},
        {{"import", "add", "f.pfx", "--user", "u@x.example", "--purpose", "none", "--key", "K", "--password-stdin"},
         2,
         ""},
        {{"import", "add", "f.pfx", "--user", "u@x.example", "--purpose", "wifi", "--key", "K"}, 2, ""},
        {{"import", "remove", "--user", "u@x.example"}, 2, ""},
        {{"local-ca", "create", "--directory", "d"}, 2, ""},
        {{"version"}, 0, ""},
    };
    for (const auto& row : table) {
        std::string line;
        for (const auto& argument : row.arguments) line += argument + " ";
        EXPECT_EQ(run(row.arguments), row.exit_code) << line << err();
        EXPECT_EQ(called_, row.called) << line;
        if (row.exit_code == 2) {
            EXPECT_EQ(error_lines(), 1) << line << err();
            EXPECT_EQ(out(), "") << line;
        }
    }
}

TEST_F(CliTest, options_of_the_program_may_stand_anywhere) {
    out_.str("");
    answer_.result = json::object{{"status", "ready"}};
    EXPECT_EQ(run({"--json", "status"}), 0) << err();
    EXPECT_EQ(out(), "{\"status\":\"ready\"}\n");
    EXPECT_EQ(run({"status", "--json"}), 0) << err();
    EXPECT_EQ(out(), "{\"status\":\"ready\"}\n");
}

TEST_F(CliTest, the_daemons_exit_code_and_words_come_through) {
    answer_.exit_code = 75;
    answer_.error = "the daemon is starting\nand more";
    EXPECT_EQ(run({"status"}), 75);
    EXPECT_EQ(err().find("pfx-connector: the daemon is starting"), 0U);
    EXPECT_EQ(error_lines(), 1);
    EXPECT_EQ(out(), "");
}

TEST_F(CliTest, tables_fit_and_never_cut_what_other_commands_need) {
    const std::string id(40, 'r');
    json::array rows;
    rows.push_back(json::object{{"id", id},
                                {"kind", "pkcs.issue"},
                                {"stage", "held"},
                                {"user", std::string(50, 'u') + "@corp.example"},
                                {"device", std::string(50, 'd')},
                                {"heldReason", nullptr},
                                {"code", "policyRefused"},
                                {"tries", 3}});
    answer_.result = json::object{{"requests", rows}, {"next", "r-1"}};
    EXPECT_EQ(run({"requests", "list"}), 0);
    // Too narrow for a line each: several lines for a row, in which nothing is cut.
    const auto fits = [this] {
        std::istringstream lines(out());
        for (std::string line; std::getline(lines, line);) EXPECT_LE(character_count(line), columns_) << line;
    };
    fits();
    for (const auto& part :
         {id, std::string(50, 'u') + "@corp.example", std::string(50, 'd'), std::string("policyRefused")})
        EXPECT_NE(out().find(part), std::string::npos) << out();
    EXPECT_EQ(out().find("…"), std::string::npos);
    // One is wider than the terminal: blocks of fields.
    columns_ = 60;
    EXPECT_EQ(run({"requests", "list"}), 0);
    EXPECT_NE(out().find(id + "\n"), std::string::npos) << out();
    EXPECT_EQ(out().find("…"), std::string::npos);
    // A little is missing: it is cut, and the first column never.
    columns_ = 195;
    EXPECT_EQ(run({"requests", "list"}), 0);
    fits();
    EXPECT_NE(out().find(id), std::string::npos);
    EXPECT_NE(out().find("…"), std::string::npos) << out();
    EXPECT_NE(out().find("--after r-1"), std::string::npos);
    columns_ = 300;
    EXPECT_EQ(run({"requests", "list"}), 0);
    EXPECT_EQ(out().find("…"), std::string::npos);
    EXPECT_NE(out().find("policyRefused"), std::string::npos);
}

TEST_F(CliTest, status_can_be_watched_without_a_daemon_and_asks_a_running_one_alone) {
    // SIGINT waits for us already: one look, and the end.
    sigset_t signals;
    sigset_t before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signals, &before), 0);
    ASSERT_EQ(raise(SIGINT), 0);
    EXPECT_EQ(run({"status", "--watch"}), 0) << err();
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
    EXPECT_EQ(called_, "status");
    EXPECT_NE(out().find("stopped"), std::string::npos);
    EXPECT_EQ(out().find('\x1b'), std::string::npos);
    EXPECT_EQ(run({"status", "--watch", "--interval", "0"}), 2);
}

// AT-75 at this sink: what the service says cannot move the cursor, colour or reverse anything.
TEST_F(CliTest, nasty_texts_come_out_harmless) {
    const std::string nasty = "\x1b[2J\r\n\xE2\x80\xAE=cmd<script>\x07\xC2\x9B";
    const auto harmless = [](const std::string& text) {
        return text.find('\x1b') == std::string::npos && text.find('\r') == std::string::npos &&
               text.find('\x07') == std::string::npos && text.find("\xE2\x80\xAE") == std::string::npos &&
               text.find("\xC2\x9B") == std::string::npos;
    };
    answer_.result =
        json::object{{"requests", json::array{json::object{{"id", "r-1"}, {"user", nasty}, {nasty, nasty}}}}};
    for (const bool as_json : {false, true}) {
        std::vector<std::string> arguments{"requests", "list"};
        if (as_json) arguments.emplace_back("--json");
        EXPECT_EQ(run(arguments), 0);
        EXPECT_TRUE(harmless(out())) << out();
    }
    EXPECT_EQ(run({"requests", "show", "r-1"}), 0);
    EXPECT_TRUE(harmless(out()));
    EXPECT_EQ(run({"explain", nasty}), 1);
    EXPECT_TRUE(harmless(err()));
    EXPECT_EQ(run({nasty}), 2);
    EXPECT_TRUE(harmless(err()));
}

TEST_F(CliTest, every_help_text_is_there) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{},
                                                    {"run"},
                                                    {"enroll"},
                                                    {"check-config"},
                                                    {"status"},
                                                    {"requests"},
                                                    {"requests", "approve"},
                                                    {"recipients", "block"},
                                                    {"issued", "list"},
                                                    {"limits", "show"},
                                                    {"import", "key", "create"},
                                                    {"import", "add"},
                                                    {"import", "list"},
                                                    {"import", "remove"},
                                                    {"local-ca", "create"},
                                                    {"local-ca", "revoke"},
                                                    {"local-ca", "crl"},
                                                    {"audit", "verify"},
                                                    {"sealing", "create"},
                                                    {"delivery-key", "create"},
                                                    {"explain"},
                                                    {"config", "example"}}) {
        auto arguments = command;
        arguments.emplace_back("--help");
        EXPECT_EQ(run(arguments), 0);
        EXPECT_NE(out().find(command.empty() ? "Examples" : command.back()), std::string::npos) << out();
        EXPECT_EQ(err(), "");
    }
}

TEST_F(CliTest, a_missing_configuration_is_one_line_and_2) {
    std::filesystem::remove(folder_.path() / "connector.toml");
    EXPECT_EQ(run({"status"}), 2);
    EXPECT_EQ(error_lines(), 1);
}

TEST_F(CliTest, check_config_tells_every_fault_with_its_place) {
    folder_.write("connector.toml", "[management]\nurl = 5\nur = \"x\"\n[storage]\ndirectory = \"state\"\n");
    EXPECT_EQ(run({"check-config"}), 2);
    EXPECT_NE(err().find("connector.toml:2:"), std::string::npos) << err();
    EXPECT_NE(err().find("connector.toml:3:"), std::string::npos) << err();
    EXPECT_EQ(run({"check-config", "--json"}), 2);
    const auto answer = json::parse(out()).as_object();
    EXPECT_FALSE(answer.at("ok").as_bool());
    EXPECT_GE(answer.at("problems").as_array().size(), 2U);
    EXPECT_EQ(run({"run"}), 2);
    EXPECT_EQ(called_, "");
}

TEST_F(CliTest, the_example_configuration_is_there) {
    EXPECT_EQ(run({"config", "example"}), 0);
    EXPECT_NE(out().find("[management]"), std::string::npos);
    EXPECT_EQ(run({"config", "manual"}), 0);
    EXPECT_NE(out().find("management"), std::string::npos);
}

TEST_F(CliTest, explain_knows_events_and_pkcs12) {
    EXPECT_EQ(run({"explain", "pkcs-1050"}), 0) << err();
    EXPECT_NE(out().find("PKCS-1050"), std::string::npos);
    EXPECT_EQ(run({"explain", "pkcs12"}), 0);
    EXPECT_NE(out().find("AES-256"), std::string::npos);
    EXPECT_EQ(run({"explain", "NO-1"}), 1);
}

TEST_F(CliTest, sealing_create_writes_32_private_octets_once) {
    const auto file = in_folder("sealing.key");
    EXPECT_EQ(run({"sealing", "create", file}), 0) << err();
    EXPECT_EQ(folder_.read("sealing.key").size(), 32U);
    struct stat facts {};
    ASSERT_EQ(::stat(file.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    EXPECT_NE(out().find("key = \"file:" + file), std::string::npos);
    EXPECT_EQ(run({"sealing", "create", file}), 1);
    EXPECT_EQ(out(), "");
}

TEST_F(CliTest, import_keys_are_created_and_their_configuration_printed) {
    EXPECT_EQ(run({"import", "key", "create", "ImportKey1", "--bits", "2048", "--out", in_folder("public.pem")}), 0)
        << err();
    const auto key =
        crypto::PrivateKey::from_pem(SecretBytes::copy_of(folder_.read("state/import-keys/ImportKey1.key")));
    ASSERT_TRUE(key);
    EXPECT_NE(out().find(key->spki_sha256().hex()), std::string::npos);
    EXPECT_NE(out().find("[import.ImportKey1]"), std::string::npos);
    EXPECT_TRUE(crypto::public_key_from_pem(folder_.read("public.pem")));
    EXPECT_EQ(run({"import", "key", "create", "ImportKey1", "--bits", "2048"}), 1);
    EXPECT_EQ(run({"import", "key", "create", "../x", "--bits", "2048"}), 2);
    EXPECT_EQ(run({"import", "key", "create", "K2", "--bits", "1024"}), 2);
}

TEST_F(CliTest, a_delivery_key_comes_with_a_certificate_or_a_request) {
    EXPECT_EQ(run({"delivery-key", "create"}), 0) << err();
    const auto key = crypto::PrivateKey::from_pem(SecretBytes::copy_of(folder_.read("state/delivery.key")));
    ASSERT_TRUE(key);
    const auto certificates = crypto::certificates_from_pem(folder_.read("state/delivery.crt"));
    ASSERT_TRUE(certificates);
    EXPECT_TRUE(key->fits(certificates->front()));
    EXPECT_EQ(run({"delivery-key", "create"}), 1);
    EXPECT_EQ(run({"delivery-key", "create", "--key-file", in_folder("d.key"), "--csr", in_folder("d.csr"), "--json"}),
              0)
        << err();
    EXPECT_NE(folder_.read("d.csr").find("CERTIFICATE REQUEST"), std::string::npos);
    EXPECT_EQ(json::parse(out()).as_object().at("csr").as_string(), in_folder("d.csr"));
}

TEST_F(CliTest, a_local_ca_from_creation_to_revocation_list) {
    const auto place = in_folder("ca");
    EXPECT_EQ(run({"local-ca", "create", "--directory", place, "--name", "Corp CA", "--domain", "corp.example",
                   "--domain", "corp.test", "--root-out", in_folder("root.key")}),
              0)
        << err();
    EXPECT_NE(out().find("corp.example, corp.test"), std::string::npos) << out();
    EXPECT_EQ(run({"local-ca", "create", "--directory", place, "--name", "Corp CA", "--domain", "corp.example"}), 1);
    EXPECT_EQ(run({"local-ca", "create", "--directory", in_folder("other"), "--name", "X", "--domain", "a b"}), 2);
    EXPECT_EQ(run({"local-ca", "revoke", "0102", "--directory", place}), 1);
    EXPECT_EQ(run({"local-ca", "crl", "--directory", place, "--out", in_folder("ca.crl")}), 0) << err();
    EXPECT_EQ(folder_.read("ca.crl").find("-----BEGIN X509 CRL-----"), 0U);
    EXPECT_EQ(run({"local-ca", "crl", "--directory", place, "--out", in_folder("ca.crl"), "--der", "--json"}), 0);
    EXPECT_EQ(json::parse(out()).as_object().at("number").as_int64(), 2);
}

}  // namespace
}  // namespace connector::cli
