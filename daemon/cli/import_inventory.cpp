// import inventory: what the store holds, signed by the importer, to be kept where the service cannot change it.
#include "core/crypto/encoding.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/printable.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/keys/files.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <iterator>

namespace connector::cli {
namespace {

struct InventoryOptions {
    std::string out;
    std::string user;
    bool publish = false;
};

void member(std::string& json, std::string_view name, const std::string& text) {
    json += (json.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + printable_json(text);
}

std::string line_of(const importer::SignedRecord& stored) {
    std::string json = "{";
    member(json, "id", stored.record.id);
    member(json, "userPrincipalName", stored.record.user_principal_name);
    member(json, "purpose", std::string(request::to_string(stored.record.purpose)));
    member(json, "thumbprint", stored.record.thumbprint);
    member(json, "notBefore", to_rfc3339(stored.record.start));
    member(json, "notAfter", to_rfc3339(stored.record.expiration));
    member(json, "providerName", stored.record.provider_name);
    member(json, "keyName", stored.record.key_name);
    member(json, "paddingScheme", stored.record.padding_scheme);
    member(json, "signed", stored.statement ? "yes" : stored.record.importer_signature.empty() ? "no" : "foreign");
    if (stored.statement) {
        member(json, "sha256", stored.statement->certificate.hex());
        member(json, "blobSha256", stored.statement->blob.hex());
        member(json, "signedAt", to_rfc3339(stored.statement->signed_at));
    }
    return json + "}";
}

// One owner and purpose after the other: the store's newest list names what is there, and no more.
int publish(const Invocation& call, const config::Settings& settings, ImportSession& session,
            const std::vector<importer::SignedRecord>& store) {
    boost::json::array rows;
    for (const auto& group : importer::group_stored(store)) {
        const auto& first = store[group.front()].record;
        const auto newest = importer::newest_list(store, first.user_principal_name, first.purpose);
        if (!newest) continue;
        std::vector<Sha256> there;
        for (const auto index : group)
            if (store[index].statement) there.push_back(store[index].statement->certificate);
        std::sort(there.begin(), there.end());
        there.erase(std::unique(there.begin(), there.end()), there.end());
        if (newest->certificates == there) continue;
        if (const auto whole = importer::names_everything(store, first.user_principal_name, first.purpose); !whole)
            return call.fail(whole.error().in(first.user_principal_name));
        NewList list{first.user_principal_name, first.purpose, there, newest->sequence};
        const auto done = publish_list(settings, session, store, std::move(list), call.environment.now());
        if (!done) return call.fail(done.error().in(first.user_principal_name));
        std::vector<Sha256> dropped;
        std::set_difference(newest->certificates.begin(), newest->certificates.end(), there.begin(), there.end(),
                            std::back_inserter(dropped));
        boost::json::object row;
        row["userPrincipalName"] = first.user_principal_name;
        row["purpose"] = std::string(request::to_string(first.purpose));
        row["certificates"] = there.size();
        boost::json::array names;
        for (const auto& one : dropped) names.push_back(boost::json::value(one.hex()));
        row["dropped"] = std::move(names);
        if (!call.json) {
            call.terminal.line(first.user_principal_name + ", " + std::string(request::to_string(first.purpose)) +
                               ": a new list of " + std::to_string(there.size()) + " certificates");
            for (const auto& one : dropped) call.terminal.line("  no longer named: " + one.hex());
        }
        rows.push_back(std::move(row));
    }
    if (call.json) {
        boost::json::object answer;
        answer["published"] = std::move(rows);
        call.terminal.json(answer);
    } else if (rows.empty()) {
        call.terminal.line("nothing to publish: each newest list names what is there");
    }
    return k_done;
}

int inventory(const Invocation& call, const InventoryOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto signer = importer_signer(*settings);
    if (!signer) return call.fail(signer.error());
    if (!*signer)
        return call.fail(Error(ErrorKind::misconfigured, "notConfigured",
                               "importer.certificate and importer.key are needed to sign an inventory"));
    const auto session = ImportSession::open(*settings);
    if (!session) return call.fail(session.error());
    const auto store = fetch_store(*settings, **session, options.user);
    if (!store) return call.fail(store.error());
    if (options.publish) return publish(call, *settings, **session, *store);

    std::string content = "{";
    member(content, "form", "pfx-connector-inventory-v1");
    member(content, "service", settings->management.url);
    member(content, "createdAt", to_rfc3339(call.environment.now()));
    if (!options.user.empty()) member(content, "userPrincipalName", options.user);
    content += ",\"records\":[\n";
    for (std::size_t i = 0; i < store->size(); ++i)
        content += line_of((*store)[i]) + (i + 1 == store->size() ? "\n" : ",\n");
    content += "]}\n";
    const crypto::OpenSslCrypto crypto;
    const auto signature = crypto.sign_attached(bytes_of(content), **signer);
    if (!signature) return call.fail(signature.error());
    const std::string pem = crypto::to_pem("CMS", signature->view());
    if (options.out.empty()) {
        if (call.json) {
            boost::json::object answer;
            answer["records"] = store->size();
            answer["inventory"] = pem;
            call.terminal.json(answer);
        } else {
            call.terminal.lines(pem);
        }
        return k_done;
    }
    if (auto done = keys::write_new_file(options.out, bytes_of(pem), 0640); !done) return call.fail(done.error());
    if (call.json) {
        boost::json::object answer;
        answer["file"] = options.out;
        answer["records"] = store->size();
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.field("inventory", options.out + ", " + std::to_string(store->size()) + " records");
    call.terminal.line("to read it: openssl cms -verify -inform PEM -in " + options.out +
                       " -noverify -nointern -certfile IMPORTER.crt");
    return k_done;
}

}  // namespace

void add_import_inventory_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<InventoryOptions>();
    auto* command = add_command(import_group, "inventory",
                                "what the store holds, as JSON in a CMS signature by [importer] certificate",
                                "pfx-connector import inventory --out inventory-2026-11.pem\n"
                                "pfx-connector import inventory --publish --user alice@corp.example\n"
                                "openssl cms -verify -inform PEM -in inventory-2026-11.pem -noverify -nointern "
                                "-certfile importer.crt");
    command->add_option("--out", options->out, "a new file (default: standard output)");
    command->add_option("--user", options->user, "a userPrincipalName (default: everybody)");
    command
        ->add_flag("--publish", options->publish,
                   "signs the newest list of each user and purpose anew where it names what is no longer in the store, "
                   "and tells what it drops: after records were removed on purpose")
        ->excludes("--out");
    chosen.on(command, [options](const Invocation& call) { return inventory(call, *options); });
}

}  // namespace connector::cli
