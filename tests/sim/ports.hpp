// A process's own faces of the world: where calls are delayed, lost and repeated, and where the process may end.
#pragma once

#include "core/ports/authority.hpp"
#include "core/ports/event_sink.hpp"
#include "core/ports/management_api.hpp"
#include "core/ports/offload.hpp"
#include "core/ports/packager.hpp"
#include "core/ports/telemetry.hpp"
#include "tests/sim/authority.hpp"
#include "tests/sim/process.hpp"

namespace connector::sim {

// What a call comes to whose process is no more, or is told to end.
[[nodiscard]] inline Error cut_off() {
    return {ErrorKind::cancelled, "cancelled", "we are stopping"};
}
// Whoever calls over the network waits so long for an answer.
inline constexpr std::chrono::seconds k_call_timeout{30};

class Process::Events final : public ports::EventSink {
public:
    explicit Events(Process& process) : process_(process) {}
    void raise(const Event& event) override;

private:
    Process& process_;
    World& world_ = process_.world;
};

// Jobs run when their simulated time is over, in whatever order that gives.
class Process::Pool final : public ports::Offload {
public:
    Pool(Process& process, Random random) : process_(process), random_(random) {}
    std::size_t waiting() const override { return 0; }

protected:
    boost::asio::awaitable<void> post(std::function<void()> work) override;

private:
    Process& process_;
    World& world_ = process_.world;
    Random random_;
};

class Process::Packages final : public ports::Packager {
public:
    explicit Packages(Process& process) : process_(process) {}
    Result<Bytes> package(const trust::Recipient& recipient, ports::PackageContent content) const override;

private:
    Process& process_;
    World& world_ = process_.world;
};

// Every unwrapping is one that the judge sees.
class Process::Keys final : public ports::KeyService {
public:
    explicit Keys(Process& process) : process_(process) {}
    bool has(std::string_view provider, std::string_view key_name) const override;
    Result<SecretBytes> unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                               ports::OaepHash hash) const override;

private:
    Process& process_;
};

// Every PFX that is parsed is one that the judge sees.
class Process::Opener final : public ports::PfxOpener {
public:
    explicit Opener(Process& process) : process_(process) {}
    Result<ports::Identity> open_pfx(ByteView pfx, const SecretBytes& password) const override;

private:
    Process& process_;
};

class Process::Silence final : public ports::Telemetry {
public:
    void request_ended(request::Kind, std::string_view, std::chrono::duration<double>) override {}
    void stage_took(request::Stage, std::chrono::duration<double>) override {}
    void refused(std::string_view) override {}
    void authority_request(std::string_view, std::string_view) override {}
    void management_request(std::string_view, std::string_view) override {}
};

class Process::Management final : public ports::ManagementApi, public ports::ImportSource {
public:
    Management(Process& process, Random random) : process_(process), random_(random) {}
    ports::Async<ports::LeaseAnswer> lease(std::size_t max_requests, std::chrono::seconds wait,
                                           std::vector<request::Kind> kinds, std::string key) override;
    ports::Async<ports::RenewAnswer> renew_leases(std::vector<LeaseId> leases) override;
    ports::Async<std::vector<ports::ResultOutcome>> report(std::vector<ports::ResultMessage> results) override;
    ports::Async<void> heartbeat(ports::Heartbeat beat) override;
    ports::Async<ports::ImportedHistory> fetch(UserId user, request::Purpose purpose, LeaseId lease,
                                               std::string etag) override;

private:
    [[nodiscard]] Fate fate_of(Point point);
    // Whether what goes there is, or repeats, an order.
    [[nodiscard]] bool orders(Point point) const;
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> go(Point point, const Fate& fate);
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> come_back(Point point, const Fate& fate);
    void again(const Fate& fate, std::function<void()> call);

    Process& process_;
    World& world_ = process_.world;
    Random random_;
};

class Process::AuthorityPort final : public ports::Authority {
public:
    AuthorityPort(Process& process, SimAuthority& authority, std::size_t index, Random random)
        : process_(process), authority_(authority), index_(index), random_(random) {}
    const std::string& name() const noexcept override { return authority_.options().name; }
    ports::AuthorityTraits traits() const override;
    bool has_template(const std::optional<std::string>& alias) const override { return !alias; }
    ports::Async<ports::AuthorityAnswer> submit(ports::Submission submission) override;
    ports::Async<ports::AuthorityAnswer> poll(std::string authority_request_id) override;
    ports::Async<std::optional<ports::AuthorityAnswer>> find(ports::Submission submission) override;
    // Counted as a look: the figures that a seed draws hang on the number of points.
    ports::Async<std::vector<Bytes>> issuers(std::optional<std::string> template_alias) override;
    ports::Async<void> probe() override { co_return Result<void>(); }
    ports::Async<void> revoke(ports::Revocation revocation) override;

private:
    [[nodiscard]] Fate fate_of(bool submits);
    // Whether what goes there is, or repeats, an order.
    [[nodiscard]] bool orders(Point point) const;
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> go(Point point, const Fate& fate);
    // `arrived`: what it means that no answer came.
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> come_back(Point point, const Fate& fate,
                                                                         ErrorKind arrived);
    [[nodiscard]] UtcTime utc() const;
    void told(const Result<ports::AuthorityAnswer>& answer, const Bytes& csr);
    // What the engine sees of a dead authority: it may look in once in a while, one at a time.
    void knocks(Point point);
    void left(const std::optional<Error>& error);

    Process& process_;
    World& world_ = process_.world;
    SimAuthority& authority_;
    std::size_t index_;
    Random random_;
    std::size_t inside_ = 0;
    unsigned failures_ = 0;  // in a row
    Tick failed_at_{};
};

}  // namespace connector::sim
