// ManagementClient: the running connector's calls to the management service, one exchange each, no retry inside.
// Mutual TLS; the connector id stands in the path. Follows the management API, version 1.
// kind unauthorized: 401, 403, 404 on the own path, `code` the problem's own word where it has one (notApproved).
// throttled: 429 and 503, with retry_after of at most an hour. unavailable: other 5xx. invalid, code resultsRefused:
// 400, 413 or 422 on results. invalid, code requestRejected: another 4xx. invalid, code answerInvalid or
// answerTooLarge: not of the API. Texts of the service stand in errors only printable and cut. On cc-io.
#pragma once

#include "core/ports/clock.hpp"
#include "core/ports/management_api.hpp"
#include "daemon/management/wire.hpp"
#include "daemon/net/http_client.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::management {

// `call`: lease, leaseRenew, results, heartbeat, imports; `code`: the status as digits, or the error's code.
using CallObserver = std::function<void(std::string_view call, std::string_view code)>;

struct ClientOptions {
    net::Url base;                     // management.url
    ConnectorId connector;             // our certificate's only CN
    std::chrono::seconds timeout{30};  // request_timeout_seconds; for lease plus the wait
    Inspect inspect;                   // core/crypto's inspect
    Hash sha256;
    CallObserver observe;  // for the metrics; may be empty

    ClientOptions() = default;
};

class ManagementClient final : public ports::ManagementApi, public ports::ImportSource {
public:
    // Borrows both; they outlive it.
    ManagementClient(net::HttpClient& http, ports::Clock& clock, ClientOptions options);

    [[nodiscard]] ports::Async<ports::LeaseAnswer> lease(std::size_t max_requests, std::chrono::seconds wait,
                                                         std::vector<request::Kind> kinds, std::string key) override;
    [[nodiscard]] ports::Async<ports::RenewAnswer> renew_leases(std::vector<LeaseId> leases) override;
    // Sent in bodies of at most 1 MiB (one larger result alone, up to 16 MiB). Where a later body fails, what the
    // earlier ones brought is returned: a missing outcome is asked for again.
    [[nodiscard]] ports::Async<std::vector<ports::ResultOutcome>> report(
        std::vector<ports::ResultMessage> results) override;
    [[nodiscard]] ports::Async<void> heartbeat(ports::Heartbeat beat) override;

    // All pages (at most 100 and 64 MiB). 401: unauthorized. 403 and 404: unavailable, since the lease may be gone.
    [[nodiscard]] ports::Async<ports::ImportedHistory> fetch(UserId user, request::Purpose purpose, LeaseId lease,
                                                             std::string etag) override;

    // What the last heartbeat told, if it told anything.
    [[nodiscard]] const std::vector<KnownConnector>& connectors() const noexcept { return connectors_; }

private:
    [[nodiscard]] net::Request own_call(std::string_view path, std::string body, std::chrono::seconds limit) const;
    [[nodiscard]] ports::Async<net::Response> exchange(std::string_view call, net::Request request);
    [[nodiscard]] ports::Async<std::vector<ports::ResultOutcome>> send_results(std::vector<std::string> elements);

    net::HttpClient& http_;
    ports::Clock& clock_;
    ClientOptions options_;
    std::vector<KnownConnector> connectors_;
};

}  // namespace connector::management
