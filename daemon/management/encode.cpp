// What the connector says, written without a tree in between: results can be large.
#include "core/crypto/encoding.hpp"
#include "core/name.hpp"
#include "core/printable.hpp"
#include "daemon/management/json.hpp"
#include "daemon/management/wire.hpp"

#include <algorithm>

namespace connector::management {
namespace {

using json::Writer;

constexpr std::size_t k_longest_text = 500;  // "texts ≤ 512 printable characters", with room for the mark of a cut

void write_kinds(Writer& out, const std::vector<request::Kind>& kinds) {
    out.open('[');
    for (const request::Kind kind : kinds) out.text(request::to_string(kind));
    out.close(']');
}

Error unwritable(const RequestId& id, std::string_view why) {
    return Error(ErrorKind::invalid, "resultsRefused",
                 "result of " + id.text() + " cannot be written: " + printable(why, 400));
}

void write_certificate(Writer& out, const request::DeliveredCertificate& delivered, const CertificateFacts& facts) {
    out.open('{');
    out.key("thumbprint").octets(facts.thumbprint.hex());
    out.key("sha256").octets(facts.sha256.hex());
    out.key("serialNumber").text(facts.serial_number);
    out.key("issuer").text(to_text(facts.issuer));
    out.key("subject").text(to_text(facts.subject));
    out.key("notBefore").octets(to_rfc3339(facts.not_before));
    out.key("notAfter").octets(to_rfc3339(facts.not_after));
    if (delivered.renew_after) out.key("renewAfter").octets(to_rfc3339(*delivered.renew_after));
    out.key("certificate").octets(crypto::to_base64(delivered.der));
    out.close('}');
}

Result<void> write_delivered(Writer& out, const RequestId& id, const request::Package& package,
                             const Inspect& inspect) {
    out.key("status").octets("delivered");
    out.key("certificates").open('[');
    for (const auto& certificate : package.certificates) {
        const auto facts = inspect(certificate.der);
        if (!facts) return unwritable(id, facts.error().message);
        write_certificate(out, certificate, *facts);
    }
    out.close(']');
    out.key("chain").open('[');
    for (const Bytes& issuer : package.chain) out.octets(crypto::to_base64(issuer));
    out.close(']');
    // A record whose thumbprint cannot be read has no name in a result; the events tell of it.
    const auto named = [](const request::Omitted& omitted) { return !omitted.thumbprint.empty(); };
    if (std::any_of(package.omitted.begin(), package.omitted.end(), named)) {
        out.key("omitted").open('[');
        for (const auto& omitted : package.omitted) {
            if (!named(omitted)) continue;
            out.open('{');
            out.key("thumbprint").text(omitted.thumbprint);
            out.key("code").text(omitted.code);
            out.key("message").text(printable(omitted.message, k_longest_text));
            out.close('}');
        }
        out.close(']');
    }
    out.key("delivery").open('{').key("format").octets(request::to_string(package.format));
    switch (package.format) {
        case request::DeliveryFormat::cms: out.key("envelope").octets(crypto::to_base64(package.envelope)); break;
        case request::DeliveryFormat::apple_profile:
            out.key("profile").octets(crypto::to_base64(package.envelope));
            break;
        // Its identities need fields of their own in Package; the packager does not make it yet.
        case request::DeliveryFormat::windows_csp: return unwritable(id, "windowsCsp is not built");
    }
    out.close('}');
    return {};
}

void write_failure(Writer& out, const request::Failure& failure) {
    out.key("status").octets("failed").key("error").open('{');
    out.key("code").text(failure.code);
    out.key("message").text(printable(failure.message, k_longest_text));
    out.key("retryable").boolean(failure.retryable);
    if (failure.authority_status) out.key("authorityStatus").text(printable(*failure.authority_status, k_longest_text));
    out.close('}');
}

}  // namespace

std::string encode_lease(std::size_t max_requests, std::chrono::seconds wait, const std::vector<request::Kind>& kinds) {
    Writer out;
    out.open('{');
    out.key("maxRequests").number(max_requests);
    out.key("waitSeconds").number(static_cast<std::uint64_t>(wait.count() < 0 ? 0 : wait.count()));
    out.key("kinds");
    write_kinds(out, kinds);
    out.close('}');
    return out.take();
}

std::string encode_lease_renewal(const std::vector<LeaseId>& leases) {
    Writer out;
    out.open('{').key("leases").open('[');
    for (const LeaseId& lease : leases) out.text(lease.text());
    out.close(']').close('}');
    return out.take();
}

std::string encode_heartbeat(const ports::Heartbeat& beat) {
    Writer out;
    out.open('{');
    out.key("version").text(beat.version);
    out.key("startedAt").octets(to_rfc3339(beat.started_at));
    out.key("state").text(ports::to_string(beat.state));
    out.key("pending").number(beat.pending);
    out.key("inFlight").number(beat.in_flight);
    out.key("held").number(beat.held);
    out.key("delivered").number(beat.delivered);
    out.key("failed").number(beat.failed);
    out.key("oldestPendingSeconds").number(beat.oldest_pending_seconds);
    out.key("frozen").open('[');
    for (const std::string& kind : beat.frozen) out.text(kind);
    out.close(']');
    out.key("authorities").open('[');
    for (const auto& authority : beat.authorities) {
        out.open('{').key("name").text(authority.name).key("state").text(authority.state).close('}');
    }
    out.close(']');
    if (beat.certificate_expires_at) out.key("certificateExpiresAt").octets(to_rfc3339(*beat.certificate_expires_at));
    out.close('}');
    return out.take();
}

Result<std::string> encode_result(const ports::ResultMessage& message, const Inspect& inspect) {
    Writer out;
    out.open('{');
    out.key("requestId").text(message.request.text());
    out.key("leaseId").text(message.lease.text());
    if (message.delivered) {
        if (const auto written = write_delivered(out, message.request, *message.delivered, inspect); !written)
            return written.error();
    } else if (message.failed) {
        write_failure(out, *message.failed);
    } else if (message.completed) {
        out.key("status").octets("completed");
    } else {
        return unwritable(message.request, "it says nothing");
    }
    out.close('}');
    return out.take();
}

std::string encode_results(const std::vector<std::string>& elements) {
    Writer out;
    out.open('{').key("results").open('[');
    for (const std::string& element : elements) out.raw(element);
    out.close(']').close('}');
    return out.take();
}

std::string encode_enrolment(const EnrolmentOrder& order) {
    Writer out;
    out.open('{');
    out.key("name").text(order.name);
    out.key("version").text(order.version);
    out.key("platform").text(order.platform);
    out.key("csr").pem(order.csr);
    out.key("features");
    write_kinds(out, order.features);
    if (order.connector) out.key("connectorId").text(order.connector->text());
    out.close('}');
    return out.take();
}

std::string encode_certificate_renewal(std::string_view csr_pem) {
    Writer out;
    out.open('{').key("csr").pem(csr_pem).close('}');
    return out.take();
}

std::string encode_imported_record(const trust::ImportedRecord& record) {
    Writer out;
    out.open('{');
    out.key("thumbprint").text(record.thumbprint);
    out.key("intendedPurpose").text(request::to_string(record.purpose));
    out.key("userPrincipalName").text(record.user_principal_name);
    out.key("startDateTime").octets(to_rfc3339(record.start));
    out.key("expirationDateTime").octets(to_rfc3339(record.expiration));
    out.key("providerName").text(record.provider_name);
    out.key("keyName").text(record.key_name);
    out.key("paddingScheme").text(record.padding_scheme);
    out.key("encryptedPfxBlob").octets(crypto::to_base64(record.pfx));
    out.key("encryptedPfxPassword").octets(crypto::to_base64(record.wrapped_password));
    if (!record.importer_signature.empty())
        out.key("importerSignature").octets(crypto::to_base64(record.importer_signature));
    out.close('}');
    return out.take();
}

}  // namespace connector::management
