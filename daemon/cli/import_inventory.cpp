// import inventory: what the store holds, signed by the importer, to be kept where the service cannot change it.
#include "core/crypto/encoding.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/printable.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/keys/files.hpp"

#include <boost/json/object.hpp>

namespace connector::cli {
namespace {

struct InventoryOptions {
    std::string out;
    std::string user;
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
                                "openssl cms -verify -inform PEM -in inventory-2026-11.pem -noverify -nointern "
                                "-certfile importer.crt");
    command->add_option("--out", options->out, "a new file (default: standard output)");
    command->add_option("--user", options->user, "a userPrincipalName (default: everybody)");
    chosen.on(command, [options](const Invocation& call) { return inventory(call, *options); });
}

}  // namespace connector::cli
