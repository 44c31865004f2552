// One connector's ledger over a Disk: opened, used, lost with the machine, opened again; and what stands in it.
#pragma once

#include "storage/sqlite_ledger.hpp"
#include "support/test_sealer.hpp"
#include "sweep/storage/memory_disk.hpp"
#include "unit/storage/ledger_fixture.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace connector::sweep {

// Every row of every table but for the counters of transactions and the audit anchor, which have laws of their own.
// Reads past the connector, by a connection of its own. Empty: no schema yet.
[[nodiscard]] std::string rows_of(const std::string& file);
// "ok", or what SQLite finds.
[[nodiscard]] std::string integrity_of(const std::string& file);

class Life {
public:
    // Takes the state directory for itself; the files of SQLite come from `image`.
    Life(const std::filesystem::path& directory, const Image& image);
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;
    ~Life() = default;

    [[nodiscard]] Result<void> open();
    void close() { ledger_.reset(); }
    [[nodiscard]] bool is_open() const noexcept { return ledger_ != nullptr; }
    [[nodiscard]] storage::SqliteLedger& ledger() { return *ledger_; }
    // The machine starts again with what the disk held.
    void restart(Survivors survivors, std::uint64_t seed);

    // What earlier lives were answered: the anchor and the generation, which may not fall.
    struct Known {
        storage::AuditAnchor anchor;
        std::uint64_t generation = 0;
    };
    void know(const Known& known);
    [[nodiscard]] Known known() const;

    // Set, and durable with the next success of flush() or any other write.
    void set_anchor(std::uint64_t sequence);
    // To be called after a success of anything that writes.
    void written();

    [[nodiscard]] Disk& disk() noexcept { return *disk_; }
    [[nodiscard]] std::string rows() const { return rows_of(file_); }
    [[nodiscard]] const std::vector<std::string>& reported() const noexcept { return reported_; }
    // What is wrong now, whatever happened before: "" or the first finding.
    [[nodiscard]] std::string complaint();

    std::set<std::string> done;  // members of a group that were answered well

private:
    std::string file_;
    storage::InstanceLock lock_;
    connector::test::TestSealer sealer_;
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<storage::SqliteLedger> ledger_;
    std::vector<std::string> reported_;
    storage::AuditAnchor anchor_set_;
    storage::AuditAnchor anchor_written_;
    std::uint64_t generation_ = 0;  // the highest that a success was answered with
    std::uint64_t starts_ = 1;
};

// A step answers well once all of it is on disk, also if a part of it was there from an earlier try.
struct Step {
    std::string name;
    std::function<Result<void>(Life&)> run;
    bool in_pieces = false;  // more than one commit: a failure may come after the one that matters
};
struct Scenario {
    std::string name;
    bool hot = false;          // begins with what a killed process leaves: a write-ahead log that was not taken in
    int checkpoint_pages = 0;  // 0: SQLite's own 1000
    std::vector<Step> steps;   // the first one opens
};
// In order: each begins with what the one before it left.
[[nodiscard]] const std::vector<Scenario>& scenarios();

}  // namespace connector::sweep
