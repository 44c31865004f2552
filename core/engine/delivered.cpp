#include "core/engine/delivered.hpp"

#include <utility>

namespace connector::engine {

std::optional<ports::DeliveredImport> delivered_import(const request::CertificateRequest& request,
                                                       const request::Package& package, const ports::Crypto& crypto) {
    const auto* order = std::get_if<request::DeliverImported>(&request.order);
    if (order == nullptr) return std::nullopt;
    ports::DeliveredImport delivered;
    delivered.user = request.user.id;
    delivered.user_principal_name = request.user.user_principal_name;
    delivered.device = request.device.id;
    delivered.purpose = order->purpose;
    delivered.request = request.id;
    for (const auto& certificate : package.certificates) {
        auto facts = crypto.inspect(certificate.der);
        if (!facts) continue;  // it was read when it was packed
        delivered.certificates.push_back(
            {facts->sha256, facts->thumbprint, facts->not_before, facts->not_after, {}, {}});
    }
    delivered.omitted = package.omitted;
    return delivered;
}

}  // namespace connector::engine
