// sealing, delivery-key: the keys of the daemon itself.
#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/keys/delivery_key.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/import_keys.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/keys/sealer.hpp"

#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

int create_sealing(const Invocation& call, const std::string& file) {
    if (file.empty()) return call.fail_usage("FILE: a name is needed");
    const fs::path place = fs::absolute(file);
    const SecretBytes key = crypto::random_secret(keys::k_sealing_key_size);
    const auto owner = keys::owner_of(place.parent_path());
    if (auto made = keys::write_new_file(place, key.view(), 0600, owner); !made) return call.fail(made.error());
    const std::string toml = "[sealing]\nkey = " + keys::toml_string("file:" + place.string()) + "\n";
    if (call.json) {
        json::object answer;
        answer["file"] = place.string();
        answer["configuration"] = toml;
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.field("sealing key", place.string() + " (32 octets, 0600)");
    call.terminal.line("Keep a copy off this machine: without it the database cannot be read.");
    call.terminal.line("Put into the configuration (or hand it over as a systemd credential):");
    call.terminal.line("");
    call.terminal.lines(toml);
    return k_done;
}

struct DeliveryOptions {
    std::string key_file;
    std::string certificate;
    std::string csr;
    std::string name = "PFX connector delivery";
    std::string key_type = "ecP256";
    unsigned days = 1825;
    std::string out;
};

int create_delivery(const Invocation& call, const DeliveryOptions& options) {
    keys::DeliveryKeyOrder order;
    order.name = options.name;
    order.days = options.days;
    const auto type = parse_key_type(options.key_type);
    if (!type) return call.fail_usage("--key-type: rsa2048, rsa3072, rsa4096, ecP256 or ecP384");
    order.type = *type;
    order.key_file = options.key_file;
    if (options.key_file.empty()) {
        const auto settings = call.settings(config::Need::control);
        if (!settings) return k_usage;
        order.key_file = settings->storage.directory / "delivery.key";
    }
    order.key_file = fs::absolute(order.key_file);
    order.certificate_file =
        options.certificate.empty() ? order.key_file.parent_path() / "delivery.crt" : fs::absolute(options.certificate);
    if (!options.csr.empty()) order.csr_file = fs::absolute(options.csr);
    const auto made = keys::create_delivery_key(order, call.environment.now());
    if (!made) return call.fail(made.error());
    const std::string toml = "[delivery]\ncertificate = " + keys::toml_string(order.certificate_file.string()) +
                             "\nkey = " + keys::toml_string("file:" + order.key_file.string()) + "\n";
    if (call.json) {
        json::object answer;
        answer["key"] = order.key_file.string();
        answer["keySha256"] = made->spki_sha256.hex();
        answer["configuration"] = toml;
        if (made->certificate) answer["certificateSha256"] = made->certificate->sha256.hex();
        if (order.csr_file) answer["csr"] = order.csr_file->string();
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.field("delivery key", order.key_file.string() + " (0600)");
    call.terminal.field("key SHA-256", made->spki_sha256.hex());
    if (made->certificate) {
        call.terminal.field("certificate", order.certificate_file.string());
        call.terminal.field("its SHA-256", made->certificate->sha256.hex() + "  (what devices pin)");
    } else {
        call.terminal.field("request", order.csr_file->string() + "  (for the on-premises CA)");
    }
    call.terminal.line("Put into the configuration:");
    call.terminal.line("");
    call.terminal.lines(toml);
    return k_done;
}

int export_delivery(const Invocation& call, const DeliveryOptions& options) {
    // The certificate alone is read: whoever exports it need not be able to read its key.
    const auto settings = call.settings(config::Need::run);
    if (!settings) return k_usage;
    if (settings->delivery.certificate.empty())
        return call.fail(Error(ErrorKind::misconfigured, "notConfigured",
                               "no [delivery] certificate is configured: the connector's own signs, which devices "
                               "cannot pin; `delivery-key create` makes one"));
    const auto certificates = keys::load_certificates(settings->delivery.certificate);
    if (!certificates) return call.fail(certificates.error());
    const std::string pem = crypto::certificate_to_pem(certificates->front());
    if (!options.out.empty())
        if (auto done = keys::write_new_file(options.out, bytes_of(pem), 0644); !done) return call.fail(done.error());
    const Sha256 name = crypto::sha256(certificates->front());
    if (call.json) {
        json::object answer;
        answer["certificate"] = pem;
        answer["sha256"] = name.hex();
        answer["file"] = options.out.empty() ? json::value(nullptr) : json::value(json::string(options.out));
        call.terminal.json(answer);
        return k_done;
    }
    if (options.out.empty()) {
        call.terminal.lines(pem);
        return k_done;
    }
    call.terminal.field("certificate", options.out);
    call.terminal.field("SHA-256", name.hex());
    return k_done;
}

}  // namespace

void add_key_commands(CLI::App& app, Chosen& chosen) {
    auto* sealing = add_group(app, "sealing", "the key that the database is sealed with");
    auto file = std::make_shared<std::string>();
    auto* create = add_command(*sealing, "create", "32 random octets in a new file",
                               "pfx-connector sealing create /etc/pfx-connector/sealing.key");
    create->add_option("FILE", *file, "a file that is not there yet")->required();
    chosen.on(create, [file](const Invocation& call) { return create_sealing(call, *file); });

    auto* delivery = add_group(app, "delivery-key", "the key that signs packages for devices");
    auto options = std::make_shared<DeliveryOptions>();
    auto* making = add_command(*delivery, "create", "a key, with a certificate that devices pin or a request for a CA",
                               "pfx-connector delivery-key create\n"
                               "pfx-connector delivery-key create --csr delivery.csr --name \"Delivery, Corp\"");
    making->add_option("--key-file", options->key_file, "where the key goes (default: storage.directory/delivery.key)");
    making->add_option("--certificate", options->certificate,
                       "where the certificate goes (default: delivery.crt beside the key)");
    making->add_option("--csr", options->csr, "writes a signing request there instead of a certificate");
    making->add_option("--name", options->name, "common name")->capture_default_str();
    making->add_option("--key-type", options->key_type, "ecP256, ecP384, rsa2048, rsa3072, rsa4096")
        ->capture_default_str();
    making->add_option("--days", options->days, "validity of the certificate")->capture_default_str();
    chosen.on(making, [options](const Invocation& call) { return create_delivery(call, *options); });

    auto* exporting = add_command(*delivery, "export", "the delivery certificate, for devices to pin",
                                  "pfx-connector delivery-key export --out delivery.crt");
    exporting->add_option("--out", options->out, "a new file (default: standard output)");
    chosen.on(exporting, [options](const Invocation& call) { return export_delivery(call, *options); });
}

}  // namespace connector::cli
