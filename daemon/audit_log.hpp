// AuditLog: one JSON line for each decision about a key, a certificate, a recipient or a limit, in a chain:
//   {"seq":7,"time":…,"event":…,"generation":…,FIELDS,"prev":"<link of line 6>","link":"<HMAC over prev and all before
//   it>"}
// Who can write the file but has no sealing key cannot make a line; what he changes, takes out or moves shows, and what
// he cuts off the end shows against the head that the ledger remembers (threat: security review M3).
// Files are never deleted; a full one is moved to FILE.1, FILE.2, … (higher is newer) and the next goes on with its
// link. What a flood of withdraws says is told twenty times a minute and then counted: nothing of it is a decision
// about a key that goes out. Refuses: links in place of the file. Any thread; one lock. One process at a time: the
// instance lock's business.
#pragma once

#include "core/error.hpp"
#include "core/ports/event_sink.hpp"
#include "core/ports/sealer.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace connector::daemon {

// The last line's number and link; number 0 before the first.
struct AuditHead {
    std::uint64_t sequence = 0;
    Sha256 link;
    bool operator==(const AuditHead&) const = default;
};

struct AuditOptions {
    std::filesystem::path file;
    std::uint64_t rotate_at = 64ULL * 1024 * 1024;
    std::function<UtcTime()> now;
    std::function<std::uint64_t()> generation;      // of the ledger as it is on the disk: what a line has behind it
    std::function<void(const AuditHead&)> on_head;  // after each line, under the lock: must not call back
    std::function<void(const Error&)> on_failure;   // raise() could not write; not under the lock

    AuditOptions() = default;
};

class AuditLog final : public ports::EventSink {
public:
    // Goes on from the file's last line, or from `anchor` where that is ahead of it: then fault() says so.
    // `sealer` outlives it. kind: misconfigured, code auditUnwritable.
    [[nodiscard]] static Result<std::unique_ptr<AuditLog>> open(AuditOptions options, const ports::Sealer& sealer,
                                                                std::optional<AuditHead> anchor);
    ~AuditLog() override;
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    // Writes audited events and leaves the others. Of the withdrawn, beyond twenty a minute, only their number.
    void raise(const Event& event) override;
    // Any event. In the file (not yet on the disk) when it returns. kind: unavailable, code auditUnwritable.
    [[nodiscard]] Result<void> append(const Event& event);
    // Writes the counts of what was held back and whose minute is over. Call now and then.
    void flush();
    // On the disk. Anchor only what this returns: a head that a power cut can undo would look like a cut log.
    [[nodiscard]] Result<AuditHead> sync();
    [[nodiscard]] AuditHead head() const;
    // What was wrong with the file when it was opened, for event::k_audit_broken; "" where nothing was.
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

private:
    AuditLog(AuditOptions options, const ports::Sealer& sealer);
    struct Repeated {
        UtcTime since;
        std::uint64_t said = 0;
        std::uint64_t held_back = 0;
        Event last;
    };
    // False: it is counted, and not to be written.
    [[nodiscard]] bool to_be_said(const Event& event);
    void tell_counts(bool all);
    [[nodiscard]] Result<void> open_file();
    void find_head(const std::optional<AuditHead>& anchor);
    [[nodiscard]] Result<void> write(const std::string& text);
    void rotate();

    AuditOptions options_;
    const ports::Sealer& sealer_;
    mutable std::mutex lock_;
    int file_ = -1;
    std::uint64_t size_ = 0;
    bool torn_ = false;  // the file ends in the middle of a line
    AuditHead head_;
    std::mutex repeated_lock_;  // never with the other
    std::map<std::string, Repeated, std::less<>> repeated_;
    std::string fault_;
};

// FILE.1, FILE.2, …, FILE: those that exist, oldest first.
[[nodiscard]] std::vector<std::filesystem::path> audit_files(const std::filesystem::path& file);

struct AuditFinding {
    std::filesystem::path file;
    std::uint64_t line = 0;      // of the file, from 1; 0: its end
    std::uint64_t sequence = 0;  // 0 where it cannot be read
    std::string text;
};
struct AuditReport {
    std::uint64_t lines = 0;
    std::uint64_t first_sequence = 0;
    AuditHead head;
    std::vector<AuditFinding> findings;  // changed, removed, moved or cut
    std::vector<AuditFinding> notes;     // half lines of a crash; older files that are elsewhere
    [[nodiscard]] bool intact() const noexcept { return findings.empty(); }
};
// `files` oldest first. kind: unavailable where one cannot be read.
[[nodiscard]] Result<AuditReport> verify_audit(const std::vector<std::filesystem::path>& files,
                                               const ports::Sealer& sealer, const std::optional<AuditHead>& anchor);

}  // namespace connector::daemon
