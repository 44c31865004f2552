// import key: the keys that imported certificates' passwords are wrapped under.
#include "daemon/cli/import_stored.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/import_keys.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

struct KeyOptions {
    std::string name;
    unsigned bits = 3072;
    std::string out;
    std::string key_file;
};

int create(const Invocation& call, const KeyOptions& options) {
    if (!keys::is_key_name(options.name))
        return call.fail_usage("NAME: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit");
    fs::path file = options.key_file;
    if (file.empty()) {
        const auto settings = call.settings(config::Need::control);
        if (!settings) return k_usage;
        file = keys::default_import_key_file(settings->storage.directory, options.name);
    }
    std::error_code failure;
    if (!options.out.empty() && fs::exists(options.out, failure))
        return call.fail(
            Error(ErrorKind::conflict, "fileExists", options.out + ": is there already; nothing is overwritten"));
    const auto made = keys::create_import_key(file, options.bits);
    if (!made) return call.fail(made.error());
    if (!options.out.empty()) {
        if (auto done = keys::write_new_file(options.out, bytes_of(made->public_pem), 0644); !done)
            return call.fail(done.error());
    }
    const std::string toml = keys::import_key_toml(options.name, made->file);
    if (call.json) {
        json::object answer;
        answer["name"] = options.name;
        answer["key"] = made->file.string();
        answer["bits"] = made->bits;
        answer["sha256"] = made->spki_sha256.hex();
        answer["publicKey"] = made->public_pem;
        answer["configuration"] = toml;
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.field("private key", made->file.string() + " (RSA " + std::to_string(made->bits) + ", 0600)");
    if (!options.out.empty()) call.terminal.field("public key", options.out);
    call.terminal.field("SHA-256", made->spki_sha256.hex());
    call.terminal.line("Put into the configuration:");
    call.terminal.line("");
    call.terminal.lines(toml);
    return k_done;
}

// The keys stand in a daemon's configuration, which need not have what only the import tool needs (a token), and in an
// importer's, which is no daemon's.
std::optional<config::Settings> settings_of(const Invocation& call) {
    auto loaded = config::load(call.config_file, config::Need::run);
    if (loaded.settings) return std::move(loaded.settings);
    return call.settings(config::Need::import_tool);
}

int list_keys(const Invocation& call) {
    const auto settings = settings_of(call);
    if (!settings) return k_usage;
    const auto rows = keys::list_import_keys(*settings);
    bool fault = false;
    json::array answers;
    Table table({"name", "provider", "key name", "bits", "SHA-256", "source"});
    for (const auto& row : rows) {
        const std::string fingerprint = row.spki_sha256 ? row.spki_sha256->hex() : "cannot be opened";
        if (!row.spki_sha256) {
            fault = true;
            call.terminal.warning("import." + row.table + ": " + row.problem);
        }
        table.add({row.table, row.provider_name, row.key_name, std::to_string(row.bits), fingerprint, row.source});
        json::object one;
        one["name"] = row.table;
        one["providerName"] = row.provider_name;
        one["keyName"] = row.key_name;
        one["bits"] = row.bits;
        one["sha256"] = row.spki_sha256 ? json::value(fingerprint) : json::value();
        one["source"] = row.source;
        answers.push_back(std::move(one));
    }
    if (call.json) {
        json::object answer;
        answer["keys"] = std::move(answers);
        call.terminal.json(answer);
    } else if (table.empty()) {
        call.terminal.line("no import key is configured");
    } else {
        table.print(call.terminal);
    }
    return fault ? k_fault_found : k_done;
}

int export_key(const Invocation& call, const KeyOptions& options) {
    const auto settings = settings_of(call);
    if (!settings) return k_usage;
    const auto key = keys::public_import_key(*settings, options.name);
    if (!key) return call.fail(key.error());
    if (call.json) {
        json::object answer;
        answer["providerName"] = key->provider_name;
        answer["keyName"] = key->key_name;
        answer["sha256"] = key->spki_sha256.hex();
        answer["publicKey"] = key->public_pem;
        call.terminal.json(answer);
    }
    if (options.out.empty()) {
        if (!call.json) call.terminal.lines(key->public_pem);
        return k_done;
    }
    if (auto done = keys::write_new_file(options.out, bytes_of(key->public_pem), 0644); !done)
        return call.fail(done.error());
    if (!call.json) {
        call.terminal.field("public key", options.out);
        call.terminal.field("SHA-256", key->spki_sha256.hex());
    }
    return k_done;
}

}  // namespace

void add_import_key_commands(CLI::App& import_group, Chosen& chosen) {
    auto* group = add_group(import_group, "key", "the keys that wrap the passwords of imported certificates");

    auto options = std::make_shared<KeyOptions>();
    auto* creating =
        add_command(*group, "create", "an RSA key: the private half stays here, the public goes to importers",
                    "pfx-connector import key create ImportKey1 --out ImportKey1.pem");
    creating->add_option("NAME", options->name, "the key's name")->required();
    creating->add_option("--bits", options->bits, "2048, 3072 or 4096")
        ->check(CLI::IsMember({2048, 3072, 4096}))
        ->capture_default_str();
    creating->add_option("--out", options->out, "the public key's PEM, a new file");
    creating->add_option("--key-file", options->key_file,
                         "where the private key goes (default: storage.directory/import-keys/NAME.key)");
    chosen.on(creating, [options](const Invocation& call) { return create(call, *options); });

    chosen.on(
        add_command(*group, "list", "the configured keys and their fingerprints", "pfx-connector import key list"),
        list_keys);

    auto* exporting = add_command(*group, "export", "the public half of a configured key",
                                  "pfx-connector import key export ImportKey1 --out ImportKey1.pem");
    exporting->add_option("NAME", options->name, "the key's name")->required();
    exporting->add_option("--out", options->out, "a new file (default: standard output)");
    chosen.on(exporting, [options](const Invocation& call) { return export_key(call, *options); });
    add_import_key_rotate_command(*group, chosen);
}

}  // namespace connector::cli
