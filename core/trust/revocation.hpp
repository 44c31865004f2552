// What the device authorities' revocation lists say of one certificate. Values only, any thread.
#pragma once

#include <string>

namespace connector::trust {

struct Revocation {
    enum class State { good, revoked, unknown };
    State state = State::unknown;
    std::string code;    // unknown: crlMissing, crlStale, crlUnfit
    std::string detail;  // why it is unknown, for the log
};

}  // namespace connector::trust
