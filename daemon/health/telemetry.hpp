// The engine's counts, as metrics; and what is measured anew for each scrape or question.
// On cc-io.
#pragma once

#include "core/engine/context.hpp"
#include "daemon/health/metrics.hpp"
#include "daemon/health/server.hpp"

namespace connector::health {

class MetricsTelemetry final : public ports::Telemetry {
public:
    // Each way a request can end is there from the start, at 0: a rate sees the first of them as well.
    explicit MetricsTelemetry(Metrics& metrics);
    void request_ended(request::Kind kind, std::string_view result, std::chrono::duration<double> took) override;
    void stage_took(request::Stage stage, std::chrono::duration<double> took) override;
    void refused(std::string_view code) override;
    void authority_request(std::string_view authority, std::string_view result) override;
    void management_request(std::string_view call, std::string_view code) override;

private:
    Metrics& metrics_;
};

// What /healthz, /readyz, the page and `status` say of a running engine.
[[nodiscard]] HealthSnapshot snapshot_of(const engine::Context& context);
// Sets every gauge that follows the engine's state.
void set_gauges(Metrics& metrics, const engine::Context& context);

}  // namespace connector::health
