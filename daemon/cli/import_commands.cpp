// import list, import remove, and the place of the whole group.
#include "core/text.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/importer/import_tool.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <set>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct SelectOptions {
    std::string user;
    std::string thumbprint;
    std::string purpose;
};

json::object to_json(const importer::SignedRecord& stored) {
    json::object row;
    row["id"] = stored.record.id;
    row["userPrincipalName"] = stored.record.user_principal_name;
    row["purpose"] = std::string(request::to_string(stored.record.purpose));
    row["thumbprint"] = stored.record.thumbprint;
    row["sha256"] = stored.statement ? json::value(stored.statement->certificate.hex()) : json::value();
    row["notBefore"] = to_rfc3339(stored.record.start);
    row["notAfter"] = to_rfc3339(stored.record.expiration);
    row["providerName"] = stored.record.provider_name;
    row["keyName"] = stored.record.key_name;
    row["signed"] = stored.statement.has_value();
    return row;
}

std::string signature_word(const importer::SignedRecord& stored) {
    if (stored.statement) return "yes";
    return stored.record.importer_signature.empty() ? "no" : "foreign";
}

int list(const Invocation& call, const SelectOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto session = ImportSession::open(*settings);
    if (!session) return call.fail(session.error());
    const auto store = fetch_store(*settings, **session, options.user);
    if (!store) return call.fail(store.error());
    json::array answers;
    // The thumbprint takes half of a line; whose they are is known where one user was asked for.
    const bool many_users = options.user.empty();
    Table table(many_users ? std::vector<std::string>{"thumbprint", "until", "signed", "user", "purpose", "key"}
                           : std::vector<std::string>{"thumbprint", "until", "signed", "purpose", "key"});
    table.keep_whole(1);
    for (const auto& stored : *store) {
        const std::string purpose(request::to_string(stored.record.purpose));
        if (!options.purpose.empty() && purpose != options.purpose) continue;
        answers.push_back(to_json(stored));
        std::vector<std::string> cells{stored.record.thumbprint,
                                       time_text(to_rfc3339(stored.record.expiration), Shown::date),
                                       signature_word(stored)};
        if (many_users) cells.push_back(stored.record.user_principal_name);
        cells.insert(cells.end(), {purpose, stored.record.key_name});
        table.add(std::move(cells));
    }
    if (call.json) {
        json::object answer;
        answer["certificates"] = std::move(answers);
        call.terminal.json(answer);
    } else if (table.empty()) {
        call.terminal.line("no imported certificate");
    } else {
        table.print(call.terminal);
    }
    return k_done;
}

// What is gone on purpose must not be missed, and what the store does not show must: the newest list is signed again
// without the one and with the other.
void sign_without(const Invocation& call, const config::Settings& settings, ImportSession& session,
                  const std::vector<importer::SignedRecord>& store, const std::vector<importer::SignedRecord>& gone,
                  const std::string& user, request::Purpose purpose) {
    std::vector<importer::SignedRecord> rest = store;
    std::set<Sha256> shown;
    std::erase_if(rest, [&gone](const auto& stored) {
        return std::any_of(gone.begin(), gone.end(),
                           [&stored](const auto& one) { return one.record.id == stored.record.id; });
    });
    for (const auto& stored : rest)
        if (stored.statement && stored.record.purpose == purpose) shown.insert(stored.statement->certificate);
    NewList list{user, purpose, importer::history_with(store, user, purpose, {}), 0};
    if (const auto newest = importer::newest_list(store, user, purpose)) list.newest = newest->sequence;
    std::erase_if(list.certificates, [&](const Sha256& certificate) {
        return !shown.contains(certificate) && std::any_of(gone.begin(), gone.end(), [&](const auto& one) {
            return one.statement && one.record.purpose == purpose && one.statement->certificate == certificate;
        });
    });
    const auto hidden = std::count_if(list.certificates.begin(), list.certificates.end(),
                                      [&shown](const Sha256& certificate) { return !shown.contains(certificate); });
    if (hidden != 0)
        call.terminal.warning("the store does not show " + std::to_string(hidden) + " of the " +
                              std::string(request::to_string(purpose)) + " certificates that the signed list of " +
                              user +
                              " names; they stay in it. Import them again, or, if they were removed on purpose: import "
                              "inventory --publish");
    for (const auto& one : gone)
        if (one.statement && one.record.purpose == purpose && !shown.contains(one.statement->certificate) && !call.json)
            call.terminal.line("no longer named: " + one.statement->certificate.hex());
    const auto whole = importer::names_everything(rest, user, purpose);
    const auto published = whole ? publish_list(settings, session, rest, std::move(list), call.environment.now())
                                 : Result<bool>(whole.error());
    if (published && *published) return;
    if (published) {
        call.terminal.warning("no signed " + std::string(request::to_string(purpose)) + " record of " + user +
                              " is left, so no list says that they are gone on purpose: the connector will tell that "
                              "they are missing (IMP-2082)");
        return;
    }
    call.terminal.warning("the signed list of " + user + " still names what was removed (" + published.error().message +
                          "): the connector will tell that it is missing (IMP-2080)");
}

int remove(const Invocation& call, const SelectOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto session = ImportSession::open(*settings);
    if (!session) return call.fail(session.error());
    auto store = fetch_store(*settings, **session, options.user);
    if (!store) return call.fail(store.error());
    std::vector<importer::SignedRecord> gone;
    json::array removed;
    std::optional<Error> failure;
    for (const auto& stored : *store) {
        if (!ascii_equal(stored.record.user_principal_name, options.user) ||
            !ascii_equal(stored.record.thumbprint, options.thumbprint))
            continue;
        if (!options.purpose.empty() && request::to_string(stored.record.purpose) != options.purpose) continue;
        const auto done = (*session)->wait((*session)->calls().remove(stored.record.id, stored.record.etag));
        if (!done) {
            failure = done.error();
            break;
        }
        if (!*done) continue;
        gone.push_back(stored);
        removed.push_back(to_json(stored));
        if (!call.json)
            call.terminal.line("removed " + stored.record.thumbprint + " of " + stored.record.user_principal_name +
                               ", " + std::string(request::to_string(stored.record.purpose)) + ", valid until " +
                               time_text(to_rfc3339(stored.record.expiration), Shown::date) + ", under " +
                               stored.record.provider_name + "/" + stored.record.key_name);
    }
    const bool nothing = removed.empty();
    std::set<request::Purpose> purposes;
    for (const auto& one : gone)
        if (one.statement) purposes.insert(one.record.purpose);
    for (const auto purpose : purposes) sign_without(call, *settings, **session, *store, gone, options.user, purpose);
    if (call.json) {
        json::object answer;
        answer["removed"] = std::move(removed);
        call.terminal.json(answer);
    }
    // What was removed has been told, whatever came then.
    if (failure) return call.fail(*failure);
    if (!nothing) return k_done;
    call.terminal.error("nothing was removed: " + options.user + " has no such certificate there");
    return k_failed;
}

}  // namespace

void add_import_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "import", "imported certificates in the service's store, and their keys");
    add_import_key_commands(*group, chosen);
    add_import_scan_command(*group, chosen);
    add_import_add_command(*group, chosen);
    add_import_verify_command(*group, chosen);
    add_import_expiring_command(*group, chosen);
    add_import_adopt_command(*group, chosen);
    add_import_upgrade_command(*group, chosen);
    add_import_inventory_command(*group, chosen);

    auto options = std::make_shared<SelectOptions>();
    auto* listing = add_command(*group, "list", "what the store holds, without keys and passwords",
                                "pfx-connector import list --user alice@corp.example");
    listing->add_option("--user", options->user, "a userPrincipalName (default: everybody)");
    listing->add_option("--purpose", options->purpose, "only these")->check(known_purpose);
    chosen.on(listing, [options](const Invocation& call) { return list(call, *options); });

    auto* removing = add_command(*group, "remove", "takes a certificate out of the store; nothing is revoked",
                                 "pfx-connector import remove --user alice@corp.example --thumbprint f11b3467…");
    removing->add_option("--user", options->user, "the owner's userPrincipalName")->required();
    add_thumbprint_option(*removing, options->thumbprint, "the certificate's SHA-1 thumbprint")->required();
    removing->add_option("--purpose", options->purpose, "only for this purpose")->check(known_purpose);
    chosen.on(removing, [options](const Invocation& call) { return remove(call, *options); });
}

}  // namespace connector::cli
