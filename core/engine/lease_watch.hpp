// Whether leasing has stalled: an age, since a service that refuses, hangs or puts off each lease call may answer
// everything else. Monotonic time. cc-io.
#pragma once

#include "core/time.hpp"

#include <chrono>
#include <optional>

namespace connector::engine {

class LeaseWatch {
public:
    // To be called every second or so. `wanted`: a lease call may be made, and is; else nothing is waited for.
    // `poll_wait`: how long the service may hold one. True once for each stall, when it is found.
    [[nodiscard]] bool look(bool wanted, Tick now, std::chrono::seconds poll_wait) noexcept;
    // One was answered with what there is, be it nothing.
    void answered() noexcept { *this = LeaseWatch(); }

    [[nodiscard]] bool stalled() const noexcept { return stalled_; }

private:
    std::optional<Tick> waiting_since_;  // nullopt: from the next look on
    Tick looked_;
    bool stalled_ = false;
};

}  // namespace connector::engine
