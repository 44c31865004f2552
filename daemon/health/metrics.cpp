#include "daemon/health/metrics.hpp"

#include "core/printable.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace connector::health {
namespace {

constexpr std::size_t k_most_series = 256;
constexpr std::size_t k_longest_label = 128;
constexpr std::size_t k_most_labels = 2;

struct Family {
    std::string_view name;  // behind "pfx_connector_"
    std::string_view help;
    std::array<std::string_view, k_most_labels> labels;  // "" = none
};

constexpr std::array<Family, 4> k_counters{{
    {"requests_total", "Requests that ended, by kind and the service's last word or our own.", {"kind", "result"}},
    {"refused_total", "Requests refused here, by result code.", {"code", ""}},
    {"authority_requests_total", "Calls to an authority, by how they ended.", {"authority", "result"}},
    {"management_requests_total", "Calls to the management service, by HTTP status or error code.", {"call", "code"}},
}};
constexpr std::array<Family, 15> k_gauges{{
    {"requests_pending", "Open requests, by durable stage.", {"stage", ""}},
    {"held", "Requests that wait for a person, by reason.", {"reason", ""}},
    {"frozen", "1 while a kind of request is stopped, by a person or by a limit.", {"kind", ""}},
    {"limit_used_ratio", "How much of a limit is used; at 1 and above requests are held.", {"limit", ""}},
    {"recipients", "Device keys in the local register, by state.", {"state", ""}},
    {"authority_up", "1 while the authority works, 0 while it does not.", {"authority", ""}},
    {"directory_up", "1 while the directory answers, 0 while it does not.", {"", ""}},
    {"last_lease_timestamp_seconds", "When requests were last leased, in seconds since 1970.", {"", ""}},
    {"oldest_pending_seconds", "Age of the oldest open request that is not held.", {"", ""}},
    {"clock_skew_seconds", "Our clock minus the management service's.", {"", ""}},
    {"certificate_expiry_timestamp_seconds", "When one of the connector's own certificates expires.", {"which", ""}},
    {"imported_certificates_expiring",
     "Users' newest imported encryption certificates, as far as delivered from here, that end within 30 days.",
     {"", ""}},
    {"crypto_queue_length", "Jobs that wait for a crypto thread.", {"", ""}},
    {"key_pool_size", "Keys made in advance, by type.", {"type", ""}},
    {"build_info", "1, labelled with the version.", {"version", ""}},
}};
constexpr std::array<Family, 2> k_histograms{{
    {"request_duration_seconds", "From the acceptance of a request to its end.", {"kind", ""}},
    {"stage_duration_seconds", "Time that a request spent in a durable stage.", {"stage", ""}},
}};
// From a fast issue to one that a person had to approve.
constexpr std::array<double, 14> k_buckets{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400};

std::size_t label_count(const Family& family) noexcept {
    return static_cast<std::size_t>(std::count_if(family.labels.begin(), family.labels.end(),
                                                  [](std::string_view label) { return !label.empty(); }));
}

// The series of these labels, "other" once there are too many; nullptr for a wrong number of labels.
template <class Series>
typename Series::mapped_type* series_of(Series& series, const Family& family, Metrics::Labels labels) {
    if (labels.size() != label_count(family)) return nullptr;
    typename Series::key_type key;
    for (const std::string_view label : labels) key.push_back(printable(label, k_longest_label));
    if (series.size() >= k_most_series && series.find(key) == series.end())
        std::fill(key.begin(), key.end(), std::string("other"));
    return &series[key];
}

std::string number(double value) {
    std::array<char, 64> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string(text.data(), end.ptr);
}

std::string in_quotes(std::string_view value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        text += c;
    }
    return text + "\"";
}

void head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

std::string full_name(const Family& family) {
    return "pfx_connector_" + std::string(family.name);
}

std::string label_text(const Family& family, const std::vector<std::string>& values, std::string_view more = {}) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!text.empty()) text += ',';
        text.append(family.labels[i]).append("=").append(in_quotes(values[i]));
    }
    if (!more.empty()) text.append(text.empty() ? "" : ",").append(more);
    return text.empty() ? text : "{" + text + "}";
}

void line(std::string& out, std::string_view name, std::string_view labels, double value) {
    out.append(name).append(labels).append(" ").append(number(value)).append("\n");
}

struct ProcessNumbers {
    std::optional<double> cpu_seconds;
    std::optional<double> virtual_bytes;
    std::optional<double> resident_bytes;
    std::optional<double> open_fds;
    std::optional<double> max_fds;
};

#ifdef __linux__
ProcessNumbers read_process() {
    ProcessNumbers numbers;
    std::ifstream file("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    // The second field is the program's name and may hold anything; what follows its last bracket is fixed (proc(5)).
    const auto bracket = text.rfind(')');
    if (bracket != std::string::npos) {
        std::istringstream fields(text.substr(bracket + 1));
        const std::vector<std::string> words{std::istream_iterator<std::string>(fields),
                                             std::istream_iterator<std::string>()};
        const auto field = [&words](std::size_t one_based) {
            double value = 0;
            const std::size_t at = one_based - 3;
            if (at < words.size()) std::from_chars(words[at].data(), words[at].data() + words[at].size(), value);
            return value;
        };
        numbers.cpu_seconds = (field(14) + field(15)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
        numbers.virtual_bytes = field(23);
        numbers.resident_bytes = field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    }
    std::error_code code;
    double open = 0;
    for (std::filesystem::directory_iterator at("/proc/self/fd", code), end; !code && at != end; at.increment(code))
        ++open;
    if (!code) numbers.open_fds = open;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) numbers.max_fds = static_cast<double>(limit.rlim_cur);
    return numbers;
}
#else
ProcessNumbers read_process() {
    return {};
}
#endif

void process_line(std::string& out, std::string_view name, std::string_view help, std::string_view type,
                  std::optional<double> value) {
    head(out, name, help, type);
    if (value) line(out, name, "", *value);
}

}  // namespace

Metrics::Metrics(std::string_view version, UtcTime started_at) : started_at_(started_at) {
    set(Gauge::build_info, {version}, 1);
}

void Metrics::add(Counter family, Labels labels, double amount) {
    const auto at = static_cast<std::size_t>(family);
    if (double* value = series_of(counters_[at], k_counters[at], labels)) *value += amount;
}

void Metrics::set(Gauge family, Labels labels, double value) {
    const auto at = static_cast<std::size_t>(family);
    if (double* kept = series_of(gauges_[at], k_gauges[at], labels)) *kept = value;
}

void Metrics::clear(Gauge family) {
    gauges_[static_cast<std::size_t>(family)].clear();
}

void Metrics::observe(Histogram family, Labels labels, double seconds) {
    const auto at = static_cast<std::size_t>(family);
    Distribution* kept = series_of(histograms_[at], k_histograms[at], labels);
    if (kept == nullptr) return;
    kept->buckets.resize(k_buckets.size());
    for (std::size_t i = 0; i < k_buckets.size(); ++i)
        if (seconds <= k_buckets[i]) ++kept->buckets[i];
    ++kept->count;
    kept->sum += seconds;
}

std::string Metrics::render() const {
    std::string out;
    for (std::size_t i = 0; i < k_counters.size(); ++i) {
        const std::string name = full_name(k_counters[i]);
        head(out, name, k_counters[i].help, "counter");
        for (const auto& [key, value] : counters_[i]) line(out, name, label_text(k_counters[i], key), value);
    }
    for (std::size_t i = 0; i < k_gauges.size(); ++i) {
        const std::string name = full_name(k_gauges[i]);
        head(out, name, k_gauges[i].help, "gauge");
        for (const auto& [key, value] : gauges_[i]) line(out, name, label_text(k_gauges[i], key), value);
    }
    for (std::size_t i = 0; i < k_histograms.size(); ++i) {
        const Family& family = k_histograms[i];
        const std::string name = full_name(family);
        head(out, name, family.help, "histogram");
        for (const auto& [key, value] : histograms_[i]) {
            for (std::size_t b = 0; b < k_buckets.size(); ++b)
                line(out, name + "_bucket", label_text(family, key, "le=\"" + number(k_buckets[b]) + "\""),
                     static_cast<double>(value.buckets[b]));
            line(out, name + "_bucket", label_text(family, key, "le=\"+Inf\""), static_cast<double>(value.count));
            line(out, name + "_sum", label_text(family, key), value.sum);
            line(out, name + "_count", label_text(family, key), static_cast<double>(value.count));
        }
    }
    const ProcessNumbers process = read_process();
    process_line(out, "process_cpu_seconds_total", "User and system time used.", "counter", process.cpu_seconds);
    process_line(out, "process_open_fds", "Open file descriptors.", "gauge", process.open_fds);
    process_line(out, "process_max_fds", "Most file descriptors.", "gauge", process.max_fds);
    process_line(out, "process_virtual_memory_bytes", "Virtual memory.", "gauge", process.virtual_bytes);
    process_line(out, "process_resident_memory_bytes", "Resident memory.", "gauge", process.resident_bytes);
    process_line(out, "process_start_time_seconds", "Start of the process in seconds since 1970.", "gauge",
                 static_cast<double>(started_at_.time_since_epoch().count()));
    return out;
}

}  // namespace connector::health
