#include "daemon/state_directory.hpp"

#include "config/credentials.hpp"
#include "core/event_ids.hpp"
#include "daemon/restore_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace connector::daemon {
namespace {

constexpr std::size_t k_ledger_queue = 4096;

UtcTime now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Rows that were not what was stored, from whatever thread reads the ledger.
class Findings {
public:
    void raise(std::string table, std::string key) {
        const std::lock_guard guard(lock_);
        if (evidence_ == nullptr) {
            early_.emplace_back(std::move(table), std::move(key));
        } else {
            tell(table, key);
        }
    }
    void use(Evidence& evidence) {
        const std::lock_guard guard(lock_);
        evidence_ = &evidence;
        for (const auto& [table, key] : early_) tell(table, key);
        early_.clear();
    }

private:
    void tell(const std::string& table, const std::string& key) {
        evidence_->raise(Event(event::k_row_quarantined).with("table", table).with("row", key));
    }

    std::mutex lock_;
    std::vector<std::pair<std::string, std::string>> early_;
    Evidence* evidence_ = nullptr;
};

LogOptions log_options(const config::Log& log, LogTo to, const keys::KeyedSealer& sealer) {
    LogOptions options;
    options.file = log.file;
    options.max_size = std::uint64_t{log.max_size_mb} * 1024 * 1024;
    options.files = log.files;
    options.format = log.format == config::LogFormat::json ? LogFormat::json : LogFormat::text;
    const bool journal =
        log.journal == config::Journal::on || (log.journal == config::Journal::automatic && error_output_is_journal());
    options.error_output =
        to == LogTo::file_only ? ErrorOutput::off : (journal ? ErrorOutput::journal : ErrorOutput::plain);
    if (to == LogTo::everywhere && log.journal == config::Journal::off) options.error_output = ErrorOutput::plain;
    options.level = severity_of(log.level);
    options.persons = log.users == config::LogUsers::hashed ? Persons::hashed : Persons::clear;
    options.hash_person = [&sealer](std::string_view person) {
        constexpr std::size_t k_word = 16;
        return sealer.check_value(bytes_of("person:" + std::string(person))).hex().substr(0, k_word);
    };
    options.now = now;
    return options;
}

// Root on behalf of the service: who has the folder must be able to write the log afterwards.
void leave_to_owner(const std::filesystem::path& file) {
    struct stat folder {};
    struct stat there {};
    if (file.empty() || ::geteuid() != 0 || ::stat(file.parent_path().c_str(), &folder) != 0 ||
        ::lstat(file.c_str(), &there) != 0)
        return;
    const bool made_by_root = S_ISREG(there.st_mode) && there.st_uid == 0 && folder.st_uid != 0;
    // Where it fails, opening the file as the service says so by name.
    [[maybe_unused]] const bool left = !made_by_root || ::lchown(file.c_str(), folder.st_uid, folder.st_gid) == 0;
}

// Why the ledger does not open, where that has an event of its own. The audit log goes by the ledger and is not open.
void tell_why_not(LogSink& log, const Error& error) {
    std::string_view id;
    if (error.code == "newerSchema") id = event::k_storage_newer;
    if (error.code == "sealingKeyWrong") id = event::k_sealing_key_wrong;
    if (!id.empty()) log.raise(Event(id).with("reason", error.message));
}

std::string open_requests(storage::SqliteLedger& ledger) {
    const auto counts = ledger.counts();
    if (!counts) return "unknown";
    std::uint64_t open = 0;
    for (const auto& [stage, number] : counts->by_stage) open += number;
    return std::to_string(open);
}

}  // namespace

Severity severity_of(config::LogLevel level) noexcept {
    switch (level) {
        case config::LogLevel::trace:
        case config::LogLevel::debug: return Severity::debug;
        case config::LogLevel::info: return Severity::info;
        case config::LogLevel::warn: return Severity::warning;
        case config::LogLevel::error: return Severity::error;
    }
    return Severity::info;
}

void Evidence::raise(const Event& event) {
    audit_->raise(event);
    log_->raise(event);
    const std::lock_guard lock(mutex_);
    if (also_) also_(event);
}

void Evidence::also_to(std::function<void(const Event&)> sink) {
    const std::lock_guard lock(mutex_);
    also_ = std::move(sink);
}

Result<StateDirectory> open_state(const config::Settings& settings, LogTo to, bool accept) {
    using storage::InstanceLock;
    auto lock =
        InstanceLock::acquire(settings.storage.directory,
                              to == LogTo::everywhere ? InstanceLock::Holder::daemon : InstanceLock::Holder::command);
    if (!lock) return lock.error();
    if (!settings.sealing.key)
        return Error(ErrorKind::misconfigured, "sealingKeyMissing", "[sealing] key is not configured");
    auto sealing_key = config::read_sealing_key(*settings.sealing.key);
    if (!sealing_key) return sealing_key.error().in("[sealing] key");
    auto sealer = keys::KeyedSealer::make(*sealing_key);
    if (!sealer) return sealer.error();
    auto log = LogSink::open(log_options(settings.log, to, **sealer));
    if (!log) return log.error();
    leave_to_owner(settings.log.file);

    // The audit log is opened after the ledger, whose anchor it goes by: what is found until then is raised afterwards.
    auto findings = std::make_shared<Findings>();
    auto ledger =
        storage::SqliteLedger::open(*lock, **sealer, [findings](std::string_view table, std::string_view key) {
            findings->raise(std::string(table), std::string(key));
        });
    if (!ledger) {
        tell_why_not(**log, ledger.error());
        return ledger.error();
    }
    const auto anchor = (*ledger)->audit_anchor();
    const auto generation = (*ledger)->generation();
    std::optional<AuditHead> head;
    if (anchor && *anchor) head = AuditHead{(*anchor)->sequence, (*anchor)->link};

    AuditOptions audit_options;
    audit_options.file = settings.audit.file;
    audit_options.now = now;
    audit_options.generation = [written = (*ledger)->written_generation()] { return written->load(); };
    audit_options.on_failure = [early_log = log->get()](const Error& error) {
        early_log->raise(Event(event::k_audit_write_failed).with("reason", error.message));
    };
    auto audit = AuditLog::open(std::move(audit_options), **sealer, head);
    if (!audit) return audit.error();
    leave_to_owner(settings.audit.file);
    const std::string fault = anchor ? (*audit)->fault() : anchor.error().message;
    auto evidence = std::make_unique<Evidence>(std::move(*log), std::move(*audit));
    findings->use(*evidence);
    if (!fault.empty()) evidence->raise(Event(event::k_audit_broken).with("reason", fault));
    if (const auto from = (*ledger)->migrated_from())
        evidence->raise(Event(event::k_storage_migrated).with("from_schema", std::to_string(*from)));

    const bool unclean = (*ledger)->ended_unclean();
    const bool suspect = (*ledger)->is_suspect();
    const auto knows = [&ledger](const RequestId& id, UtcTime told) {
        const auto found = (*ledger)->get(id);
        if (!found) return true;  // a row that was tampered with is told of by itself
        return *found && knows_end(**found, told);
    };
    std::string restored =
        anchor ? restored_since(settings.audit.file, **sealer, head, generation, knows) : std::string();
    // After the log was held against it: this writes.
    if (accept && !(*ledger)->as_written()) {
        if (auto taken = (*ledger)->accept_as_found(); !taken) return taken.error();
        evidence->raise(Event(event::k_restore_accepted)
                            .with("reason",
                                  "rows are missing, were changed, or older ones were put back; what is there "
                                  "is taken as it is"));
    }
    std::string open = to == LogTo::everywhere ? open_requests(**ledger) : std::string();
    StateDirectory state{std::move(*lock),
                         std::move(*sealer),
                         std::move(evidence),
                         std::make_unique<storage::AsyncLedger>(std::move(*ledger), k_ledger_queue),
                         unclean,
                         suspect,
                         std::move(restored),
                         std::move(open)};
    return state;
}

}  // namespace connector::daemon
