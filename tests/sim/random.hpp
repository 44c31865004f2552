// Seeded entropy: one number decides a whole run. splitmix64; the same on every machine and standard library.
// fork() gives a stream of its own, so that one part's draws do not shift another's.
#pragma once

#include <cstdint>

namespace connector::sim {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
        return mixed ^ (mixed >> 31U);
    }
    // 0 … n-1; 0 where n is 0.
    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
    }
    bool chance(unsigned permille) { return permille != 0 && below(1000) < permille; }
    [[nodiscard]] Random fork(std::uint64_t name) const {
        Random child(state_ ^ (name * 0xD1B54A32D192ED03ULL));
        child.next();
        return child;
    }

private:
    std::uint64_t state_;
};

}  // namespace connector::sim
