#include "daemon/log_sink.hpp"

#include "core/event_ids.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

namespace connector::daemon {
namespace {

constexpr std::size_t k_most_remembered = 512;
constexpr std::ptrdiff_t k_forgotten_at_once = 64;
constexpr std::size_t k_longest_text = 2048;

// Fields that name a person as such; in other values addresses are looked for.
constexpr std::array<std::string_view, 6> k_person_fields{"user", "userPrincipalName", "upn",
                                                          "mail", "mailbox",           "person"};

spdlog::level::level_enum spd(Severity severity) {
    switch (severity) {
        case Severity::debug: return spdlog::level::debug;
        case Severity::info: return spdlog::level::info;
        case Severity::warning: return spdlog::level::warn;
        case Severity::error: return spdlog::level::err;
    }
    return spdlog::level::err;
}

// syslog(3)'s numbers, which the journal reads in front of a line.
std::string_view journal_priority(Severity severity) {
    switch (severity) {
        case Severity::debug: return "<7>";
        case Severity::info: return "<6>";
        case Severity::warning: return "<4>";
        case Severity::error: return "<3>";
    }
    return "<3>";
}

// What can stand in an address; anything else ends it.
bool in_address(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (static_cast<unsigned char>(c) >= 0x80) ||
           std::string_view(".!#$%&'*+-/?^_`{|}~").find(c) != std::string_view::npos;
}

// Whatever the umask was. A device or a pipe in the file's place stays as it is.
void close_to_others(int file) {
    struct stat about {};
    if (::fstat(file, &about) == 0 && S_ISREG(about.st_mode)) (void)::fchmod(file, 0640);
}

struct Line {
    Severity severity = Severity::info;
    std::string_view id;  // or ""
    std::string text;     // the headline, or what was logged
    std::vector<std::pair<std::string, std::string>> fields;
};

std::string as_text(const Line& line) {
    std::string text;
    if (!line.id.empty()) text += std::string(line.id) + " ";
    text += printable(line.text, k_longest_text);
    for (const auto& [name, value] : line.fields) text += " " + printable_word(name, 64) + "=" + printable_word(value);
    return text;
}

std::string as_json(const Line& line, UtcTime time) {
    std::string json =
        "{\"time\":\"" + to_rfc3339(time) + "\",\"severity\":\"" + std::string(to_string(line.severity)) + "\"";
    if (!line.id.empty()) json += ",\"event\":\"" + std::string(line.id) + "\"";
    json += ",\"text\":" + printable_json(line.text, k_longest_text) + ",\"fields\":{";
    // An object with a name twice is read differently by every reader.
    std::vector<std::string_view> seen;
    for (const auto& [name, value] : line.fields) {
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
        json += (seen.empty() ? "" : ",") + printable_json(name, 64) + ":";
        std::string all = value;
        for (const auto& [other, more] : line.fields)
            if (other == name && &more != &value) all += ", " + more;
        json += printable_json(all);
        seen.push_back(name);
    }
    return json + "}}";
}

}  // namespace

bool error_output_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat about {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &about) != 0) return false;
    return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino) == stream;
}

struct LogSink::Impl {
    struct Repeated {
        Line line;
        UtcTime first;
        std::uint64_t held_back = 0;
    };

    explicit Impl(LogOptions given) : options(std::move(given)) {
        if (!options.file.empty()) {
            spdlog::file_event_handlers handlers;
            handlers.after_open = [](const spdlog::filename_t&, std::FILE* opened) {
                close_to_others(::fileno(opened));
            };
            auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file.string(), options.max_size,
                                                                               options.files, false, handlers);
            file = make_logger("file", std::move(sink));
        }
        if (options.error_output != ErrorOutput::off)
            errors = make_logger("errors", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    }

    std::unique_ptr<spdlog::logger> make_logger(const char* name, spdlog::sink_ptr sink) {
        auto logger = std::make_unique<spdlog::logger>(name, std::move(sink));
        logger->set_pattern("%v");
        logger->set_level(spdlog::level::trace);
        logger->flush_on(spdlog::level::trace);
        logger->set_error_handler([this](const std::string& reason) { write_failed(reason); });
        return logger;
    }

    // Once: a full disk is told, not repeated with every line.
    void write_failed(const std::string& reason) {
        if (lost_lines.fetch_add(1) != 0) return;
        const std::string text =
            std::string(event::k_log_write_failed) + " The log cannot be written: " + printable(reason) + "\n";
        // Where this fails too there is nobody left to tell; a cast to void does not say so to glibc at -O2.
        [[maybe_unused]] const auto told = ::write(STDERR_FILENO, text.data(), text.size());
    }

    // The string_view overload writes what it is given; it is no format string.
    static void put(spdlog::logger& logger, Severity severity, const std::string& text) {
        logger.log(spd(severity), spdlog::string_view_t(text.data(), text.size()));
    }

    void write(const Line& line, UtcTime time) {
        const std::string text = as_text(line);
        const std::string stamped = to_rfc3339(time) + " " + std::string(to_string(line.severity)) + " " + text;
        if (file) put(*file, line.severity, options.format == LogFormat::json ? as_json(line, time) : stamped);
        if (!errors) return;
        const bool journal = options.error_output == ErrorOutput::journal;
        put(*errors, line.severity, journal ? std::string(journal_priority(line.severity)) + text : stamped);
    }

    [[nodiscard]] std::string person(std::string_view name) const {
        return options.hash_person ? "person:" + options.hash_person(ascii_lower(name)) : "(person)";
    }

    // Reasons quote names; whoever wants persons hashed does not want them there either.
    [[nodiscard]] std::string without_addresses(std::string_view text) const {
        std::string clean;
        std::size_t done = 0;
        for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
            std::size_t begin = at;
            while (begin > done && in_address(text[begin - 1])) --begin;
            std::size_t end = at + 1;
            while (end < text.size() && (in_address(text[end]) || text[end] == '@')) ++end;
            while (end > at + 1 && text[end - 1] == '.') --end;  // the sentence's, not the domain's
            if (begin == at || end == at + 1) continue;
            clean.append(text.substr(done, begin - done)).append(person(text.substr(begin, end - begin)));
            done = end;
            at = end - 1;
        }
        return clean.append(text.substr(done));
    }

    void hide_persons(Line& line) const {
        if (options.persons == Persons::clear) return;
        line.text = without_addresses(line.text);
        for (auto& [name, value] : line.fields) {
            const bool is_person =
                std::find(k_person_fields.begin(), k_person_fields.end(), name) != k_person_fields.end();
            value = is_person && !value.empty() ? person(value) : without_addresses(value);
        }
    }

    void tell_count(Repeated& repeated, UtcTime time) {
        if (repeated.held_back == 0) return;
        Line line = repeated.line;
        line.fields.emplace_back("repeated", std::to_string(repeated.held_back));
        repeated.held_back = 0;
        write(line, time);
    }

    [[nodiscard]] bool over(const Repeated& repeated, UtcTime time) const {
        return time < repeated.first || time - repeated.first >= options.repeat_window;
    }

    void submit(Line line) {
        if (line.severity < level.load()) return;
        hide_persons(line);
        const std::scoped_lock guard(lock);
        const UtcTime time = options.now();
        const std::string key = as_text(line);
        if (const auto found = recent.find(key); found != recent.end()) {
            if (!over(found->second, time)) {
                ++found->second.held_back;
                return;
            }
            tell_count(found->second, time);
            recent.erase(found);
        }
        if (recent.size() >= k_most_remembered) forget_oldest(time);
        write(line, time);
        recent.emplace(key, Repeated{std::move(line), time});
    }

    // Several at once: to find one is to look at all of them.
    void forget_oldest(UtcTime time) {
        std::vector<decltype(recent)::iterator> all;
        all.reserve(recent.size());
        for (auto at = recent.begin(); at != recent.end(); ++at) all.push_back(at);
        const auto last = all.begin() + k_forgotten_at_once;
        std::nth_element(all.begin(), last, all.end(),
                         [](const auto& left, const auto& right) { return left->second.first < right->second.first; });
        std::for_each(all.begin(), last, [&](const auto& oldest) {
            tell_count(oldest->second, time);
            recent.erase(oldest);
        });
    }

    void flush(bool all) {
        const std::scoped_lock guard(lock);
        const UtcTime time = options.now();
        for (auto at = recent.begin(); at != recent.end();) {
            if (!all && !over(at->second, time)) {
                ++at;
                continue;
            }
            tell_count(at->second, time);
            at = recent.erase(at);
        }
    }

    LogOptions options;
    std::mutex lock;
    std::atomic<Severity> level{options.level};
    std::unique_ptr<spdlog::logger> file;
    std::unique_ptr<spdlog::logger> errors;
    std::map<std::string, Repeated, std::less<>> recent;
    std::atomic<std::uint64_t> lost_lines{0};
};

Result<std::unique_ptr<LogSink>> LogSink::open(LogOptions options) {
    const std::string file = printable(options.file.string());
    if (!options.now) return Error(ErrorKind::internal, "logUnwritable", "the log has no clock");
    try {
        return std::unique_ptr<LogSink>(new LogSink(std::make_unique<Impl>(std::move(options))));
    } catch (const spdlog::spdlog_ex& error) {
        return Error(ErrorKind::misconfigured, "logUnwritable", file + ": " + printable(error.what(), 256));
    }
}

LogSink::LogSink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogSink::~LogSink() {
    impl_->flush(true);
}

void LogSink::raise(const Event& event) {
    const EventDefinition* known = find_event(event.id);
    Line line{Severity::error, event.id, "(an event that is not in the catalogue)", event.fields};
    if (known != nullptr) {
        line.severity = known->severity;
        line.text = known->headline;
    }
    impl_->submit(std::move(line));
}

void LogSink::log(Severity severity, std::string_view text) {
    impl_->submit(Line{severity, {}, std::string(text), {}});
}

void LogSink::set_level(Severity level) {
    impl_->level.store(level);
}

void LogSink::flush() {
    impl_->flush(false);
}

std::uint64_t LogSink::lost() const noexcept {
    return impl_->lost_lines.load();
}

}  // namespace connector::daemon
