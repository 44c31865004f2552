// EnrolmentClient: how the connector gets and renews its own certificate.
// The token is used up by the first success; the same token with the same CSR gives the same answer for ten minutes, so
// that a lost answer may be asked for again. Follows the management API, "Enrolment". On the caller's executor.
#pragma once

#include "core/ports/clock.hpp"
#include "daemon/management/wire.hpp"
#include "daemon/net/http_client.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace connector::management {

class EnrolmentClient {
public:
    EnrolmentClient(net::HttpClient& http, ports::Clock& clock, net::Url base, std::chrono::seconds timeout);

    // POST /connectors, without a client certificate. kind unauthorized: the token is wrong, used or too old.
    [[nodiscard]] ports::Async<Enrolment> enrol(EnrolmentOrder order, std::shared_ptr<const SecretBytes> token);
    // POST /connectors/{id}/certificate, with the present certificate. kind unauthorized: as ManagementClient.
    [[nodiscard]] ports::Async<Enrolment> renew(ConnectorId connector, std::string csr_pem);

private:
    net::HttpClient& http_;
    ports::Clock& clock_;
    net::Url base_;
    std::chrono::seconds timeout_;
};

}  // namespace connector::management
