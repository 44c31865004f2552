#include "daemon/enrolment/renewal.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "core/event_ids.hpp"
#include "daemon/connection.hpp"
#include "daemon/management/client.hpp"
#include "daemon/management/enrolment.hpp"
#include "daemon/own_certificates.hpp"

#include <utility>

namespace connector::enrolment {

using namespace std::chrono_literals;

namespace {

// Another try may end otherwise with the same key; what is refused for good begins with a new one.
bool passes(ErrorKind kind) noexcept {
    return kind == ErrorKind::unavailable || kind == ErrorKind::timed_out || kind == ErrorKind::throttled ||
           kind == ErrorKind::unknown || kind == ErrorKind::cancelled;
}

struct Found {
    std::optional<Present> present;
    std::shared_ptr<const Candidate> candidate;
};

}  // namespace

ports::Async<void> first_heartbeat(net::HttpClient& http, ports::Clock& clock, const config::Settings& settings,
                                   net::Url service, ConnectorId connector, ports::Heartbeat beat) {
    management::ClientOptions options;
    options.base = std::move(service);
    options.connector = std::move(connector);
    options.timeout = settings.management.request_timeout;
    options.inspect = [](ByteView der) { return crypto::inspect(der); };
    options.sha256 = [](ByteView octets) { return crypto::sha256(octets); };
    management::ManagementClient client(http, clock, std::move(options));
    auto telling = client.heartbeat(std::move(beat));
    co_return co_await std::move(telling);
}

net::TlsIdentity identity_of(const Candidate& candidate) {
    net::TlsIdentity identity;
    identity.certificates = candidate.certificates;
    if (auto key = candidate.key.to_pem()) identity.key = std::move(*key);
    return identity;
}

boost::asio::awaitable<void> Renewal::run(const bool& ending) {
    auto& clock = parts_.clock;
    while (!ending) {
        if (clock.tick() >= next_look_) {
            next_look_ = clock.tick() + 1min;
            auto looking = look();
            co_await std::move(looking);
        }
        co_await clock.wait_until(clock.tick() + 1s);
    }
}

boost::asio::awaitable<void> Renewal::look() {
    const auto settings = parts_.settings();
    auto job = [settings]() -> Result<Found> {
        finish_install(*settings);
        Found found{present_certificate(*settings), nullptr};
        if (auto kept = candidate(*settings)) found.candidate = std::make_shared<const Candidate>(std::move(*kept));
        return found;
    };
    auto finding = parts_.offload.run(std::move(job));
    const auto found = co_await std::move(finding);
    if (!found || !found->present) co_return;  // nothing to renew: what it was started with has been taken away
    const auto& facts = found->present->certificate;
    // Put in place by `enroll`, or by us when the reload failed: the one in use is refused.
    if (facts.sha256 != parts_.in_use()) parts_.installed();
    auto candidate = found->candidate;
    // A no to it, and the service has taken the one in force since: it is a no.
    if (candidate && std::exchange(refused_, false) && parts_.works()) {
        drop_candidate(*settings);
        co_return;
    }
    std::optional<Error> fault;
    if (!candidate) {
        const auto now = parts_.clock.utc();
        const bool named = found->present->renew_after && now >= *found->present->renew_after;
        const bool soon = daemon::ends_soon({"connector", facts.not_before, facts.not_after}, now);
        if ((!named && !soon) || parts_.clock.tick() < next_order_) co_return;
        next_order_ = parts_.clock.tick() + 1h;
        auto ordering = order(settings);
        auto ordered = co_await std::move(ordering);
        if (ordered)
            candidate = std::make_shared<const Candidate>(std::move(*ordered));
        else
            fault = ordered.error();
    }
    if (candidate) {
        auto putting = put_in_force(settings, candidate);
        const auto put = co_await std::move(putting);
        if (!put) fault = put.error();
    }
    if (fault) {
        parts_.events.raise(Event(event::k_renewal_failed)
                                .with("code", fault->code)
                                .with("reason", fault->message)
                                .with("not_after", to_rfc3339(facts.not_after)));
        co_return;
    }
    parts_.events.raise(Event(event::k_connector_renewed)
                            .with("connector", parts_.connector.text())
                            .with("key", candidate->certificate.key.spki_sha256.hex())
                            .with("not_after", to_rfc3339(candidate->certificate.not_after)));
    parts_.installed();
}

ports::Async<Candidate> Renewal::order(std::shared_ptr<const config::Settings> settings) {
    auto making = parts_.offload.run([settings, name = parts_.connector.text()]() -> Result<std::string> {
        const auto owner = prepare_state(*settings);
        if (!owner) return owner.error();
        auto pending = pending_key(*settings, name, *owner);
        if (!pending) return pending.error();
        return std::move(pending->csr_pem);
    });
    auto csr = co_await std::move(making);
    if (!csr) co_return csr.error();
    const auto service = net::parse_url(settings->management.url);
    if (!service) co_return service.error();
    management::EnrolmentClient client(parts_.http, parts_.clock, *service, settings->management.request_timeout);
    auto asking = client.renew(parts_.connector, std::move(*csr));
    auto answer = co_await std::move(asking);
    if (!answer) {
        if (!passes(answer.error().kind) && answer.error().kind != ErrorKind::unauthorized) drop_request(*settings);
        co_return answer.error();
    }
    auto keeping = parts_.offload.run(
        [settings, name = parts_.connector.text(),
         given = std::make_shared<const management::Enrolment>(std::move(*answer))]() -> Result<Candidate> {
            const auto owner = prepare_state(*settings);
            if (!owner) return owner.error();
            const auto pending = pending_key(*settings, name, *owner);
            if (!pending) return pending.error();
            auto kept = keep_candidate(*settings, *given, *pending, *owner);
            if (!kept) drop_request(*settings);
            return kept;
        });
    co_return co_await std::move(keeping);
}

ports::Async<void> Renewal::put_in_force(std::shared_ptr<const config::Settings> settings,
                                         std::shared_ptr<const Candidate> candidate) {
    auto connecting = parts_.offload.run([settings, candidate]() -> Result<daemon::Connection> {
        const auto owner = prepare_state(*settings);
        if (!owner) return owner.error();
        if (auto kept = keep_present(*settings, *owner); !kept) return kept.error();
        return daemon::connection_of(settings->management, identity_of(*candidate));
    });
    auto connection = co_await std::move(connecting);
    if (!connection) co_return connection.error();
    net::TlsHttpClient http(parts_.clock, parts_.resolver, std::move(connection->tls), std::move(connection->proxy),
                            "pfx-connector/" CONNECTOR_VERSION);
    auto beat = parts_.beat();
    beat.certificate_expires_at = candidate->certificate.not_after;
    auto trying = first_heartbeat(http, parts_.clock, *settings, std::move(connection->service), parts_.connector,
                                  std::move(beat));
    const auto worked = co_await std::move(trying);
    if (!worked) {
        refused_ = worked.error().kind == ErrorKind::unauthorized;
        co_return worked.error();
    }
    refused_ = false;
    auto installing = parts_.offload.run([settings] { return install(*settings); });
    co_return co_await std::move(installing);
}

}  // namespace connector::enrolment
