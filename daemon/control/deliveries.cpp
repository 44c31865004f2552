#include "daemon/control/deliveries.hpp"

#include <boost/json/object.hpp>

#include <algorithm>
#include <utility>

namespace connector::control {

namespace json = boost::json;

namespace {

using Certificate = ports::DeliveredImport::Certificate;

json::object named(const Certificate& certificate) {
    json::object row;
    row["thumbprint"] = certificate.thumbprint.hex();
    row["sha256"] = certificate.sha256.hex();
    row["notBefore"] = to_rfc3339(certificate.not_before);
    row["notAfter"] = to_rfc3339(certificate.not_after);
    return row;
}

bool holds(const ports::DeliveredImport& delivery, const Sha256& certificate) {
    return std::any_of(delivery.certificates.begin(), delivery.certificates.end(),
                       [&](const auto& held) { return held.sha256 == certificate; });
}

json::array missing(const ports::DeliveredImport& delivery, const std::vector<ports::DeliveredImport>& all) {
    json::array rows;
    for (const auto& omitted : delivery.omitted) {
        json::object row;
        row["thumbprint"] = omitted.thumbprint;
        row["code"] = omitted.code;
        row["reason"] = omitted.message;
        rows.push_back(std::move(row));
    }
    std::vector<Sha256> told;
    for (const auto& other : all) {
        if (other.user != delivery.user || other.purpose != delivery.purpose || other.device == delivery.device)
            continue;
        for (const auto& certificate : other.certificates) {
            const bool was_left_out =
                std::any_of(delivery.omitted.begin(), delivery.omitted.end(),
                            [&](const auto& omitted) { return omitted.thumbprint == certificate.thumbprint.hex(); });
            if (was_left_out || holds(delivery, certificate.sha256) ||
                std::find(told.begin(), told.end(), certificate.sha256) != told.end())
                continue;
            told.push_back(certificate.sha256);
            json::object row = named(certificate);
            row["code"] = "notDelivered";
            row["reason"] = "device " + other.device.text() + " has it; this one's last delivery did not include it";
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

}  // namespace

json::array deliveries_json(const std::vector<ports::DeliveredImport>& deliveries) {
    json::array rows;
    for (const auto& delivery : deliveries) {
        json::object row;
        row["device"] = delivery.device.text();
        row["purpose"] = request::to_string(delivery.purpose);
        row["user"] = delivery.user.text();
        row["userPrincipalName"] = delivery.user_principal_name;
        row["lastRequest"] = delivery.request.text();
        row["lastDeliveredAt"] = to_rfc3339(delivery.delivered_at);
        row["inLastDelivery"] = delivery.in_last;
        json::array certificates;
        for (const auto& certificate : delivery.certificates) {
            json::object one = named(certificate);
            one["firstDeliveredAt"] = to_rfc3339(certificate.first_at);
            one["deliveredAt"] = to_rfc3339(certificate.delivered_at);
            one["inLastDelivery"] = certificate.delivered_at == delivery.delivered_at;
            certificates.push_back(std::move(one));
        }
        row["certificates"] = std::move(certificates);
        row["missing"] = missing(delivery, deliveries);
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace connector::control
