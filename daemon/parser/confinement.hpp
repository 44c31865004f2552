// How a parser locks itself in, for good: from then on it can read and write its one socket, have memory within its
// limit, take the time and random octets, and end. No file, no network, no other process, no new program: any other
// system call ends it at once. Linux: seccomp and resource limits.
#pragma once

#include "daemon/parser/wire.hpp"

#include <linux/filter.h>

#include <vector>

namespace connector::parser {

// The descriptor that a parser has its socket on; the only one it may read and write.
inline constexpr int k_parser_descriptor = 0;

class Confinement {
public:
    // Made once, by the keeper; nullopt where the system has no such filter.
    [[nodiscard]] static std::optional<Confinement> prepare();
    // In the parser, with its socket on k_parser_descriptor. Closes every other descriptor. False: not locked in, and
    // the process must end.
    [[nodiscard]] bool enter(const Order& order) const;

private:
    std::vector<sock_filter> filter_;
};

}  // namespace connector::parser
