// From [authority.NAME] to authorities: all of them or none. What cannot be opened here is wrong on this machine (a
// file, a passphrase, the root's key where it must not be): the daemon does not start, and a reload keeps the old ones.
// No peer is asked: an authority that is down must not keep the daemon down.
// Start and reload only; reads files.
#pragma once

#include "config/settings.hpp"
#include "core/ports/authority.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/offload.hpp"
#include "daemon/net/resolver.hpp"

#include <map>
#include <memory>
#include <string>

namespace connector::authority {

using AuthorityMap = std::map<std::string, std::unique_ptr<ports::Authority>, std::less<>>;

// `offload`, `clock` and `resolver` outlive them. kind: misconfigured; the message names every authority that failed.
[[nodiscard]] Result<AuthorityMap> make_authorities(const config::Settings& settings, ports::Offload& offload,
                                                    ports::Clock& clock, net::Resolver& resolver);

}  // namespace connector::authority
