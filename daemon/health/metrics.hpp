// Metrics: the connector's numbers in Prometheus' text format 0.0.4. Every family of the operator contract is there
// from the start, with HELP and TYPE. Names and labels are a promise: what is added follows their manner. Refuses:
// unbounded series: beyond 256 of a family, label values become "other". No person, device or request is a label. On
// cc-io alone; no locks.
#pragma once

#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace connector::health {

enum class Counter {
    requests_total,             // kind, result: delivered, completed, failed, superseded, cancelled, rejected
    refused_total,              // code
    authority_requests_total,   // authority, result
    management_requests_total,  // call, code
};
enum class Gauge {
    requests_pending,  // stage
    held,              // reason
    frozen,            // kind
    limit_used_ratio,  // limit
    recipients,        // state
    authority_up,      // authority
    directory_up,      // where a directory is asked
    last_lease_timestamp_seconds,
    oldest_pending_seconds,
    clock_skew_seconds,
    certificate_expiry_timestamp_seconds,  // which
    imported_certificates_expiring,
    crypto_queue_length,
    key_pool_size,  // type
    build_info,     // version; always 1
};
enum class Histogram {
    request_duration_seconds,  // kind
    stage_duration_seconds,    // stage
};

class Metrics {
public:
    // `started_at` becomes process_start_time_seconds.
    Metrics(std::string_view version, UtcTime started_at);

    // Label values stand in the order given above; a wrong number of them is a fault of ours and is not counted.
    using Labels = std::initializer_list<std::string_view>;
    void add(Counter family, Labels labels, double amount = 1);
    void set(Gauge family, Labels labels, double value);
    // Forgets a family's series, before it is set anew as a whole (stages that are empty now).
    void clear(Gauge family);
    void observe(Histogram family, Labels labels, double seconds);

    // The whole text; reads the process_* numbers now.
    [[nodiscard]] std::string render() const;

private:
    struct Distribution {
        std::vector<std::uint64_t> buckets;
        std::uint64_t count = 0;
        double sum = 0;
    };
    using Key = std::vector<std::string>;
    template <class Value>
    using Series = std::map<Key, Value>;

    std::array<Series<double>, 4> counters_;
    std::array<Series<double>, 15> gauges_;
    std::array<Series<Distribution>, 2> histograms_;
    UtcTime started_at_;
};

}  // namespace connector::health
