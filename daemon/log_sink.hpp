// LogSink: the log. Events and plain lines go to a file that rotates and to the error output, which under a service
// manager is the journal. Texts from outside are made harmless here, at the edge (core/printable).
// Refuses: runtime format strings (a line is finished before spdlog sees it), more than one line for one event, persons
// in clear where the operator wants them hashed.
// Any thread; one lock. The audit log is another sink (audit_log.hpp).
#pragma once

#include "core/error.hpp"
#include "core/ports/event_sink.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace connector::daemon {

enum class LogFormat { text, json };
// plain: with time and level, for terminals and containers. journal: `<4>`, sd-daemon(3); the journal has the time.
enum class ErrorOutput { off, plain, journal };
enum class Persons { clear, hashed };

struct LogOptions {
    std::filesystem::path file;  // empty: none
    std::uint64_t max_size = 50ULL * 1024 * 1024;
    std::size_t files = 10;  // older ones that stay
    LogFormat format = LogFormat::text;
    ErrorOutput error_output = ErrorOutput::plain;
    Severity level = Severity::info;
    Persons persons = Persons::clear;
    // A keyed hash (HMAC) of a lower-case name or address, as a short word. Not a plain digest: a dictionary of
    // addresses would open it.
    std::function<std::string(std::string_view)> hash_person;
    // An identical line within this time is counted, not written.
    std::chrono::seconds repeat_window{60};
    std::function<UtcTime()> now;

    LogOptions() = default;
};

class LogSink final : public ports::EventSink {
public:
    // kind: misconfigured, code logUnwritable, with the file and the system's reason.
    [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(LogOptions options);
    ~LogSink() override;
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;

    void raise(const Event& event) override;
    // A line without an id, for what no administrator has to act on.
    void log(Severity severity, std::string_view text);

    // Reload.
    void set_level(Severity level);
    // Writes the counts of lines that were held back and whose window is over. Call now and then.
    void flush();
    // Lines that could not be written since the start (disk full).
    [[nodiscard]] std::uint64_t lost() const noexcept;

private:
    struct Impl;
    explicit LogSink(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Whether the error output is the journal: $JOURNAL_STREAM names its device and inode (systemd.exec(5)).
[[nodiscard]] bool error_output_is_journal();

}  // namespace connector::daemon
