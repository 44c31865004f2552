// What is stopped, as the engine sees it: the ledger's list and what a person has said that could not be written yet.
// Every act asks at the last moment; a job on the pool asks the same flags, for it may have waited in a queue. cc-io,
// but for the flags.
#pragma once

#include "core/request/stops.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace connector::engine {

// Any thread.
class StopFlags {
public:
    void set(request::Kind kind, bool stopped) noexcept { flags_[index(kind)].store(stopped); }
    [[nodiscard]] bool stopped(request::Kind kind) const noexcept { return flags_[index(kind)].load(); }

private:
    static constexpr std::size_t k_kinds = 5;
    [[nodiscard]] static std::size_t index(request::Kind kind) noexcept { return static_cast<std::size_t>(kind); }
    std::array<std::atomic<bool>, k_kinds> flags_{};
};

struct Stopping {
    std::vector<request::Stop> stops;      // in force
    std::vector<request::Stop> unwritten;  // of these, what the ledger could not take yet
    std::shared_ptr<StopFlags> flags = std::make_shared<StopFlags>();

    [[nodiscard]] bool stopped(request::Kind kind) const noexcept { return flags->stopped(kind); }
    [[nodiscard]] bool tripped() const noexcept;
    [[nodiscard]] bool by_clock() const noexcept;
    // The ledger has taken these; what was said meanwhile is still to be written.
    void are_written(const std::vector<request::Stop>& taken);
    // Of `kinds`, those that are not stopped.
    [[nodiscard]] std::vector<request::Kind> going(const std::vector<request::Kind>& kinds) const;
    // Of all kinds, those that are.
    [[nodiscard]] std::vector<request::Kind> stopped_kinds() const;
};

}  // namespace connector::engine
