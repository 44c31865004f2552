// Port: where events go (log, journal, audit log) and where the metrics are counted. cc-io only unless it says
// otherwise.
#pragma once

#include "core/events.hpp"

namespace connector::ports {

class EventSink {
public:
    virtual ~EventSink() = default;
    // Any thread. An audited event is in the audit log when this returns.
    virtual void raise(const Event& event) = 0;
};

}  // namespace connector::ports
