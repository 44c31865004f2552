#include "daemon/health/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace connector::health {
namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, ShowsEveryFamilyOfTheContractFromTheStart) {
    const Metrics metrics("1.0.0", UtcTime(std::chrono::seconds(1234)));
    const std::string text = metrics.render();
    for (const char* family :
         {"requests_total counter", "requests_pending gauge", "held gauge", "frozen gauge",
          "request_duration_seconds histogram", "stage_duration_seconds histogram", "refused_total counter",
          "limit_used_ratio gauge", "recipients gauge", "authority_requests_total counter", "authority_up gauge",
          "management_requests_total counter", "last_lease_timestamp_seconds gauge", "oldest_pending_seconds gauge",
          "certificate_expiry_timestamp_seconds gauge", "imported_certificates_expiring gauge",
          "crypto_queue_length gauge", "key_pool_size gauge", "build_info gauge"})
        EXPECT_TRUE(has_line(text, "# TYPE pfx_connector_" + std::string(family))) << family;
    for (const char* family : {"process_cpu_seconds_total counter", "process_open_fds gauge", "process_max_fds gauge",
                               "process_virtual_memory_bytes gauge", "process_resident_memory_bytes gauge",
                               "process_start_time_seconds gauge"})
        EXPECT_TRUE(has_line(text, "# TYPE " + std::string(family))) << family;
    EXPECT_TRUE(has_line(text, "pfx_connector_build_info{version=\"1.0.0\"} 1"));
    EXPECT_TRUE(has_line(text, "process_start_time_seconds 1234"));
    EXPECT_EQ(text.find("process_resident_memory_bytes 0\n"), std::string::npos);
}

TEST(Metrics, CountsSetsAndClears) {
    Metrics metrics("1", UtcTime());
    metrics.add(Counter::requests_total, {"pkcs.issue", "delivered"});
    metrics.add(Counter::requests_total, {"pkcs.issue", "delivered"}, 2);
    metrics.set(Gauge::requests_pending, {"accepted"}, 7);
    metrics.set(Gauge::limit_used_ratio, {"issue_per_day"}, 0.25);
    metrics.set(Gauge::oldest_pending_seconds, {}, 95);
    std::string text = metrics.render();
    EXPECT_TRUE(has_line(text, "pfx_connector_requests_total{kind=\"pkcs.issue\",result=\"delivered\"} 3"));
    EXPECT_TRUE(has_line(text, "pfx_connector_requests_pending{stage=\"accepted\"} 7"));
    EXPECT_TRUE(has_line(text, "pfx_connector_limit_used_ratio{limit=\"issue_per_day\"} 0.25"));
    EXPECT_TRUE(has_line(text, "pfx_connector_oldest_pending_seconds 95"));
    metrics.clear(Gauge::requests_pending);
    text = metrics.render();
    EXPECT_EQ(text.find("requests_pending{"), std::string::npos);
}

TEST(Metrics, DistributesDurations) {
    Metrics metrics("1", UtcTime());
    metrics.observe(Histogram::request_duration_seconds, {"pkcs.issue"}, 0.3);
    metrics.observe(Histogram::request_duration_seconds, {"pkcs.issue"}, 1e9);
    const std::string text = metrics.render();
    const std::string name = "pfx_connector_request_duration_seconds";
    EXPECT_TRUE(has_line(text, name + "_bucket{kind=\"pkcs.issue\",le=\"0.25\"} 0"));
    EXPECT_TRUE(has_line(text, name + "_bucket{kind=\"pkcs.issue\",le=\"0.5\"} 1"));
    EXPECT_TRUE(has_line(text, name + "_bucket{kind=\"pkcs.issue\",le=\"+Inf\"} 2"));
    EXPECT_TRUE(has_line(text, name + "_count{kind=\"pkcs.issue\"} 2"));
}

TEST(Metrics, StaysBoundedAndHarmless) {
    Metrics metrics("1", UtcTime());
    metrics.add(Counter::refused_total, {"a\"\\\n{}\x1b"});
    EXPECT_NE(metrics.render().find("refused_total{code=\"a\\\"\\\\\\\\n{}"), std::string::npos) << metrics.render();
    for (int i = 0; i < 1000; ++i) metrics.add(Counter::refused_total, {std::to_string(i)});
    const std::string text = metrics.render();
    std::size_t lines = 0;
    for (std::size_t at = text.find("refused_total{"); at != std::string::npos;
         at = text.find("refused_total{", at + 1))
        ++lines;
    EXPECT_LE(lines, 257U);
    EXPECT_NE(text.find("refused_total{code=\"other\"} 745"), std::string::npos);
    metrics.add(Counter::refused_total, {});
    metrics.add(Counter::refused_total, {"a", "b"});
    EXPECT_EQ(metrics.render().size() > 0, true);
}

}  // namespace
}  // namespace connector::health
