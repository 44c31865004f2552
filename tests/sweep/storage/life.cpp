#include "sweep/storage/life.hpp"

#include <stdexcept>

namespace connector::sweep {

using storage::AuditAnchor;
using storage::InstanceLock;
using storage::SqliteLedger;

namespace {

InstanceLock lock_of(const std::filesystem::path& directory) {
    auto lock = InstanceLock::acquire(directory, InstanceLock::Holder::daemon);
    if (!lock) throw std::runtime_error(lock.error().message);
    return std::move(*lock);
}

// Of the state row: what counts transactions, what the audit log is tied by, and the check over these.
const std::set<std::string, std::less<>> k_own_laws{"generation", "audit_seq", "audit_link", "check_value"};

class Beside {
public:
    explicit Beside(const std::string& file) {
        if (sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
            throw std::runtime_error("cannot look at " + file);
    }
    Beside(const Beside&) = delete;
    Beside& operator=(const Beside&) = delete;
    ~Beside() { sqlite3_close(handle_); }

    // Each row a line; blobs and texts with their length, so that nothing runs together.
    std::string all(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
            throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle_));
        std::string text;
        int code = SQLITE_OK;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(statement); ++i) {
                const auto* octets = static_cast<const char*>(sqlite3_column_blob(statement, i));
                const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
                text += std::to_string(sqlite3_column_type(statement, i)) + ":" + std::to_string(size) + ":";
                if (octets != nullptr) text.append(octets, size);
                text += " ";
            }
            text += "\n";
        }
        sqlite3_finalize(statement);
        if (code != SQLITE_DONE) throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle_));
        return text;
    }
    std::vector<std::string> column(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
            throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle_));
        std::vector<std::string> texts;
        while (sqlite3_step(statement) == SQLITE_ROW)
            texts.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
        sqlite3_finalize(statement);
        return texts;
    }
    std::string word(const std::string& sql) {
        sqlite3_stmt* statement = nullptr;
        std::string text;
        if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW) {
            text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        } else {
            text = sqlite3_errmsg(handle_);
        }
        sqlite3_finalize(statement);
        return text;
    }

private:
    sqlite3* handle_ = nullptr;
};

}  // namespace

std::string rows_of(const std::string& file) {
    Beside beside(file);
    if (beside.word("SELECT count(*) FROM sqlite_schema") == "0") return "";
    std::string text;
    for (const auto& table : beside.column("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")) {
        std::string columns;
        for (const auto& column : beside.column("SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid")) {
            if (table == "ledger_state" && k_own_laws.contains(column)) continue;
            columns += (columns.empty() ? "" : ", ") + column;
        }
        text += "# " + table + "\n" + beside.all("SELECT " + columns + " FROM " + table + " ORDER BY 1, 2, 3");
    }
    return text;
}

std::string integrity_of(const std::string& file) {
    return Beside(file).word("PRAGMA integrity_check(3)");
}

Life::Life(const std::filesystem::path& directory, const Image& image)
    : lock_(lock_of(directory)), disk_(std::make_unique<Disk>(image, starts_)) {
    file_ = (lock_.directory() / "connector.db").string();
    disk_->mount();
}

Result<void> Life::open() {
    reported_.clear();
    auto opened = SqliteLedger::open(lock_, sealer_, [this](std::string_view table, std::string_view key) {
        reported_.push_back(std::string(table) + " " + std::string(key));
    });
    if (!opened) return opened.error();
    ledger_ = std::move(*opened);
    return {};
}

void Life::restart(Survivors survivors, std::uint64_t seed) {
    ledger_.reset();
    auto next = std::make_unique<Disk>(disk_->image(survivors, seed), ++starts_);
    next->mount();
    disk_ = std::move(next);
}

void Life::set_anchor(std::uint64_t sequence) {
    anchor_set_ = {sequence, storage::test::hash_of("line " + std::to_string(sequence))};
    ledger_->set_audit_anchor(anchor_set_);
}

void Life::know(const Known& known) {
    anchor_set_ = anchor_written_ = known.anchor;
    generation_ = known.generation;
}

Life::Known Life::known() const {
    return {ledger_->audit_anchor()->value_or(AuditAnchor{}), ledger_->generation()};
}

void Life::written() {
    anchor_written_ = anchor_set_;
    generation_ = ledger_->generation();
}

std::string Life::complaint() {
    if (const auto found = integrity_of(file_); found != "ok") return "integrity_check: " + found;
    if (!reported_.empty()) return "reported as tampered with: " + reported_.front();
    const auto counts = ledger_->counts();
    if (!counts) return "counts: " + counts.error().message;
    if (counts->quarantined != 0) return "rows in quarantine";
    ports::PageFilter everything;
    everything.limit = 1000;
    const auto records = ledger_->page(everything);
    if (!records) return "page: " + records.error().message;
    std::map<request::Stage, std::uint64_t> by_stage;
    for (const auto& record : *records) {
        if (record.stage != request::Stage::closed) ++by_stage[record.stage];
    }
    if (by_stage != counts->by_stage) return "the stages' counts do not add up";
    for (const auto& name : {"pins", "blocks", "meters"}) {
        const auto kind = std::string_view(name);
        const bool well = kind == "pins"     ? ledger_->pins().has_value()
                          : kind == "blocks" ? ledger_->blocks().has_value()
                                             : ledger_->meters(storage::test::k_now).has_value();
        if (!well) return std::string(name) + " cannot be told";
    }
    const auto anchor = ledger_->audit_anchor();
    if (!anchor) return "audit anchor: " + anchor.error().message;
    const auto found = anchor->value_or(AuditAnchor{});
    if (found != anchor_written_ && found != anchor_set_) {
        return "audit anchor " + std::to_string(found.sequence) + ", written was " +
               std::to_string(anchor_written_.sequence) + ", set " + std::to_string(anchor_set_.sequence);
    }
    if (ledger_->generation() < generation_) return "the generation fell";
    return "";
}

}  // namespace connector::sweep
