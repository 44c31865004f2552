// local-ca: the embedded CA.
#include "core/crypto/encoding.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/password.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/import_keys.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace connector::cli {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

struct CaOptions {
    std::string directory;
    std::string name;
    std::vector<std::string> domains;
    std::string root_out = "root.key";
    std::string key_type = "ecP256";
    unsigned days = 1825;
    std::string passphrase_file;
    std::string ca_passphrase_file;
    std::string serial;
    std::string reason = "unspecified";
    std::string out;
    unsigned crl_days = 0;
    bool der = false;
};

fs::path place_of(const std::string& text) {
    return text.empty() ? fs::path() : fs::absolute(text);
}

// As people copy it: openssl writes colons, others blanks.
std::string plain_serial(std::string& text) {
    constexpr std::size_t k_longest = 40;  // RFC 5280 4.1.2.2
    std::string digits = text;
    std::erase_if(digits, [](char c) { return c == ':' || c == ' '; });
    const bool fit = !digits.empty() && digits.size() <= k_longest &&
                     std::all_of(digits.begin(), digits.end(),
                                 [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
    if (!fit) return "\"" + text + "\" is no serial number: 1 to 40 hex digits";
    text = std::move(digits);
    return {};
}

std::string known_reason(const std::string& text) {
    static constexpr std::array<std::string_view, 6> k_reasons{"unspecified",          "keyCompromise",
                                                               "affiliationChanged",   "superseded",
                                                               "cessationOfOperation", "privilegeWithdrawn"};
    if (std::find(k_reasons.begin(), k_reasons.end(), text) != k_reasons.end()) return {};
    std::string all;
    for (const auto reason : k_reasons) all += (all.empty() ? "" : ", ") + std::string(reason);
    return "\"" + text + "\" is no reason; " + all;
}

Result<std::optional<SecretBytes>> passphrase_of(const std::string& file) {
    std::optional<SecretBytes> none;
    if (file.empty()) return none;
    auto word = read_secret_line(file);
    if (!word) return word.error();
    return std::optional<SecretBytes>(std::move(*word));
}

int create(const Invocation& call, const CaOptions& options) {
    authority::LocalCaOrder order;
    const auto type = parse_key_type(options.key_type);
    if (!type) return call.fail_usage("--key-type: rsa2048, rsa3072, rsa4096, ecP256 or ecP384");
    order.directory = place_of(options.directory);
    order.name = options.name;
    order.domains = options.domains;
    order.root_key_file = place_of(options.root_out);
    order.key_type = *type;
    order.days = options.days;
    auto root_passphrase = passphrase_of(options.passphrase_file);
    if (!root_passphrase) return call.fail(root_passphrase.error());
    order.root_passphrase = std::move(*root_passphrase);
    auto issuing_passphrase = passphrase_of(options.ca_passphrase_file);
    if (!issuing_passphrase) return call.fail(issuing_passphrase.error());
    order.issuing_passphrase = std::move(*issuing_passphrase);

    const auto made = authority::create_local_ca(order, call.environment.now());
    if (!made) {
        call.terminal.error(made.error().message);
        return made.error().kind == ErrorKind::invalid ? k_usage : exit_code_of(made.error().kind);
    }
    if (call.json) {
        json::object answer;
        answer["directory"] = order.directory.string();
        answer["rootKey"] = order.root_key_file.string();
        answer["rootSha256"] = made->root.sha256.hex();
        answer["issuingSha256"] = made->issuing.sha256.hex();
        answer["notAfter"] = to_rfc3339(made->issuing.not_after);
        json::array domains;
        for (const std::string& domain : made->domains) domains.push_back(json::value(domain));
        answer["domains"] = std::move(domains);
        call.terminal.json(answer);
        return k_done;
    }
    std::string domains;
    for (const std::string& domain : made->domains) domains += (domains.empty() ? "" : ", ") + domain;
    call.terminal.field("directory", order.directory.string());
    call.terminal.field("issuing CA",
                        to_text(made->issuing.subject) + ", until " + to_rfc3339(made->issuing.not_after));
    call.terminal.field("  SHA-256", made->issuing.sha256.hex());
    call.terminal.field("mail domains", domains);
    call.terminal.field("root", to_text(made->root.subject) + ", until " + to_rfc3339(made->root.not_after));
    call.terminal.field("  SHA-256", made->root.sha256.hex());
    call.terminal.field("root key",
                        order.root_key_file.string() + (order.root_passphrase ? " (encrypted)" : " (NOT encrypted)"));
    call.terminal.line("Take the root key off this machine now: the daemon does not start beside it.");
    call.terminal.line("Put into the configuration:");
    call.terminal.line("");
    call.terminal.lines(
        "[authority.local]\ntype = \"local\"\ndirectory = " + keys::toml_string(order.directory.string()) + "\n");
    return k_done;
}

// What the configuration says of the authority in that directory; the built-in rules where it says nothing. A
// configuration that is faulty must not keep anybody from revoking.
authority::ListRules rules_of(const Invocation& call, const fs::path& directory) {
    authority::ListRules rules;
    const auto loaded = config::load(call.config_file, config::Need::local_ca, config::NamedFiles::left_alone);
    if (!loaded.settings) return rules;
    std::error_code failure;
    for (const auto& [name, configured] : loaded.settings->authorities) {
        if (configured.type != config::AuthorityType::local) continue;
        if (!fs::equivalent(configured.directory, directory, failure) || failure) continue;
        rules.life = configured.crl_life;
        rules.published = configured.crl_file;
    }
    return rules;
}

// The register of issued certificates, at the daemon or in the database that nobody has.
struct Register {
    std::string word;  // marked, marked before, unknown, none, failed
    std::string error;
    int exit_code = k_done;
};
Register note(const Invocation& call, const authority::RevokedSerial& revoked, const std::string& reason) {
    std::error_code failure;
    if (call.config_file == config::default_file() && !fs::exists(call.config_file, failure))
        return {"none", "", k_done};
    const auto loaded = config::load(call.config_file, config::Need::control);
    if (!loaded.settings)
        return {
            "failed",
            loaded.problems.empty() ? call.config_file.string() + ": cannot be read" : loaded.problems.front().text(),
            k_usage};
    json::object arguments;
    arguments["issuer"] = revoked.issuer;
    arguments["serialNumber"] = revoked.serial_number;
    arguments["reason"] = reason;
    const control::Answer told = call.environment.call(*loaded.settings, "issued.revoked", arguments);
    if (told.exit_code != k_done) return {"failed", told.error, told.exit_code};
    const auto is = [object = told.result.if_object()](std::string_view name) {
        const auto* found = object == nullptr ? nullptr : object->if_contains(name);
        return found != nullptr && found->is_bool() && found->get_bool();
    };
    if (!is("known")) return {"unknown", "", k_done};
    return {is("already") ? "marked before" : "marked", "", k_done};
}

int revoke(const Invocation& call, const CaOptions& options) {
    const auto passphrase = passphrase_of(options.ca_passphrase_file);
    if (!passphrase) return call.fail(passphrase.error());
    const auto revoked = authority::revoke_local(options.directory, *passphrase, options.serial, options.reason,
                                                 rules_of(call, options.directory), call.environment.now());
    if (!revoked) return call.fail(revoked.error());
    const Register noted = note(call, *revoked, options.reason);
    const fs::path list = fs::path(options.directory) / authority::local_files::k_revocation_list;
    if (call.json) {
        json::object answer;
        answer["serialNumber"] = revoked->serial_number;
        answer["already"] = revoked->already;
        answer["crl"] = list.string();
        answer["register"] = noted.word;
        call.terminal.json(answer);
    } else {
        call.terminal.line("serial number " + revoked->serial_number +
                           (revoked->already ? ": was revoked before" : ": revoked") + "; the revocation list is " +
                           list.string());
        if (noted.word == "unknown")
            call.terminal.line("the register of issued certificates (`issued list`) does not have it");
        if (noted.word == "none")
            call.terminal.line("there is no " + call.config_file.string() +
                               ": the register of issued certificates was not looked for (--config)");
    }
    if (revoked->unpublished)
        call.terminal.error("it is revoked, but the published list is still the old one: " +
                            revoked->unpublished->message);
    if (noted.exit_code != k_done)
        call.terminal.error(
            "it is revoked, but the register of issued certificates could not be marked; once mended, give "
            "the same command again: " +
            noted.error);
    if (noted.exit_code != k_done) return noted.exit_code;
    return revoked->unpublished ? k_failed : k_done;
}

int crl(const Invocation& call, const CaOptions& options) {
    const auto passphrase = passphrase_of(options.ca_passphrase_file);
    if (!passphrase) return call.fail(passphrase.error());
    auto rules = rules_of(call, options.directory);
    if (options.crl_days != 0) rules.life = std::chrono::days(options.crl_days);
    const auto made = authority::make_local_crl(options.directory, *passphrase, rules, call.environment.now());
    if (!made) return call.fail(made.error());
    const std::string pem = crypto::to_pem(crypto::pem::k_crl, made->der);
    const ByteView content = options.der ? ByteView(made->der) : bytes_of(pem);
    // A list is published again and again under one name.
    if (auto done = keys::replace_file(options.out, content, 0644); !done) return call.fail(done.error());
    if (made->unpublished) call.terminal.error("authority's crl_file: " + made->unpublished->message);
    const int code = made->unpublished ? k_failed : k_done;
    if (call.json) {
        json::object answer;
        answer["file"] = options.out;
        answer["number"] = made->number;
        answer["entries"] = made->entries;
        answer["nextUpdate"] = to_rfc3339(made->next_update);
        call.terminal.json(answer);
        return code;
    }
    call.terminal.line(options.out + ": number " + std::to_string(made->number) + ", " + std::to_string(made->entries) +
                       " revoked, next update " + to_rfc3339(made->next_update));
    return code;
}

void add_place(CLI::App* command, const std::shared_ptr<CaOptions>& options) {
    command->add_option("--directory", options->directory, "the CA's directory")->required();
    command->add_option("--ca-passphrase-file", options->ca_passphrase_file, "a file with the passphrase of ca.key");
}

}  // namespace

void add_local_ca_commands(CLI::App& app, Chosen& chosen) {
    auto* group =
        add_group(app, "local-ca", "the embedded CA: a constrained issuing CA under a root that is kept off line");
    auto options = std::make_shared<CaOptions>();

    auto* creating =
        add_command(*group, "create", "a root, and an issuing CA for mailboxes of these domains alone",
                    "pfx-connector local-ca create --directory /var/lib/pfx-connector/ca --name \"Corp Mail CA\" "
                    "--domain corp.example --root-out /media/usb/root.key --passphrase-file pass.txt");
    creating->add_option("--name", options->name, "common name of the issuing CA; the root is \"NAME Root\"")
        ->required();
    creating
        ->add_option("--domain", options->domains,
                     "a mail domain (that host alone), or .DOMAIN (what is below it); repeatable")
        ->required();
    creating->add_option("--root-out", options->root_out, "where the root's key goes; never into the directory")
        ->capture_default_str();
    creating->add_option("--passphrase-file", options->passphrase_file,
                         "encrypts the root's key under that file's first line");
    creating->add_option("--key-type", options->key_type, "ecP256, ecP384, rsa2048, rsa3072, rsa4096")
        ->capture_default_str();
    creating->add_option("--days", options->days, "validity of the issuing CA; the root has twice that")
        ->capture_default_str();
    add_place(creating, options);
    chosen.on(creating, [options](const Invocation& call) { return create(call, *options); });

    auto* revoking =
        add_command(*group, "revoke",
                    "revokes one certificate, writes ca.crl anew, and marks it in the register of issued certificates",
                    "pfx-connector local-ca revoke 4f1c… --directory /var/lib/pfx-connector/ca --reason keyCompromise");
    revoking->add_option("SERIAL", options->serial, "the serial number in hex")
        ->required()
        ->transform(CLI::Validator(plain_serial, ""));
    revoking
        ->add_option(
            "--reason", options->reason,
            "unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn")
        ->check(known_reason)
        ->capture_default_str();
    add_place(revoking, options);
    chosen.on(revoking, [options](const Invocation& call) { return revoke(call, *options); });

    auto* listing =
        add_command(*group, "crl", "the next revocation list; a running daemon makes them by itself in time",
                    "pfx-connector local-ca crl --directory /var/lib/pfx-connector/ca --out /srv/www/ca.crl --der");
    listing->add_option("--out", options->out, "where it goes; an older one is replaced")->required();
    listing
        ->add_option("--days", options->crl_days, "until the next update (default: the authority's crl_days, else 7)")
        ->check(CLI::Range(1, 366));
    listing->add_flag("--der", options->der, "DER (what a distribution point serves) instead of PEM");
    add_place(listing, options);
    chosen.on(listing, [options](const Invocation& call) { return crl(call, *options); });
}

}  // namespace connector::cli
