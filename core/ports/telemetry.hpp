// Port: what is counted for the metrics. cc-io only; labels are configured names and closed words, never a person's.
#pragma once

#include "core/request/record.hpp"

#include <chrono>
#include <string_view>

namespace connector::ports {

class Telemetry {
public:
    virtual ~Telemetry() = default;
    // result: delivered, completed, failed, superseded, cancelled, rejected
    virtual void request_ended(request::Kind kind, std::string_view result, std::chrono::duration<double> took) = 0;
    virtual void stage_took(request::Stage stage, std::chrono::duration<double> took) = 0;
    virtual void refused(std::string_view code) = 0;
    virtual void authority_request(std::string_view authority, std::string_view result) = 0;
    virtual void management_request(std::string_view call, std::string_view code) = 0;
};

}  // namespace connector::ports
