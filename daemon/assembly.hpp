// What a configuration comes to, as far as it can be exchanged while the daemon runs: rules, certificates, keys,
// authorities. Built whole or not at all, at the start and for each reload.
// Reads files and asks no peer. Any one thread; what is built belongs to cc-io.
#pragma once

#include "config/settings.hpp"
#include "core/engine/context.hpp"
#include "daemon/authority/factory.hpp"
#include "daemon/directory/ldap.hpp"
#include "daemon/health/server.hpp"
#include "daemon/keys/software.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/own_certificates.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace connector::daemon {

// What is there from the start to the end.
struct Surroundings {
    ports::Offload& offload;
    ports::Offload& directory_offload;
    ports::Clock& clock;
    net::Resolver& resolver;
    const ports::Crypto& crypto;
    ports::EventSink& events;
};

struct Assembly {
    std::shared_ptr<const config::Settings> settings;
    engine::Rules rules;
    net::Url service;
    std::optional<ConnectorId> connector;  // always there
    UtcTime certificate_expires;
    Sha256 certificate_sha256;
    std::shared_ptr<const net::TlsContext> tls;
    std::optional<net::Proxy> proxy;
    std::shared_ptr<const keys::SoftwareKeys> import_keys;
    std::shared_ptr<const ports::Packager> packager;
    std::vector<OwnCertificate> own;
    authority::AuthorityMap authorities;
    std::shared_ptr<ports::Directory> directory;  // null where nobody asks one
    health::HealthAccess health;
};

// kind: as the start gives them: misconfigured, unauthorized, …; the message names key and file.
[[nodiscard]] Result<Assembly> assemble(std::shared_ptr<const config::Settings> settings,
                                        const Surroundings& surroundings);

// The keys of the table that are read at the start alone and differ: "storage.directory, health.listen"; "" where none.
[[nodiscard]] std::string needs_restart(const config::Settings& old, const config::Settings& fresh);

}  // namespace connector::daemon
