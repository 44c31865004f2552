// import scan: what a folder of PFX files holds, before anybody decides whose they are. Needs no configuration and
// sends nothing.
#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/pfx.hpp"
#include "core/crypto/pfx_outline.hpp"
#include "core/text.hpp"
#include "daemon/cli/confined_folder.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/cli/pfx_fault.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/importer/bulk_rows.hpp"
#include "daemon/parser/parser_process.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

namespace connector::cli {
namespace json = boost::json;
namespace {

constexpr std::size_t k_deepest = 4;

struct ScanOptions {
    std::string folder;
    PasswordChoice password;
};

struct Scanned {
    std::string file;
    std::optional<crypto::PfxOutline> outline;
    std::optional<CertificateFacts> certificate;
    std::vector<std::string> mailboxes;
    std::vector<std::string> purposes;
    std::string opens;  // yes, no, -: no password was there
    std::string problem;
};

std::vector<std::string> purposes_of(const CertificateFacts& certificate) {
    std::vector<std::string> fitting;
    for (const auto purpose :
         {request::Purpose::smime_encryption, request::Purpose::smime_signing, request::Purpose::wifi})
        if (trust::check_purpose(certificate, purpose)) fitting.emplace_back(request::to_string(purpose));
    return fitting;
}

// FILE.password, else `password` beside it or above it: as import add --folder looks for it.
std::string password_of(const std::string& file, const std::set<std::string, std::less<>>& names) {
    if (names.contains(file + ".password")) return file + ".password";
    for (auto slash = file.rfind('/'); slash != std::string::npos && slash != 0; slash = file.rfind('/', slash - 1)) {
        std::string place = file.substr(0, slash + 1) + "password";
        if (names.contains(place)) return place;
    }
    return {};
}

Scanned scan_file(const ConfinedFolder& folder, const ports::PfxOpener& opener, const std::string& file,
                  const std::string& password_file, const std::optional<SecretBytes>& common) {
    const crypto::OpenSslCrypto crypto;
    Scanned scanned;
    scanned.file = file;
    scanned.opens = "-";
    const auto fault = [&](std::string why) {
        scanned.problem = std::move(why);
        return std::move(scanned);
    };
    const auto pfx = folder.read(file, crypto::k_pfx_largest);
    if (!pfx) return fault(pfx.error().message);
    if (pfx->empty()) return fault("the file is empty");
    auto outline = crypto::outline_pfx(*pfx);
    if (!outline) return fault(outline.error().message);
    scanned.outline = std::move(*outline);
    if (auto beyond = scanned.outline->beyond_limits(); !beyond.empty()) return fault(std::move(beyond));
    std::optional<SecretBytes> own;
    if (!password_file.empty()) {
        auto read = folder.read_password(password_file);
        if (!read) return fault(read.error().message);
        own = std::move(*read);
    }
    if (!own && !common) return scanned;
    scanned.opens = "no";
    const auto identity = opener.open_pfx(*pfx, own ? *own : *common);
    if (!identity) return fault(explain_pfx_fault(identity.error(), *pfx).message);
    scanned.opens = "yes";
    auto facts = crypto.inspect(identity->certificate);
    if (!facts) return fault(facts.error().message);
    scanned.mailboxes = trust::mailboxes_of(*facts);
    scanned.purposes = purposes_of(*facts);
    if (scanned.purposes.empty()) scanned.problem = "fits no purpose but unassigned";
    scanned.certificate = std::move(*facts);
    return scanned;
}

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    for (const std::string& text : texts) array.push_back(json::value(text));
    return array;
}

std::string ciphers_of(const crypto::PfxOutline& outline) {
    std::vector<std::string> names;
    for (const auto& layer : outline.layers)
        if (std::find(names.begin(), names.end(), layer.algorithm) == names.end()) names.push_back(layer.algorithm);
    return joined(names);
}

json::object to_json(const Scanned& scanned) {
    json::object row;
    row["file"] = scanned.file;
    row["opens"] = scanned.opens == "-" ? json::value() : json::value(scanned.opens == "yes");
    row["problem"] = scanned.problem.empty() ? json::value() : json::value(scanned.problem);
    if (scanned.outline) {
        row["mac"] = scanned.outline->mac;
        row["macIterations"] = scanned.outline->mac_iterations;
        json::array layers;
        for (const auto& layer : scanned.outline->layers) {
            json::object one;
            one["holds"] = layer.holds;
            one["algorithm"] = layer.algorithm;
            one["iterations"] = layer.iterations;
            layers.push_back(std::move(one));
        }
        row["encryption"] = std::move(layers);
    }
    if (scanned.certificate) {
        row["thumbprint"] = scanned.certificate->thumbprint.hex();
        row["sha256"] = scanned.certificate->sha256.hex();
        row["subject"] = to_text(scanned.certificate->subject);
        row["issuer"] = to_text(scanned.certificate->issuer);
        row["notBefore"] = to_rfc3339(scanned.certificate->not_before);
        row["notAfter"] = to_rfc3339(scanned.certificate->not_after);
        row["mailboxes"] = array_of(scanned.mailboxes);
        row["purposes"] = array_of(scanned.purposes);
    }
    return row;
}

int scan(const Invocation& call, const ScanOptions& options) {
    const auto folder = ConfinedFolder::open(options.folder);
    if (!folder) return call.fail(folder.error());
    const auto files = folder->files(k_deepest, k_most_files);
    if (!files) return call.fail(files.error());
    std::optional<SecretBytes> common;
    if (options.password.given()) {
        auto password = read_password(options.password);
        if (!password) return call.fail(password.error());
        common = std::move(*password);
    }
    const std::set<std::string, std::less<>> names(files->begin(), files->end());
    std::size_t problems = 0;
    json::array answers;
    Table table({"file", "opens", "mac", "encryption", "iterations", "until", "mailboxes", "fits", "problem"});
    const parser::ParserProcess opener;
    for (const std::string& file : *files) {
        if (!importer::is_pfx_name(file)) continue;
        const Scanned scanned = scan_file(*folder, opener, file, password_of(file, names), common);
        if (!scanned.problem.empty()) ++problems;
        answers.push_back(to_json(scanned));
        const auto& outline = scanned.outline;
        table.add({file, scanned.opens, outline ? outline->mac : "-", outline ? ciphers_of(*outline) : "-",
                   outline ? std::to_string(outline->most_iterations()) : "-",
                   scanned.certificate ? time_text(to_rfc3339(scanned.certificate->not_after), Shown::date) : "-",
                   scanned.certificate ? joined(scanned.mailboxes) : "-", joined(scanned.purposes), scanned.problem});
    }
    if (call.json) {
        json::object answer;
        answer["files"] = std::move(answers);
        call.terminal.json(answer);
    } else if (table.empty()) {
        call.terminal.line("no PFX file (.pfx, .p12) there");
    } else {
        table.print(call.terminal);
    }
    return problems == 0 ? k_done : k_fault_found;
}

}  // namespace

void add_import_scan_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<ScanOptions>();
    auto* command = add_command(import_group, "scan",
                                "lists the PFX files of a folder: ciphers and costs without a password, and with one "
                                "whose they are and what they fit; exit 3 if one cannot be imported",
                                "pfx-connector import scan old-exports\n"
                                "pfx-connector import scan history --password-file pw.txt --json");
    command->add_option("DIR", options->folder, "a folder, looked through four levels down")->required();
    auto* password = command->add_option_group(
        "password", "for files without FILE.password, or `password` in their folder or one above");
    password->add_option("--password-file", options->password.file, "the PFX password is that file's first line");
    password->add_flag("--password-stdin", options->password.standard_input,
                       "the PFX password is the first line of standard input; a terminal does not show it");
    password->require_option(0, 1);
    chosen.on(command, [options](const Invocation& call) { return scan(call, *options); });
}

}  // namespace connector::cli
