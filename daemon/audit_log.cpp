#include "daemon/audit_log.hpp"

#include "core/event_ids.hpp"
#include "core/printable.hpp"
#include "daemon/audit_line.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace connector::daemon {
namespace {

namespace fs = std::filesystem;

// Far more than one line can have: 64 fields of 1 KiB.
constexpr std::uint64_t k_tail_size = 1024UL * 1024UL;

constexpr std::uint64_t k_said_each = 20;
constexpr std::chrono::seconds k_flood_window{60};

// "" for what is always said.
std::string flood_of(const Event& event) {
    const auto field = [&event](std::string_view name) -> std::string_view {
        for (const auto& [key, value] : event.fields)
            if (key == name) return value;
        return {};
    };
    const bool withdraw = field("kind") == "pfx.withdraw" || field("code") == "withdrawn";
    return event.id == event::k_withdrawn || withdraw ? std::string(event.id) : std::string();
}

Error unwritable(const fs::path& file, ErrorKind kind, int reason) {
    std::string text = printable(file.string()) + ": " + std::generic_category().message(reason);
    if (reason == ELOOP) text = printable(file.string()) + " is a symbolic link; name the file itself";
    return {kind, "auditUnwritable", std::move(text)};
}

void sync_folder(const fs::path& file) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    (void)::fsync(descriptor);
    (void)::close(descriptor);
}

struct Tail {
    std::optional<AuditHead> head;  // of the last line whose link is right
    bool foreign = false;           // after it there is a line whose link is wrong
    bool torn = false;              // the file ends in the middle of a line
};

// The end of a file. What is no line at all is passed over: a crash leaves halves, and what else was cut or garbled
// shows against the anchor.
Tail read_tail(const fs::path& file, const ports::Sealer& sealer) {
    std::ifstream stream(file, std::ios::binary | std::ios::ate);
    if (!stream.is_open()) return {};
    const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(0, stream.tellg()));
    const std::uint64_t wanted = std::min(size, k_tail_size);
    std::string text(wanted, '\0');
    stream.seekg(static_cast<std::streamoff>(size - wanted));
    if (!stream.read(text.data(), static_cast<std::streamsize>(wanted))) return {};

    Tail tail;
    tail.torn = !text.empty() && text.back() != '\n';
    std::string_view rest(text);
    if (!tail.torn && !rest.empty()) rest.remove_suffix(1);
    while (!rest.empty()) {
        const std::size_t end = rest.rfind('\n');
        const std::string_view last = end == std::string_view::npos ? rest : rest.substr(end + 1);
        if (const auto line = parse_audit_line(last)) {
            if (audit_link_of(sealer, line->previous, line->content) == line->link) {
                tail.head = AuditHead{line->sequence, line->link};
                return tail;
            }
            tail.foreign = true;
        }
        if (end == std::string_view::npos) break;
        rest = rest.substr(0, end);
    }
    return tail;
}

std::uint64_t rotation_number(const fs::path& candidate, const fs::path& file) {
    const std::string name = candidate.filename().string();
    const std::string prefix = file.filename().string() + ".";
    if (!name.starts_with(prefix)) return 0;
    std::uint64_t number = 0;
    const char* last = name.data() + name.size();
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), last, number);
    return error == std::errc() && end == last && name[prefix.size()] != '0' ? number : 0;
}

}  // namespace

std::vector<fs::path> audit_files(const fs::path& file) {
    std::vector<std::pair<std::uint64_t, fs::path>> numbered;
    std::error_code error;
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        if (const auto number = rotation_number(at->path(), file)) numbered.emplace_back(number, at->path());
    std::sort(numbered.begin(), numbered.end());
    std::vector<fs::path> files;
    for (auto& [number, path] : numbered) files.push_back(std::move(path));
    if (fs::exists(file, error)) files.push_back(file);
    return files;
}

Result<std::unique_ptr<AuditLog>> AuditLog::open(AuditOptions options, const ports::Sealer& sealer,
                                                 std::optional<AuditHead> anchor) {
    if (!options.now) return Error(ErrorKind::internal, "auditUnwritable", "the audit log has no clock");
    std::unique_ptr<AuditLog> log(new AuditLog(std::move(options), sealer));
    if (const auto opened = log->open_file(); !opened) return opened.error();
    log->find_head(anchor);
    return log;
}

AuditLog::AuditLog(AuditOptions options, const ports::Sealer& sealer) : options_(std::move(options)), sealer_(sealer) {}

AuditLog::~AuditLog() {
    if (file_ < 0) return;
    tell_counts(true);
    (void)::fdatasync(file_);
    (void)::close(file_);
}

Result<void> AuditLog::open_file() {
    const auto refused = [this] { return unwritable(options_.file, ErrorKind::misconfigured, errno); };
    file_ = ::open(options_.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file_ < 0) return refused();
    struct stat about {};
    if (::fstat(file_, &about) != 0) return refused();
    if (!S_ISREG(about.st_mode))
        return Error(ErrorKind::misconfigured, "auditUnwritable",
                     printable(options_.file.string()) + " is not a plain file");
    if ((about.st_mode & 07777U) != 0600U && ::fchmod(file_, 0600) != 0) return refused();
    size_ = static_cast<std::uint64_t>(about.st_size);
    sync_folder(options_.file);
    return {};
}

void AuditLog::find_head(const std::optional<AuditHead>& anchor) {
    bool foreign = false;
    bool found = false;
    const auto files = audit_files(options_.file);
    for (auto at = files.rbegin(); at != files.rend() && !found; ++at) {
        const Tail tail = read_tail(*at, sealer_);
        if (*at == options_.file) torn_ = tail.torn;
        foreign = foreign || tail.foreign;
        found = tail.head.has_value();
        if (found) head_ = *tail.head;
    }
    if (foreign)
        fault_ = "after line " + std::to_string(head_.sequence) +
                 " there is one that was not written by us with this sealing key";
    if (!anchor) return;
    if (anchor->sequence > head_.sequence)
        fault_ = "it ends with line " + std::to_string(head_.sequence) + ", and line " +
                 std::to_string(anchor->sequence) + " had been written";
    else if (anchor->sequence == head_.sequence && anchor->link != head_.link)
        fault_ = "its last line, " + std::to_string(head_.sequence) + ", is not the one that was written";
    // The chain goes on from what is certain, so that the gap can be seen for ever.
    if (!fault_.empty() && anchor->sequence >= head_.sequence) head_ = *anchor;
}

Result<void> AuditLog::write(const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t put = ::write(file_, text.data() + done, text.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            const int reason = put < 0 ? errno : EIO;
            torn_ = torn_ || done > 0;
            size_ += done;
            return unwritable(options_.file, ErrorKind::unavailable, reason);
        }
        done += static_cast<std::size_t>(put);
    }
    size_ += done;
    return {};
}

void AuditLog::raise(const Event& event) {
    const EventDefinition* known = find_event(event.id);
    if (known != nullptr && !known->audited) return;
    if (!to_be_said(event)) return;
    const auto written = append(event);
    if (!written && options_.on_failure) options_.on_failure(written.error());
}

bool AuditLog::to_be_said(const Event& event) {
    const auto key = flood_of(event);
    if (key.empty()) return true;
    const UtcTime now = options_.now();
    const std::scoped_lock guard(repeated_lock_);
    const auto found = repeated_.find(key);
    if (found == repeated_.end()) {
        repeated_.emplace(key, Repeated{now, 1, 0, event});
        return true;
    }
    auto& repeated = found->second;
    if (++repeated.said <= k_said_each) return true;
    ++repeated.held_back;
    repeated.last = event;
    return false;
}

void AuditLog::tell_counts(bool all) {
    std::vector<Event> counts;
    {
        const UtcTime now = options_.now();
        const std::scoped_lock guard(repeated_lock_);
        for (auto at = repeated_.begin(); at != repeated_.end();) {
            auto& repeated = at->second;
            const bool over = all || now < repeated.since || now - repeated.since >= k_flood_window;
            if (over && repeated.held_back != 0)
                counts.push_back(std::move(repeated.last.with("repeated", std::to_string(repeated.held_back))));
            at = over ? repeated_.erase(at) : std::next(at);
        }
    }
    for (const auto& event : counts) {
        const auto written = append(event);
        if (!written && options_.on_failure) options_.on_failure(written.error());
    }
}

void AuditLog::flush() {
    tell_counts(false);
}

Result<void> AuditLog::append(const Event& event) {
    const std::scoped_lock guard(lock_);
    if (size_ >= options_.rotate_at) rotate();
    AuditHead next{head_.sequence + 1, {}};
    const auto generation = options_.generation ? std::optional(options_.generation()) : std::nullopt;
    std::string line = make_audit_line(sealer_, head_, event, options_.now(), generation, next.link) + "\n";
    if (torn_) line.insert(0, "\n");
    if (auto written = write(line); !written) return written;
    torn_ = false;
    head_ = next;
    if (options_.on_head) options_.on_head(head_);
    return {};
}

// Where it cannot be moved, the file grows: a line is worth more than its size.
void AuditLog::rotate() {
    (void)::fdatasync(file_);
    std::uint64_t number = 0;
    for (const auto& file : audit_files(options_.file)) number = std::max(number, rotation_number(file, options_.file));
    const fs::path target = options_.file.string() + "." + std::to_string(number + 1);
    // link() and not rename(): it never replaces a file that is there.
    if (::link(options_.file.c_str(), target.c_str()) != 0) return;
    if (::unlink(options_.file.c_str()) != 0) return;
    const int full = file_;
    if (!open_file()) {
        file_ = full;  // goes on under its new name
        return;
    }
    (void)::close(full);
    torn_ = false;
}

Result<AuditHead> AuditLog::sync() {
    const std::scoped_lock guard(lock_);
    if (::fdatasync(file_) != 0) return unwritable(options_.file, ErrorKind::unavailable, errno);
    return head_;
}

AuditHead AuditLog::head() const {
    const std::scoped_lock guard(lock_);
    return head_;
}

}  // namespace connector::daemon
