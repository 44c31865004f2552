#include "daemon/cli/import_bulk.hpp"

#include "daemon/cli/import_bulk_worker.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/load.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <thread>
#include <utility>

namespace connector::cli {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

// As deep as `import scan` looks: a file in the wrong place is refused by name, not passed over.
constexpr std::size_t k_deepest_folder = 4;
constexpr std::size_t k_shown_faults = 20;
constexpr std::chrono::milliseconds k_look_up{100};

// Set by the first SIGINT or SIGTERM; a second one ends the process as it always does.
std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);
extern "C" void ask_to_stop(int /*signal*/) {
    stop_asked = true;
}

class StopBySignal {
public:
    StopBySignal() {
        stop_asked = false;
        struct sigaction action {};
        action.sa_handler = ask_to_stop;
        action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
        ::sigaction(SIGINT, &action, &interrupt_);
        ::sigaction(SIGTERM, &action, &terminate_);
    }
    StopBySignal(const StopBySignal&) = delete;
    StopBySignal& operator=(const StopBySignal&) = delete;
    ~StopBySignal() {
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGTERM, &terminate_, nullptr);
    }

private:
    struct sigaction interrupt_ {};
    struct sigaction terminate_ {};
};

std::string rows_are(std::size_t number) {
    return std::to_string(number) + (number == 1 ? " row is" : " rows are");
}
std::string rows_were(std::size_t number) {
    return std::to_string(number) + (number == 1 ? " row was" : " rows were");
}

// "/a/people.csv" -> "/a/people"; "/a/history/" -> "/a/history": what lies beside them begins like that.
std::string beside(const BulkOptions& options) {
    if (!options.csv.empty()) {
        const fs::path csv(options.csv);
        return (csv.parent_path() / csv.stem()).string();
    }
    std::error_code failure;
    fs::path folder = fs::absolute(options.folder, failure).lexically_normal();
    if (folder.filename().empty()) folder = folder.parent_path();
    return folder.string();
}

Result<std::vector<importer::BulkRow>> rows_of(const BulkOptions& options, const ConfinedFolder& folder) {
    importer::BulkDefaults defaults;
    if (!options.purpose.empty()) defaults.purpose = request::parse_purpose(options.purpose);
    defaults.has_password = options.password.given();
    if (options.csv.empty()) {
        auto files = folder.files(k_deepest_folder, k_most_files);
        if (!files) return files.error();
        auto rows = importer::rows_of_folder(*files, defaults);
        if (rows.size() > importer::k_csv_most_rows)
            return Error(ErrorKind::invalid, "tooManyFiles", "more than 100,000 PFX files; divide the folder");
        return rows;
    }
    auto text = folder.read(fs::path(options.csv).filename().string(), importer::k_csv_largest);
    if (!text) return text.error();
    auto csv = importer::read_csv(text_of(*text));
    if (!csv) return csv.error().in(options.csv);
    auto rows = importer::rows_of_csv(std::move(*csv), defaults);
    if (!rows) return rows.error().in(options.csv);
    return rows;
}

Result<void> fill(const Invocation& call, const config::Settings& settings, const BulkOptions& options, BulkJob& job) {
    auto key = wrapping_key(settings, options.key);
    if (!key) return key.error();
    job.key = std::move(*key);
    auto signer = importer_signer(settings);
    if (!signer) return signer.error();
    job.signer = std::move(*signer);
    auto trusted = trusted_importers(settings);
    if (!trusted) return trusted.error();
    job.trusted = std::move(*trusted);
    if (!options.chain.empty()) {
        auto chain = keys::load_certificates(options.chain);
        if (!chain) return chain.error();
        job.chain = std::move(*chain);
    }
    if (options.password.given()) {
        auto password = read_password(options.password);
        if (!password) return password.error();
        job.password = std::move(*password);
    }
    job.settings = &settings;
    job.replace = options.replace;
    job.replace_all = options.replace_all;
    job.dry_run = options.dry_run;
    job.now = call.environment.now();
    return {};
}

// Until every group is worked, or somebody says stop. The reason why the run had to end early, if it had to.
std::optional<Error> run(const Invocation& call, const BulkJob& job, BulkShared& shared,
                         const std::vector<std::vector<std::size_t>>& groups, unsigned jobs) {
    std::atomic<std::size_t> next{0};
    std::mutex guard;
    std::condition_variable changed;
    std::size_t running = std::min<std::size_t>(jobs, groups.size());
    std::optional<Error> reason;
    Progress progress(call.environment, job.rows->size());
    std::vector<std::thread> threads;
    for (std::size_t i = running; i != 0; --i) {
        threads.emplace_back([&] {
            BulkWorker worker(job, shared, stop_asked);
            while (!stop_asked) {
                const std::size_t group = next++;
                if (group >= groups.size()) break;
                Result<void> worked = Error(ErrorKind::internal, "internal", "");
                try {
                    worked = worker.work(groups[group]);
                } catch (const std::exception& fault) {
                    worked = Error(ErrorKind::internal, "internal", fault.what());
                }
                if (worked) continue;
                const std::lock_guard lock(guard);
                if (!reason) reason = worked.error();
                stop_asked = true;
            }
            const std::lock_guard lock(guard);
            --running;
            changed.notify_one();
        });
    }
    {
        std::unique_lock lock(guard);
        while (!changed.wait_for(lock, k_look_up, [&] { return running == 0; })) {
            lock.unlock();
            progress.show(shared.done, shared.faults);
            lock.lock();
        }
    }
    for (std::thread& thread : threads) thread.join();
    progress.show(shared.done, shared.faults);
    return reason;
}

// Where the report goes nothing else lies: not the list itself, and no other file of the administrator's.
Result<void> is_free_for_report(const std::string& name, const std::string& list) {
    std::error_code failure;
    if (!list.empty() && fs::equivalent(name + ".csv", list, failure))
        return Error(ErrorKind::invalid, "reportTaken", name + ".csv is the list itself; name another report");
    for (const auto& [file, begin] : {std::pair(name + ".csv", importer::report_csv_header()),
                                      std::pair(name + ".json", std::string("{\"dryRun\":"))}) {
        if (!fs::exists(file, failure)) continue;
        std::ifstream there(file, std::ios::binary);
        std::string first(begin.size(), '\0');
        there.read(first.data(), static_cast<std::streamsize>(first.size()));
        if (first != begin)
            return Error(ErrorKind::invalid, "reportTaken",
                         file + " is there and is no report; name another one, or move it away");
    }
    return {};
}

Result<void> write_report(const std::string& name, const BulkJob& job, const BulkShared& shared,
                          std::string_view state) {
    std::string table = importer::report_csv_header();
    std::string document = "{\"dryRun\":" + std::string(job.dry_run ? "true" : "false") + ",\"ended\":\"" +
                           std::string(state) +
                           "\",\"counts\":" + importer::report_json(importer::count(shared.results)) + ",\"rows\":[\n";
    for (std::size_t i = 0; i < job.rows->size(); ++i) {
        table += importer::report_csv_line((*job.rows)[i], shared.results[i]);
        document += importer::report_json((*job.rows)[i], shared.results[i]);
        document += i + 1 == job.rows->size() ? "\n" : ",\n";
    }
    document += "]}\n";
    if (auto done = keys::replace_file(name + ".csv", bytes_of(table), 0600); !done) return done;
    return keys::replace_file(name + ".json", bytes_of(document), 0600);
}

void show_faults(const Invocation& call, const BulkJob& job, const BulkShared& shared) {
    std::size_t shown = 0;
    std::size_t more = 0;
    for (std::size_t i = 0; i < job.rows->size(); ++i) {
        const auto& result = shared.results[i];
        if (result.outcome != importer::RowOutcome::refused && result.outcome != importer::RowOutcome::failed) continue;
        if (shown == k_shown_faults) {
            ++more;
            continue;
        }
        ++shown;
        const auto& row = (*job.rows)[i];
        call.terminal.problem("line " + std::to_string(row.line) + ": " + row.file + ": " + result.reason);
    }
    if (more != 0) call.terminal.problem("… and " + std::to_string(more) + " more; the report has them all");
}

void show_summary(const Invocation& call, const BulkOptions& options, const BulkJob& job, const BulkShared& shared,
                  const std::string& report, std::string_view ended) {
    const auto counts = importer::count(shared.results);
    if (call.json) {
        json::object answer;
        answer["dryRun"] = job.dry_run;
        answer["ended"] = std::string(ended);
        answer["counts"] = json::parse(importer::report_json(counts));
        json::array faults;
        for (std::size_t i = 0; i < job.rows->size(); ++i)
            if (!importer::is_settled(shared.results[i].outcome))
                faults.push_back(json::parse(importer::report_json((*job.rows)[i], shared.results[i])));
        answer["notDone"] = std::move(faults);
        answer["report"] =
            report.empty() ? json::array{} : json::array{json::value(report + ".csv"), json::value(report + ".json")};
        call.terminal.json(answer);
        return;
    }
    using importer::RowOutcome;
    call.terminal.line(to_text(counts));
    if (options.dry_run)
        call.terminal.line("nothing was sent (--dry-run)");
    else if (counts[RowOutcome::added] + counts[RowOutcome::replaced] == 0)
        call.terminal.line("nothing was changed");
    if (!report.empty()) call.terminal.line("report: " + report + ".csv, " + report + ".json");
}

}  // namespace

int import_bulk(const Invocation& call, const BulkOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const fs::path base = options.csv.empty() ? fs::path(options.folder) : fs::path(options.csv).parent_path();
    const auto folder = ConfinedFolder::open(base);
    // 1 says that rows are missing and the report tells which; without a list there is neither.
    if (!folder) return call.fail_usage(folder.error().message);
    auto rows = rows_of(options, *folder);
    if (!rows) return call.fail_usage(rows.error().message);
    if (rows->empty())
        return call.fail_usage(options.csv.empty() ? options.folder + ": no PFX file in UPN/ or UPN/PURPOSE/"
                                                   : options.csv + ": no row under the header");
    const std::string report = options.report.empty() ? beside(options) + ".report" : options.report;
    if (const auto free = is_free_for_report(report, options.csv); !free)
        return call.fail_usage("--report: " + free.error().message);
    const auto groups = importer::group_by_owner(*rows);
    BulkJob job;
    job.folder = &*folder;
    job.rows = &*rows;
    if (auto filled = fill(call, *settings, options, job); !filled) return call.fail(filled.error());

    const StopBySignal by_signal;
    BulkShared shared;
    shared.results.resize(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
        if (!(*rows)[i].fault) continue;
        shared.results[i].refuse(*(*rows)[i].fault);
        ++shared.done;
        ++shared.faults;
    }
    if (!options.dry_run) {
        auto state = BulkStateFile::open(options.state.empty() ? beside(options) + ".import-state" : options.state);
        // One that another import holds is free again later; one that is none has to be named otherwise.
        if (!state)
            return exit_code_of(state.error().kind) == k_try_later ? call.fail(state.error())
                                                                   : call.fail_usage(state.error().message);
        shared.state = std::move(*state);
        if (shared.state->before().size() != 0 && !call.json)
            call.terminal.line("going on after an interruption: " + std::to_string(shared.state->before().size()) +
                               " were done before");
    }
    // Better now than after an hour's work.
    if (const auto possible = write_report(report, job, shared, "running"); !possible)
        return call.fail(possible.error().in("the report; name another place with --report"));
    const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
    const unsigned jobs = options.jobs == 0 ? std::min(processors, 8U) : std::min(options.jobs, k_most_jobs);
    const auto reason = run(call, job, shared, groups, jobs);

    const auto counts = importer::count(shared.results);
    const bool whole = counts[importer::RowOutcome::not_reached] == 0;
    const bool faultless =
        whole && counts[importer::RowOutcome::refused] == 0 && counts[importer::RowOutcome::failed] == 0;
    const std::string_view ended = whole ? "done" : reason ? "stopped" : "interrupted";
    const auto written = write_report(report, job, shared, ended);
    // Once every row was reached there is nothing to take up; the next run asks the store itself.
    if (whole && shared.state != nullptr) shared.state->remove();
    if (!call.json) show_faults(call, job, shared);
    show_summary(call, options, job, shared, written ? report : "", ended);
    if (shared.state_lost) call.terminal.warning("the state file could not be written; another run looks at every row");
    if (!written) {
        // The rows are what they are; what the file says is from the start of the run.
        call.terminal.error("the report could not be written, and the one there is from the start of the run: " +
                            written.error().message);
        if (whole) return k_failed;
    }
    if (reason)
        return call.fail(reason->in("the run ended early, " + rows_were(counts[importer::RowOutcome::not_reached]) +
                                    " not reached; call it again to go on"));
    if (!whole) {
        call.terminal.error("interrupted, " + rows_were(counts[importer::RowOutcome::not_reached]) +
                            " not reached; call it again to go on");
        return k_try_later;
    }
    if (faultless) return k_done;
    const auto missing = counts[importer::RowOutcome::refused] + counts[importer::RowOutcome::failed];
    call.terminal.error(rows_are(missing) + " not in the store; the report says why");
    return k_failed;
}

}  // namespace connector::cli
