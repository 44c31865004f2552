#include "daemon/cli/import_add.hpp"

#include "core/crypto/openssl_crypto.hpp"
#include "core/ids.hpp"
#include "core/request/mailbox.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/import_keys.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/parser/parser_process.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct AddOptions {
    std::vector<std::string> files;
    std::string user;
    std::string purpose;
    std::string key;
    std::string key_file;
    std::string provider;
    std::string password_file;
    bool password_stdin = false;
    std::vector<std::string> addresses;
    std::string chain;
    bool replace = false;
    bool dry_run = false;
};

Result<SecretBytes> password_from_stdin() {
    SecretBytes password;
    std::array<char, 1> one{};
    for (;;) {
        const ssize_t count = ::read(STDIN_FILENO, one.data(), 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || one[0] == '\n') break;
        password.append(std::string_view(one.data(), 1));
        if (password.size() > 1024)
            return Error(ErrorKind::invalid, "invalidRequest",
                         "the password on standard input is longer than 1024 octets");
    }
    one[0] = '\0';
    if (!password.empty() && password.reveal_text().back() == '\r') password.truncate(password.size() - 1);
    return password;
}

// An empty first line is a password too: PFX files without one exist.
Result<SecretBytes> password_from_file(const std::string& file) {
    auto password = keys::read_secret_file(file, false);
    if (!password) return password;
    const auto text = password->reveal_text();
    auto end = std::min(text.find('\n'), text.size());
    if (end > 0 && text[end - 1] == '\r') --end;
    password->truncate(end);
    return password;
}

struct Item {
    std::string file;
    importer::Opened opened;
    std::string outcome;  // added, replaced, unchanged, checked, refused
};

struct Plan {
    importer::ImportOrder order;
    importer::WrappingKey key;
    Sha256 key_fingerprint;
    std::optional<ports::Signer> signer;
    std::vector<Item> items;
};

Result<importer::ImportOrder> order_of(const AddOptions& options) {
    importer::ImportOrder order;
    const auto upn = request::parse_mailbox(options.user);
    if (!upn) return Error(ErrorKind::misconfigured, "usage", "--user: a userPrincipalName, NAME@DOMAIN");
    order.user_principal_name = options.user;
    order.purpose = *request::parse_purpose(options.purpose);
    for (const std::string& address : options.addresses) {
        const auto mailbox = request::parse_mailbox(address);
        if (!mailbox)
            return Error(ErrorKind::misconfigured, "usage",
                         "--address \"" + address + "\": " + mailbox.error().message);
        order.addresses.push_back(mailbox->text());
    }
    if (!options.chain.empty()) {
        auto chain = keys::load_certificates(options.chain);
        if (!chain) return chain.error();
        order.chain_candidates = std::move(*chain);
    }
    return order;
}

Result<std::optional<ports::Signer>> signer_of(const config::Settings& settings) {
    std::optional<ports::Signer> none;
    if (!settings.importer.certificate.empty() && settings.importer.key) {
        auto signer = keys::load_signer(settings.importer.certificate, *settings.importer.key, {});
        if (!signer) return signer.error();
        return std::optional<ports::Signer>(std::move(*signer));
    }
    if (settings.importer.rules.signatures != trust::SignatureRule::off)
        return Error(ErrorKind::misconfigured, "notConfigured",
                     "importer.certificate and importer.key are needed: the connector takes no unsigned record "
                     "(importer.signatures)");
    return none;
}

Result<Plan> prepare(const Invocation& call, const config::Settings& settings, const AddOptions& options) {
    Plan plan;
    auto order = order_of(options);
    if (!order) return order.error();
    plan.order = std::move(*order);
    const std::string provider = options.provider.empty() ? std::string(keys::k_provider_name) : options.provider;
    auto key = options.key_file.empty()
                   ? keys::public_import_key(settings, options.key)
                   : keys::public_import_key(std::filesystem::path(options.key_file), provider, options.key);
    if (!key) return key.error();
    // The configuration's names win: they are what the connector looks for.
    if (const auto known = settings.import_keys.find(options.key);
        known != settings.import_keys.end() && options.provider.empty()) {
        key->provider_name = known->second.provider_name;
        key->key_name = known->second.key_name;
    }
    plan.key = {key->provider_name, key->key_name, std::move(key->spki)};
    plan.key_fingerprint = key->spki_sha256;
    auto signer = signer_of(settings);
    if (!signer) return signer.error();
    plan.signer = std::move(*signer);

    const auto password = options.password_stdin ? password_from_stdin() : password_from_file(options.password_file);
    if (!password) return password.error();
    const crypto::OpenSslCrypto crypto;
    const parser::ParserProcess opener;
    for (const std::string& file : options.files) {
        const auto pfx = keys::read_file(file);
        if (!pfx) return pfx.error();
        auto opened = importer::open_and_judge(crypto, opener, *pfx, *password, plan.order, call.environment.now());
        if (!opened) return opened.error().in(file);
        for (const std::string& warning : opened->warnings) call.terminal.warning(file + ": " + warning);
        plan.items.push_back({file, std::move(*opened), ""});
    }
    return plan;
}

importer::History history_with(const Invocation& call, const Plan& plan,
                               const std::vector<importer::SignedRecord>& store) {
    std::vector<const importer::Opened*> added;
    for (const Item& item : plan.items) added.push_back(&item.opened);
    auto history = importer::history_of(store, plan.order, added);
    if (history.unsigned_records != 0)
        call.terminal.warning(
            std::to_string(history.unsigned_records) +
            " stored records of this user and purpose are not signed by a known importer; they are not "
            "in the signed history");
    return history;
}

// Puts each item into the store; what had been there decides how. Stops at the first failure: what is done is done and
// another run finds it unchanged.
Result<void> send(const Invocation& call, const config::Settings& settings, const AddOptions& options, Plan& plan) {
    const auto session = ImportSession::open(settings);
    if (!session) return session.error();
    const auto store = fetch_store(settings, **session, plan.order.user_principal_name);
    if (!store) return store.error();
    const auto history = history_with(call, plan, *store);
    const crypto::OpenSslCrypto crypto;
    const UtcTime now = call.environment.now();
    const auto sequence = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
    for (Item& item : plan.items) {
        const auto* stored = importer::find_same(*store, plan.order, item.opened.certificate.thumbprint);
        if (stored != nullptr && importer::says_the_same(*stored, item.opened, plan.key)) {
            item.outcome = "unchanged";
            continue;
        }
        if (stored != nullptr && !options.replace) {
            item.outcome = "refused";
            return Error(ErrorKind::conflict, "exists",
                         item.file +
                             ": the store has a record of this certificate with another content (importer's "
                             "signature, mailboxes or import key); --replace puts this one in its place");
        }
        auto record = importer::make_record(crypto, item.opened, plan.order, plan.key,
                                            plan.signer ? &*plan.signer : nullptr, history.certificates, sequence, now);
        if (!record) return record.error().in(item.file);
        if (stored != nullptr) {
            record->id = stored->record.id;
            record->etag = stored->record.etag;
        }
        const auto kept = stored == nullptr ? (*session)->wait((*session)->calls().add(std::move(*record)))
                                            : (*session)->wait((*session)->calls().replace(std::move(*record)));
        if (!kept) return kept.error().in(item.file);
        item.outcome = stored == nullptr ? "added" : "replaced";
    }
    return {};
}

json::object to_json(const Plan& plan) {
    json::object answer;
    answer["userPrincipalName"] = plan.order.user_principal_name;
    answer["purpose"] = std::string(request::to_string(plan.order.purpose));
    answer["providerName"] = plan.key.provider_name;
    answer["keyName"] = plan.key.key_name;
    answer["importKeySha256"] = plan.key_fingerprint.hex();
    json::array rows;
    for (const Item& item : plan.items) {
        json::object row;
        row["file"] = item.file;
        row["outcome"] = item.outcome.empty() ? "notReached" : item.outcome;
        row["thumbprint"] = item.opened.certificate.thumbprint.hex();
        row["sha256"] = item.opened.certificate.sha256.hex();
        row["subject"] = to_text(item.opened.certificate.subject);
        row["notBefore"] = to_rfc3339(item.opened.certificate.not_before);
        row["notAfter"] = to_rfc3339(item.opened.certificate.not_after);
        json::array mailboxes;
        for (const auto& mailbox : item.opened.mailboxes) mailboxes.push_back(json::value(mailbox));
        row["mailboxes"] = std::move(mailboxes);
        json::array warnings;
        for (const auto& warning : item.opened.warnings) warnings.push_back(json::value(warning));
        row["warnings"] = std::move(warnings);
        rows.push_back(std::move(row));
    }
    answer["certificates"] = std::move(rows);
    return answer;
}

void show(const Invocation& call, const Plan& plan) {
    if (call.json) {
        call.terminal.json(to_json(plan));
        return;
    }
    call.terminal.field("user", plan.order.user_principal_name);
    call.terminal.field("purpose", request::to_string(plan.order.purpose));
    call.terminal.field("import key", plan.key.provider_name + "/" + plan.key.key_name);
    call.terminal.field("  SHA-256", plan.key_fingerprint.hex());
    for (const Item& item : plan.items) {
        std::string mailboxes;
        for (const auto& mailbox : item.opened.mailboxes) mailboxes += (mailboxes.empty() ? "" : ", ") + mailbox;
        call.terminal.line("");
        call.terminal.field(item.outcome.empty() ? "not reached" : item.outcome, item.file);
        call.terminal.field("  thumbprint", item.opened.certificate.thumbprint.hex());
        call.terminal.field("  subject", to_text(item.opened.certificate.subject));
        call.terminal.field("  mailboxes", mailboxes.empty() ? "-" : mailboxes);
        call.terminal.field("  valid", to_rfc3339(item.opened.certificate.not_before) + " to " +
                                           to_rfc3339(item.opened.certificate.not_after));
        call.terminal.field("  chain", std::to_string(item.opened.chain.size()) + " issuers");
    }
}

int add(const Invocation& call, const AddOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    auto plan = prepare(call, *settings, options);
    if (!plan) return call.fail(plan.error());
    if (options.dry_run) {
        for (Item& item : plan->items) item.outcome = "checked";
        show(call, *plan);
        if (!call.json) call.terminal.line("nothing was sent (--dry-run)");
        return k_done;
    }
    const auto sent = send(call, *settings, options, *plan);
    show(call, *plan);
    return sent ? k_done : call.fail(sent.error());
}

}  // namespace

void add_import_add_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<AddOptions>();
    auto* command = add_command(
        import_group, "add", "opens PFX files here, checks and repacks them, and stores them at the service",
        "pfx-connector import add alice-2023.pfx --user alice@corp.example --purpose smimeEncryption "
        "--key ImportKey1 --password-file pw.txt\n"
        "pfx-connector import add old/*.pfx --user alice@corp.example --purpose smimeEncryption "
        "--key ImportKey1 --key-file ImportKey1.pem --password-stdin --dry-run");
    command->add_option("FILE", options->files, "PFX files of one user under one password")->required();
    command->add_option("--user", options->user, "the owner's userPrincipalName")->required();
    command->add_option("--purpose", options->purpose, "smimeEncryption, smimeSigning, unassigned or wifi")
        ->required()
        ->check([](const std::string& text) {
            return request::parse_purpose(text)
                       ? std::string()
                       : std::string("--purpose: smimeEncryption, smimeSigning, unassigned or wifi");
        });
    command->add_option("--key", options->key, "the import key: [import.NAME], or its name beside --key-file")
        ->required();
    command->add_option("--key-file", options->key_file,
                        "the import key's public PEM, where the key itself is not here");
    command->add_option("--provider", options->provider,
                        "the key's provider_name (default: pfx-connector, or as configured)");
    auto* password = command->add_option_group("password", "exactly one of");
    password->add_option("--password-file", options->password_file, "the PFX password is that file's first line");
    password->add_flag("--password-stdin", options->password_stdin,
                       "the PFX password is the first line of standard input");
    password->require_option(1);
    command
        ->add_option("--address", options->addresses, "a mailbox that is the user's as well: an alias, a former name")
        ->expected(1)
        ->take_all();
    command->add_option("--chain", options->chain, "PEM with issuers that the PFX lacks");
    command->add_flag("--replace", options->replace, "puts it in the place of a stored record with another content");
    command->add_flag("--dry-run", options->dry_run, "checks everything and sends nothing");
    chosen.on(command, [options](const Invocation& call) { return add(call, *options); });
}

}  // namespace connector::cli
