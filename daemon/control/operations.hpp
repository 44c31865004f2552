// What an operator may ask and change, apart from how it is asked: one function for each command of the control socket.
// Changes carry the caller's account into the audit log. With a running engine they take effect at once; without one
// they are written into the ledger. On the ledger's executor.
#pragma once

#include "config/settings.hpp"
#include "core/engine/context.hpp"
#include "daemon/audit_log.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::control {

struct Caller {
    std::string account;  // "root", "uid 1000" where it has no name
    bool owner = false;   // root, or the daemon's own account
};

// {sequence,link}, or null before the first line.
[[nodiscard]] boost::json::value anchor_json(const daemon::AuditHead& head);

// A person's freezes and the limits that have tripped.
[[nodiscard]] boost::json::value stops_json(const std::vector<request::Stop>& stops);

using AuthorityTables = std::map<std::string, config::Authority, std::less<>>;

class Operations {
public:
    struct Parts {
        ports::Ledger& ledger;
        ports::EventSink& events;
        ports::Clock& clock;
        const ports::Crypto& crypto;
        engine::Context* engine = nullptr;            // of a running daemon, or nullptr
        std::function<boost::json::object()> status;  // what /healthz says, or a stopped daemon's word
        std::function<boost::json::value()> audit_anchor;
        // What only the daemon's own account and credentials can look at, or of it one authority; empty without a
        // daemon.
        std::function<ports::Async<boost::json::value>(std::optional<std::string> authority)> doctor;
        const AuthorityTables* authorities = nullptr;  // of a running daemon, or nullptr
        request::Limits limits;                        // as configured; a running engine's rules go before
        std::uint32_t approvers = 1;                   // the same
        std::function<void()> reload;                  // of a running daemon, or empty
        std::function<void()> end;                     // the same; drains it, as its service manager would
    };
    explicit Operations(Parts parts) : parts_(std::move(parts)) {}

    // The command's result. kind invalid: usage (exit 2); unavailable, throttled: try again (75); anything else: failed
    // (1).
    [[nodiscard]] ports::Async<boost::json::value> perform(std::string command, boost::json::object arguments,
                                                           Caller caller);

private:
    using Answer = ports::Async<boost::json::value>;
    [[nodiscard]] Answer status();
    [[nodiscard]] Result<boost::json::value> note_enrolment(const boost::json::object& arguments, const Caller& caller);
    [[nodiscard]] Answer list(boost::json::object arguments);
    [[nodiscard]] Answer show(RequestId id);
    [[nodiscard]] Answer retry(RequestId id, Caller caller);
    [[nodiscard]] Answer abandon(RequestId id, Caller caller);
    // Notes an account's word, which counts once; how many accounts have given theirs for the same.
    [[nodiscard]] ports::Async<std::size_t> vote(trust::Vote own);
    [[nodiscard]] Answer approve(RequestId id, std::string key, Caller caller);
    [[nodiscard]] Answer recipients();
    // recipients.cpp
    [[nodiscard]] Answer show_recipient(boost::json::object arguments);
    [[nodiscard]] Answer bind(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer import_recipients(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer forget(boost::json::object arguments, Caller caller);
    [[nodiscard]] ports::Async<boost::json::object> bind_all(std::vector<trust::Pin> pins, bool replace,
                                                             std::string by);
    // `vote` for just this binding.
    [[nodiscard]] ports::Async<std::size_t> words_for(const std::vector<trust::Pin>& pins, bool replace,
                                                      std::string by);
    [[nodiscard]] ports::Async<std::uint64_t> release_devices(std::set<std::string> devices);
    [[nodiscard]] Answer window(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer block(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer issued(boost::json::object arguments);
    [[nodiscard]] Answer note_revoked(boost::json::object arguments, Caller caller);
    // stops.cpp
    [[nodiscard]] Answer limits();
    [[nodiscard]] Answer raise(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer freeze(boost::json::object arguments, Caller caller);
    [[nodiscard]] Answer thaw(boost::json::object arguments, Caller caller);
    [[nodiscard]] ports::Async<std::uint64_t> release_over(std::string limit);
    // clock.cpp
    [[nodiscard]] Answer clock();
    [[nodiscard]] Answer accept_clock(boost::json::object arguments, Caller caller);
    // authorities.cpp
    [[nodiscard]] Answer authorities();
    [[nodiscard]] Answer test_authority(std::string name);
    [[nodiscard]] Answer resume_authority(std::string name, Caller caller);
    [[nodiscard]] ports::Async<std::size_t> hurry(std::string authority);
    [[nodiscard]] Answer deliveries(boost::json::object arguments);
    [[nodiscard]] boost::json::object details(const request::RequestRecord& record) const;
    [[nodiscard]] ports::Async<request::RequestRecord> record(RequestId id);
    [[nodiscard]] ports::Async<request::RequestRecord> change(request::RequestRecord record, request::Outcome outcome);

    [[nodiscard]] std::uint32_t approvers() const noexcept;
    [[nodiscard]] const request::Limits& limits_in_force() const noexcept;

    Parts parts_;
};

}  // namespace connector::control
