#include "daemon/delivery/cms.hpp"

#include "daemon/delivery/json_writer.hpp"

#include <utility>

namespace connector::delivery {

CmsPackager::CmsPackager(const ports::Crypto& crypto, ports::Signer signer) noexcept
    : crypto_(crypto), signer_(std::move(signer)) {}

Result<SecretBytes> inner_message(const ports::PackageContent& content, const DeviceId& device,
                                  const Sha256& recipient_certificate) {
    JsonWriter json;
    json.begin_object();
    json.name("v");
    json.number(1);
    json.name("requestId");
    json.text(content.request_id.text());
    json.name("userId");
    json.text(content.user_id.text());
    json.name("userPrincipalName");
    json.text(content.user_principal_name);
    json.name("deviceId");
    json.text(device.text());
    json.name("recipientSha256");
    json.text(recipient_certificate.hex());
    json.name("purpose");
    json.text(content.purpose);
    json.name("createdAt");
    json.text(to_rfc3339(content.created_at));
    json.name("notAfter");
    json.text(to_rfc3339(content.not_after));
    json.name("sequence");
    json.number(content.sequence);
    json.name("identities");
    json.begin_array();
    for (const ports::PackedIdentity& identity : content.identities) {
        json.begin_object();
        json.name("thumbprint");
        json.text(identity.thumbprint.hex());
        json.name("sha256");
        json.text(identity.sha256.hex());
        json.name("pfx");
        json.base64(identity.pfx.der);
        json.name("password");
        json.text(identity.pfx.password.reveal_text());
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return std::move(json).finish();
}

Result<Bytes> CmsPackager::package(const trust::Recipient& recipient, ports::PackageContent content) const {
    auto message = inner_message(content, recipient.device(), recipient.certificate().sha256);
    if (!message) return message.error();
    auto signed_message = crypto_.sign_attached(message->view(), signer_);
    if (!signed_message) return signed_message.error();
    return crypto_.envelop(signed_message->view(), recipient.certificate().der);
}

}  // namespace connector::delivery
