// import add: files of one person here; lists and folders of many in import_bulk.
#include "daemon/cli/import_bulk.hpp"
#include "daemon/cli/import_session.hpp"
#include "daemon/cli/pfx_fault.hpp"

#include "core/crypto/openssl_crypto.hpp"
#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/parser/parser_process.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <utility>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct AddOptions {
    std::vector<std::string> files;
    std::string user;
    std::string purpose;
    KeyChoice key;
    PasswordChoice password;
    std::vector<std::string> addresses;
    std::string chain;
    bool replace = false;
    bool replace_all = false;
    bool dry_run = false;
    BulkOptions bulk;  // --csv, --folder
};

struct Item {
    std::string file;
    importer::Opened opened;
    std::string outcome;  // added, replaced, unchanged, duplicate, checked, refused; "" = not reached
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

Result<SecretBytes> password_for(const AddOptions& options) {
    if (options.password.given()) return read_password(options.password);
    std::string question = "Password of " + printable(options.files.front());
    if (options.files.size() > 1) question += " and " + std::to_string(options.files.size() - 1) + " more";
    return ask_password(question + " (not shown): ");
}

Result<Plan> prepare(const Invocation& call, const config::Settings& settings, const AddOptions& options) {
    Plan plan;
    auto order = order_of(options);
    if (!order) return order.error();
    plan.order = std::move(*order);
    auto key = wrapping_key(settings, options.key);
    if (!key) return key.error();
    plan.key = std::move(key->key);
    plan.key_fingerprint = key->fingerprint;
    auto signer = importer_signer(settings);
    if (!signer) return signer.error();
    plan.signer = std::move(*signer);

    const auto password = password_for(options);
    if (!password) return password.error();
    const crypto::OpenSslCrypto crypto;
    const parser::ParserProcess opener;
    for (const std::string& file : options.files) {
        const auto pfx = keys::read_file(file);
        if (!pfx) return pfx.error();
        auto opened = importer::open_and_judge(crypto, opener, *pfx, *password, plan.order, call.environment.now());
        if (!opened) return explain_pfx_fault(opened.error(), *pfx).in(file);
        for (const std::string& warning : opened->warnings) call.terminal.warning(file + ": " + warning);
        Item item{file, std::move(*opened), ""};
        for (const Item& earlier : plan.items)
            if (earlier.opened.certificate.sha256 == item.opened.certificate.sha256) item.outcome = "duplicate";
        plan.items.push_back(std::move(item));
    }
    return plan;
}

// What did not come to be stored must not stand in a list: it would be missed for ever.
void name_only_what_is_there(const Invocation& call, ImportSession& session, const Plan& plan,
                             const std::vector<importer::SignedRecord>& store, std::uint64_t sequence) {
    std::vector<const importer::Opened*> there;
    const Item* last = nullptr;
    for (const Item& item : plan.items) {
        const bool stored = item.outcome == "added" || item.outcome == "replaced";
        if (stored) last = &item;
        if (stored || item.outcome == "unchanged") there.push_back(&item.opened);
    }
    if (last == nullptr || !plan.signer) return;
    const auto anew =
        store_anew(session, last->opened, plan.order, plan.key, *plan.signer,
                   importer::history_of(store, plan.order, there).certificates, sequence, call.environment.now());
    if (!anew)
        call.terminal.warning("the signed list names a certificate that was not stored (" + anew.error().message +
                              "): call it again, or import inventory --publish");
}

importer::History history_with(const Invocation& call, const Plan& plan,
                               const std::vector<importer::SignedRecord>& store) {
    std::vector<const importer::Opened*> added;
    for (const Item& item : plan.items) added.push_back(&item.opened);
    auto history = importer::history_of(store, plan.order, added);
    if (history.unsigned_records != 0)
        call.terminal.warning(std::to_string(history.unsigned_records) +
                              (history.unsigned_records == 1 ? " stored record of this user and purpose is"
                                                             : " stored records of this "
                                                               "user and purpose are") +
                              " not signed by a known importer, and not in the signed history");
    if (history.left_out != 0)
        call.terminal.warning("the store does not show " + std::to_string(history.left_out) +
                              " of the certificates that the newest signed list names; they stay in the list. Import "
                              "them again, or, if they were removed on purpose: import inventory --publish");
    return history;
}

// What the store has of an item decides: unchanged, refused, or to be stored (its outcome is open then).
Result<void> hold_against_store(const AddOptions& options, const Plan& plan, Item& item,
                                const importer::SignedRecord* stored) {
    if (stored == nullptr || !item.outcome.empty() || options.replace_all) return {};
    if (importer::says_the_same(*stored, item.opened, plan.key, plan.signer.has_value())) {
        item.outcome = "unchanged";
        return {};
    }
    if (options.replace) return {};
    item.outcome = "refused";
    return Error(ErrorKind::conflict, "exists",
                 item.file +
                     ": the store has a record of this certificate with another content (importer's signature, "
                     "mailboxes or import key); --replace puts this one in its place");
}

// Puts each item into the store, once nothing there stands against any of them. Stops at the first failure: what is
// done is done and another run finds it unchanged.
Result<void> send(const Invocation& call, const config::Settings& settings, const AddOptions& options, Plan& plan) {
    const auto session = ImportSession::open(settings);
    if (!session) return session.error();
    const auto store = fetch_store(settings, **session, plan.order.user_principal_name);
    if (!store) return store.error();
    const auto there = [&](const Item& item) {
        return importer::find_same(*store, plan.order, item.opened.certificate.thumbprint);
    };
    std::vector<std::string> replaced;
    bool anything = false;
    for (Item& item : plan.items) {
        const auto* stored = there(item);
        if (auto passes = hold_against_store(options, plan, item, stored); !passes) return passes;
        if (stored != nullptr) replaced.push_back(stored->record.id);
        anything = anything || item.outcome.empty();
    }
    const auto history = history_with(call, plan, *store);
    if (plan.signer && anything)
        if (const auto whole =
                importer::names_everything(*store, plan.order.user_principal_name, plan.order.purpose, replaced);
            !whole)
            return whole.error();
    const crypto::OpenSslCrypto crypto;
    const UtcTime now = call.environment.now();
    const std::uint64_t sequence = sequence_after(history.newest);
    for (Item& item : plan.items) {
        if (!item.outcome.empty()) continue;
        auto record = importer::make_record(crypto, item.opened, plan.order, plan.key,
                                            plan.signer ? &*plan.signer : nullptr, history.certificates, sequence, now);
        if (!record) return record.error().in(item.file);
        const auto* stored = there(item);
        if (stored != nullptr) {
            record->id = stored->record.id;
            record->etag = stored->record.etag;
        }
        const auto kept = stored == nullptr ? (*session)->wait((*session)->calls().add(std::move(*record)))
                                            : (*session)->wait((*session)->calls().replace(std::move(*record)));
        if (!kept) {
            if (store_said_no(kept.error())) name_only_what_is_there(call, **session, plan, *store, sequence + 1);
            return kept.error().in(item.file);
        }
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

// Which options go together; "" where they do.
std::string contradiction(const AddOptions& options) {
    const bool bulk = !options.bulk.csv.empty() || !options.bulk.folder.empty();
    if (bulk && (!options.files.empty() || !options.user.empty() || !options.addresses.empty()))
        return "--csv and --folder name files, users and addresses themselves: no FILE, --user or --address beside "
               "them";
    if (bulk) return {};
    if (options.files.empty()) return "FILE, --csv or --folder is needed";
    if (options.user.empty()) return "--user is needed";
    if (options.purpose.empty()) return "--purpose is needed";
    if (!options.password.given() && !somebody_can_be_asked())
        return "--password-file or --password-stdin is needed where no terminal can be asked";
    if (!options.bulk.report.empty() || !options.bulk.state.empty() || options.bulk.jobs != 0)
        return "--report, --state and --jobs belong to --csv and --folder";
    return {};
}

int add(const Invocation& call, const AddOptions& options) {
    if (const std::string wrong = contradiction(options); !wrong.empty())
        return call.fail_usage(wrong + " (see --help)");
    if (options.files.empty()) {
        BulkOptions bulk = options.bulk;
        bulk.purpose = options.purpose;
        bulk.key = options.key;
        bulk.password = options.password;
        bulk.chain = options.chain;
        bulk.replace = options.replace || options.replace_all;
        bulk.replace_all = options.replace_all;
        bulk.dry_run = options.dry_run;
        return import_bulk(call, bulk);
    }
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    auto plan = prepare(call, *settings, options);
    if (!plan) return call.fail(plan.error());
    if (options.dry_run) {
        for (Item& item : plan->items)
            if (item.outcome.empty()) item.outcome = "checked";
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
        "--key ImportKey1\n"
        "pfx-connector import add old/*.pfx --user alice@corp.example --purpose smimeEncryption "
        "--key ImportKey1 --key-file ImportKey1.pem --password-stdin --dry-run\n"
        "pfx-connector import add --csv people.csv --key ImportKey1 --dry-run\n"
        "pfx-connector import add --folder history --purpose smimeEncryption --key ImportKey1 --password-file pw.txt");
    command->add_option("FILE", options->files, "PFX files of one user under one password");
    command->add_option("--user", options->user, "the owner's userPrincipalName; with FILE");
    command
        ->add_option("--purpose", options->purpose,
                     "smimeEncryption, smimeSigning, unassigned or wifi; for --csv and --folder where a row has none")
        ->check(known_purpose);
    command->add_option("--key", options->key.name, "the import key: [import.NAME], or its name beside --key-file")
        ->required();
    command->add_option("--key-file", options->key.file,
                        "the import key's public PEM, where the key itself is not here");
    command->add_option("--provider", options->key.provider,
                        "the key's provider_name (default: pfx-connector, or as configured)");
    auto* password = command->add_option_group(
        "password",
        "one of, or FILE's is asked for on the terminal; for --csv and --folder the one of files without their own");
    password->add_option("--password-file", options->password.file, "the PFX password is that file's first line");
    password->add_flag("--password-stdin", options->password.standard_input,
                       "the PFX password is the first line of standard input; a terminal does not show it");
    password->require_option(0, 1);
    auto* bulk = command->add_option_group("many", "many files of many people, instead of FILE");
    bulk->add_option("--csv", options->bulk.csv,
                     "a list with the header file,password-file,upn,purpose (and address, several with ;); paths are "
                     "relative to its folder and stay in it");
    bulk->add_option("--folder", options->bulk.folder,
                     "UPN/FILE.pfx or UPN/PURPOSE/FILE.pfx (or .p12); the password in FILE.pfx.password, else in the "
                     "file `password` beside it, else in UPN/password");
    bulk->require_option(0, 1);
    command->add_option("--jobs", options->bulk.jobs, "threads (default: the processors, 8 at most)")
        ->check(CLI::Range(1U, k_most_jobs));
    command->add_option("--report", options->bulk.report,
                        "NAME: NAME.csv and NAME.json (default: beside the list or folder, with .report)");
    command->add_option("--state", options->bulk.state,
                        "where an interrupted run leaves what is done (default: beside it, .import-state)");
    command
        ->add_option("--address", options->addresses, "a mailbox that is the user's as well: an alias, a former name")
        ->expected(1)
        ->take_all();
    command->add_option("--chain", options->chain, "PEM with issuers that the PFX lacks");
    command->add_flag("--replace", options->replace, "puts it in the place of a stored record with another content");
    command->add_flag(
        "--replace-all", options->replace_all,
        "the same, and of what is unchanged, too: after the import key was made anew under the same name");
    command->add_flag("--dry-run", options->dry_run, "checks everything and sends nothing");
    chosen.on(command, [options](const Invocation& call) { return add(call, *options); });
}

}  // namespace connector::cli
