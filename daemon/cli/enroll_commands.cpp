// enroll: the connector's own certificate.
#include "config/credentials.hpp"
#include "config/loader.hpp"
#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/password.hpp"
#include "daemon/cli/service.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "daemon/enrolment/renewal.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/management/enrolment.hpp"

#include <boost/json/object.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct EnrollOptions {
    std::string token_file;
    std::string name;
    bool anew = false;
    bool renew = false;
};

std::string host_name() {
    std::array<char, 256> text{};
    if (::gethostname(text.data(), text.size() - 1) != 0 || text[0] == '\0') return "pfx-connector";
    return text.data();
}

enum class Approval { given, needed, unknown };

std::string_view to_string(Approval approval) {
    switch (approval) {
        case Approval::given: return "not needed";
        case Approval::needed: return "needed: an administrator compares the fingerprint with the one at the service";
        case Approval::unknown: return "unknown; `run` will tell";
    }
    return "unknown";
}

Result<net::TlsIdentity> own_identity(const config::Settings& settings) {
    config::SecretRef key;
    key.source = config::SecretRef::Source::file;
    key.path = settings.management.key;
    auto signer = keys::load_signer(settings.management.certificate, key, {});
    if (!signer) return signer.error();
    net::TlsIdentity identity;
    identity.certificates.push_back(std::move(signer->certificate));
    for (Bytes& issuer : signer->chain) identity.certificates.push_back(std::move(issuer));
    identity.key = std::move(signer->pkcs8);
    return identity;
}

Result<void> first_heartbeat(const config::Settings& settings, net::TlsIdentity identity,
                             const CertificateFacts& certificate, UtcTime now) {
    auto service = Service::open(settings, std::move(identity));
    if (!service) return service.error();
    ports::Heartbeat beat;
    beat.version = CONNECTOR_VERSION;
    beat.started_at = now;
    beat.state = ports::State::not_ready;
    beat.certificate_expires_at = certificate.not_after;
    const auto id = ConnectorId::parse(enrolment::only_common_name(certificate));
    if (!id) return Error(ErrorKind::internal, "internal", "a certificate without our id was kept");
    return (*service)->wait(enrolment::first_heartbeat((*service)->http(), (*service)->clock(), settings,
                                                       (*service)->base(), *id, std::move(beat)));
}

// A no to the new one while the one before works is a no. Anything else may have been its first use, after which the
// one before is refused: it is kept.
Error has_not_worked(const config::Settings& settings, const enrolment::Present& present, const Error& fault,
                     UtcTime now) {
    if (fault.kind == ErrorKind::unauthorized) {
        auto identity = own_identity(settings);
        if (identity && first_heartbeat(settings, std::move(*identity), present.certificate, now)) {
            enrolment::drop_candidate(settings);
            return fault.in("the service does not take the new certificate; the one before works on");
        }
    }
    return fault.in(
        "the new certificate has not worked yet; it is kept, and tried by the daemon each minute and by the "
        "next `enroll --renew`");
}

Approval approval_of(const Result<void>& told) {
    if (told) return Approval::given;
    return told.error().code == "notApproved" ? Approval::needed : Approval::unknown;
}

Result<management::Enrolment> first_time(const config::Settings& settings, const std::string& name,
                                         const enrolment::PendingKey& pending, std::shared_ptr<const SecretBytes> token,
                                         const std::optional<enrolment::Present>& present) {
    auto service = Service::open(settings, std::nullopt);
    if (!service) return service.error();
    management::EnrolmentOrder order;
    order.name = name;
    order.version = CONNECTOR_VERSION;
    order.platform = "linux";
    order.csr = pending.csr_pem;
    order.features = settings.connector.kinds;
    if (present) order.connector = ConnectorId::parse(present->connector_id);
    management::EnrolmentClient client((*service)->http(), (*service)->clock(), (*service)->base(),
                                       settings.management.request_timeout);
    return (*service)->wait(client.enrol(std::move(order), std::move(token)));
}

Result<management::Enrolment> renewal(const config::Settings& settings, const enrolment::PendingKey& pending,
                                      const enrolment::Present& present) {
    const auto id = ConnectorId::parse(present.connector_id);
    if (!id)
        return Error(ErrorKind::misconfigured, "notEnrolled",
                     "the connector's certificate does not name one connector");
    auto identity = own_identity(settings);
    if (!identity) return identity.error();
    auto service = Service::open(settings, std::move(*identity));
    if (!service) return service.error();
    management::EnrolmentClient client((*service)->http(), (*service)->clock(), (*service)->base(),
                                       settings.management.request_timeout);
    return (*service)->wait(client.renew(*id, pending.csr_pem));
}

// In the audit log, at the daemon or in the log itself; what could not be noted is told and changes nothing. True where
// a daemon heard of it, which then reads the pair in force.
bool note(const Invocation& call, const json::object& what) {
    const auto loaded = config::load(call.config_file, config::Need::control);
    const std::string_view not_noted = "not noted in the audit log: ";
    if (!loaded.settings) {
        const auto& problems = loaded.problems;
        call.terminal.warning(std::string(not_noted) + (problems.empty()
                                                            ? call.config_file.string() + ": cannot be read"
                                                            : problems.front().text()));
        return false;
    }
    const auto noted = call.environment.call(*loaded.settings, "enrolment.note", what);
    if (noted.exit_code != k_done) call.terminal.warning(std::string(not_noted) + noted.error);
    const auto* object = noted.result.if_object();
    const auto* reloads = object == nullptr ? nullptr : object->if_contains("reloads");
    return reloads != nullptr && reloads->is_bool() && reloads->get_bool();
}

int failed(const Invocation& call, const Error& error) {
    json::object what;
    what["what"] = "failed";
    what["reason"] = error.message;
    note(call, what);
    return call.fail(error);
}

bool a_daemon_runs(const Invocation& call) {
    if (!call.environment.ask_running) return false;
    const auto loaded = config::load(call.config_file, config::Need::control);
    return loaded.settings && call.environment.ask_running(*loaded.settings, "status", {}).has_value();
}

void tell(const Invocation& call, const config::Settings& settings, const std::string& id,
          const CertificateFacts& certificate, Approval approval, bool changed, bool restart) {
    if (call.json) {
        json::object answer;
        answer["connectorId"] = id;
        answer["keySha256"] = certificate.key.spki_sha256.hex();
        answer["certificateSha256"] = certificate.sha256.hex();
        answer["notAfter"] = to_rfc3339(certificate.not_after);
        answer["certificate"] = settings.management.certificate.string();
        answer["approvalNeeded"] =
            approval == Approval::unknown ? json::value() : json::value(approval == Approval::needed);
        answer["changed"] = changed;
        answer["restartNeeded"] = restart;
        call.terminal.json(answer);
        return;
    }
    call.terminal.field("connector", id);
    call.terminal.field("key SHA-256", certificate.key.spki_sha256.hex());
    call.terminal.field("valid until", to_rfc3339(certificate.not_after));
    call.terminal.field("certificate", settings.management.certificate.string());
    call.terminal.field("approval", to_string(approval));
    if (restart)
        call.terminal.field(
            "daemon",
            "reload or restart the daemon now: it runs with the certificate from before, which the service "
            "refuses from now on");
}

// Taken all the same: it comes from elsewhere and is used up with this call.
void warn_of_readers(const Invocation& call, const std::string& token_file) {
    struct stat about {};
    if (::stat(token_file.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        call.terminal.warning(token_file +
                              ": others can read the token there (chmod 0600 the next one); whoever had it "
                              "could have enrolled in our place");
}

int enroll(const Invocation& call, const EnrollOptions& options) {
    const auto settings = call.settings(config::Need::enroll);
    if (!settings) return k_usage;
    if (options.renew == !options.token_file.empty())
        return call.fail_usage("enroll: exactly one of --token-file and --renew is needed");
    const UtcTime now = call.environment.now();
    enrolment::finish_install(*settings);
    const auto present = enrolment::present_certificate(*settings);
    if (options.renew && !present)
        return call.fail(
            Error(ErrorKind::misconfigured, "notEnrolled", "there is no certificate to renew; use --token-file"));
    if (!options.renew && !options.anew && present && now < present->certificate.not_after) {
        call.terminal.warning("enrolled already; nothing was done (--anew enrols the same connector again)");
        tell(call, *settings, present->connector_id, present->certificate, Approval::unknown, false, false);
        return k_done;
    }
    std::shared_ptr<const SecretBytes> token;
    if (!options.renew) {
        auto read = read_secret_line(options.token_file);
        if (!read) return call.fail(read.error());
        warn_of_readers(call, options.token_file);
        token = std::make_shared<const SecretBytes>(std::move(*read));
    }
    const auto owner = enrolment::prepare_state(*settings);
    if (!owner) return call.fail(owner.error());
    std::string name = options.name.empty() ? settings->connector.name : options.name;
    if (name.empty()) name = host_name();
    const auto pending = enrolment::pending_key(*settings, name, *owner);
    if (!pending) return call.fail(pending.error());
    // One that is here already was certified before and has not worked yet.
    auto candidate = options.renew ? enrolment::candidate(*settings) : std::nullopt;
    if (!candidate) {
        const auto answer = options.renew ? renewal(*settings, *pending, *present)
                                          : first_time(*settings, name, *pending, std::move(token), present);
        if (!answer) return failed(call, answer.error());
        auto kept = enrolment::keep_candidate(*settings, *answer, *pending, *owner);
        if (!kept) return failed(call, kept.error());
        candidate.emplace(std::move(*kept));
    }
    if (auto kept = enrolment::keep_present(*settings, *owner); !kept) return failed(call, kept.error());
    Result<void> told;
    if (options.renew) {
        // The one before works on until the service has answered to this one.
        told = first_heartbeat(*settings, enrolment::identity_of(*candidate), candidate->certificate, now);
        if (!told) return failed(call, has_not_worked(*settings, *present, told.error(), now));
    }
    if (auto installed = enrolment::install(*settings); !installed) return failed(call, installed.error());
    if (!options.renew) {
        told = first_heartbeat(*settings, enrolment::identity_of(*candidate), candidate->certificate, now);
        if (approval_of(told) == Approval::unknown)
            call.terminal.warning("enrolled, but the first heartbeat failed: " + told.error().message);
    }
    const std::string id = enrolment::only_common_name(candidate->certificate);
    json::object what;
    what["what"] = options.renew ? "renewed" : "enrolled";
    what["connector"] = id;
    what["key"] = candidate->certificate.key.spki_sha256.hex();
    const bool reloads = note(call, what);
    tell(call, *settings, id, candidate->certificate, approval_of(told), true, !reloads && a_daemon_runs(call));
    return k_done;
}

}  // namespace

void add_enroll_commands(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<EnrollOptions>();
    auto* command = add_command(app, "enroll", "obtains or renews the connector's own certificate",
                                "pfx-connector enroll --token-file token.txt --name connector-1\n"
                                "pfx-connector enroll --renew");
    command->add_option("--token-file", options->token_file, "a file with the one-time token in its first line");
    command->add_option("--name", options->name, "what people call this connector (default: connector.name, the host)");
    command->add_flag("--anew", options->anew, "enrols the same connector again, with a new key");
    command->add_flag("--renew", options->renew, "a new key and certificate by the present one");
    chosen.on(command, [options](const Invocation& call) { return enroll(call, *options); });
}

}  // namespace connector::cli
