// What makes a process the one that works on a state directory: the instance lock, the sealing key, the ledger, the log
// and the audit log, opened in this order and closed in the reverse. The daemon has one; a command without a daemon
// too. Made on the main thread; its parts say themselves which thread they are for.
#pragma once

#include "config/settings.hpp"
#include "daemon/audit_log.hpp"
#include "daemon/keys/sealer.hpp"
#include "daemon/log_sink.hpp"
#include "storage/async_ledger.hpp"
#include "storage/instance_lock.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace connector::daemon {

// Both logs: every event to the log, the audited ones to the audit log first. Any thread.
class Evidence final : public ports::EventSink {
public:
    Evidence(std::unique_ptr<LogSink> log, std::unique_ptr<AuditLog> audit)
        : log_(std::move(log)), audit_(std::move(audit)) {}
    void raise(const Event& event) override;
    // Every event also there, after both logs; empty ends it. Has to return at once. Any thread.
    void also_to(std::function<void(const Event&)> sink);
    [[nodiscard]] LogSink& log() noexcept { return *log_; }
    [[nodiscard]] AuditLog& audit() noexcept { return *audit_; }

private:
    std::unique_ptr<LogSink> log_;
    std::unique_ptr<AuditLog> audit_;
    std::mutex mutex_;
    std::function<void(const Event&)> also_;
};

struct StateDirectory {
    storage::InstanceLock lock;
    std::unique_ptr<keys::KeyedSealer> sealer;
    std::unique_ptr<Evidence> evidence;
    std::unique_ptr<storage::AsyncLedger> ledger;
    bool ended_unclean = false;  // the process before did not close the database
    bool suspect = false;        // the database is worked only once it was found sound
    std::string restored;        // "" or what shows that the database is older than the audit log
    std::string open_requests;   // their number, for the daemon to tell
};

// What the log is to hold.
[[nodiscard]] Severity severity_of(config::LogLevel level) noexcept;

enum class LogTo { everywhere, file_only };
// `accept`: a person has looked at the database, and what it holds is taken as it is found (SqliteLedger::
// accept_as_found). kind conflict, code alreadyRunning: another process has it. Everything else: misconfigured or
// integrity.
[[nodiscard]] Result<StateDirectory> open_state(const config::Settings& settings, LogTo log, bool accept = false);

}  // namespace connector::daemon
