#include "daemon/assembly.hpp"

#include "config/credentials.hpp"
#include "core/crypto/certificate.hpp"
#include "core/engine/directory.hpp"
#include "core/event_ids.hpp"
#include "daemon/connection.hpp"
#include "daemon/delivery/cms.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/rules.hpp"

#include <utility>

namespace connector::daemon {
namespace {

Error unreadable(ports::EventSink& events, Error error) {
    events.raise(Event(event::k_key_unreadable).with("reason", error.message));
    return error;
}

// Who we are towards the service: the certificate and key that `enroll` wrote.
struct Identity {
    net::TlsIdentity tls;
    ConnectorId connector;
    UtcTime not_before;
    UtcTime expires;
    Sha256 sha256;
};
Result<Identity> load_identity(const config::Management& management, ports::EventSink& events) {
    auto certificates = keys::load_certificates(management.certificate);
    if (!certificates)
        return certificates.error().in("[management] certificate (has `pfx-connector enroll` been run?)");
    auto key = keys::read_secret_file(management.key, true);
    if (!key) return unreadable(events, key.error().in("[management] key"));
    const auto facts = crypto::inspect(certificates->front());
    if (!facts) return facts.error().in("[management] certificate");
    std::optional<ConnectorId> id;
    std::size_t names = 0;
    for (const auto& rdn : facts->subject.rdns)
        for (const auto& attribute : rdn)
            if (attribute.type == oid::k_common_name) {
                id = ConnectorId::parse(attribute.value);
                ++names;
            }
    if (names != 1 || !id)
        return Error(ErrorKind::misconfigured, "certificateUnfit",
                     "[management] certificate: its subject must have exactly one CN, the connector's id; enrol again");
    Identity identity{net::TlsIdentity{std::move(*certificates), std::move(*key)}, *id, facts->not_before,
                      facts->not_after, facts->sha256};
    return identity;
}

constexpr std::size_t k_shortest_token = 20;

Result<health::HealthAccess> health_access(const config::Health& health) {
    health::HealthAccess access;
    if (health.token) {
        auto token = config::read_password(*health.token);
        if (!token) return token.error().in("[health] token");
        if (token->size() < k_shortest_token)
            return Error(ErrorKind::misconfigured, "tokenTooShort",
                         "[health] token: it has fewer than 20 characters; `openssl rand -hex 16` makes a good one");
        access.token = std::make_shared<const SecretBytes>(std::move(*token));
    }
    if (!health.tls_certificate.empty()) {
        auto signer = keys::load_signer(health.tls_certificate, *health.tls_key, {});
        if (!signer) return signer.error().in("[health] tls_certificate");
        net::TlsIdentity identity;
        identity.certificates.push_back(std::move(signer->certificate));
        for (Bytes& issuer : signer->chain) identity.certificates.push_back(std::move(issuer));
        identity.key = std::move(signer->pkcs8);
        auto tls = net::TlsContext::serve(identity);
        if (!tls) return tls.error().in("[health] tls_certificate");
        access.tls = std::move(*tls);
    }
    return access;
}

}  // namespace

Result<Assembly> assemble(std::shared_ptr<const config::Settings> settings, const Surroundings& surroundings) {
    auto& events = surroundings.events;
    Assembly made;
    made.settings = settings;
    auto rules = rules_from(*settings);
    if (!rules) return rules.error();
    enrolment::finish_install(*settings);
    auto identity = load_identity(settings->management, events);
    if (!identity) return identity.error();
    made.own.push_back({"connector", identity->not_before, identity->expires});
    made.connector = identity->connector;
    made.certificate_expires = identity->expires;
    made.certificate_sha256 = identity->sha256;
    auto connection = connection_of(settings->management, std::move(identity->tls));
    if (!connection) return connection.error();
    auto import_keys = keys::SoftwareKeys::load(settings->import_keys);
    if (!import_keys) return unreadable(events, import_keys.error());
    auto signer = keys::load_delivery_signer(*settings);
    if (!signer) return unreadable(events, signer.error());
    if (const auto facts = crypto::inspect(signer->certificate); facts && !settings->delivery.certificate.empty())
        made.own.push_back({"delivery", facts->not_before, facts->not_after});
    auto authorities =
        authority::make_authorities(*settings, surroundings.offload, surroundings.clock, surroundings.resolver);
    if (!authorities) return authorities.error();
    if (engine::asks_directory(*rules)) {
        auto directory =
            directory::LdapDirectory::make(settings->directory, surroundings.directory_offload, surroundings.clock);
        if (!directory) return directory.error();
        made.directory = std::move(*directory);
    }
    auto access = health_access(settings->health);
    if (!access) return access.error();
    made.health = std::move(*access);
    made.rules = std::move(*rules);
    made.service = std::move(connection->service);
    made.tls = std::move(connection->tls);
    made.proxy = std::move(connection->proxy);
    made.import_keys = std::move(*import_keys);
    made.packager = std::make_shared<const delivery::CmsPackager>(surroundings.crypto, std::move(*signer));
    made.authorities = std::move(*authorities);
    return made;
}

std::string needs_restart(const config::Settings& old, const config::Settings& fresh) {
    std::string keys;
    const auto compare = [&keys](std::string_view key, const auto& before, const auto& after) {
        if (!(before == after)) keys += (keys.empty() ? "" : ", ") + std::string(key);
    };
    compare("management.url", old.management.url, fresh.management.url);
    compare("management.request_timeout_seconds", old.management.request_timeout, fresh.management.request_timeout);
    compare("recipients.crl_files", old.recipients.crl_files, fresh.recipients.crl_files);
    compare("recipients.crl_urls", old.recipients.crl_urls, fresh.recipients.crl_urls);
    if (old.recipients.asks_lists())
        compare("recipients.ca_file (of the revocation lists)", old.recipients.ca_file, fresh.recipients.ca_file);
    compare("notify", old.notify, fresh.notify);
    compare("connector.crypto_threads", old.connector.crypto_threads, fresh.connector.crypto_threads);
    compare("connector.drain_seconds", old.connector.drain, fresh.connector.drain);
    compare("storage.directory", old.storage.directory, fresh.storage.directory);
    compare("sealing.key", old.sealing.key, fresh.sealing.key);
    compare("log.file", old.log.file, fresh.log.file);
    compare("log.format", old.log.format, fresh.log.format);
    compare("log.max_size_mb", old.log.max_size_mb, fresh.log.max_size_mb);
    compare("log.files", old.log.files, fresh.log.files);
    compare("log.journal", old.log.journal, fresh.log.journal);
    compare("log.users", old.log.users, fresh.log.users);
    compare("audit.file", old.audit.file, fresh.audit.file);
    compare("health.listen", old.health.listen, fresh.health.listen);
    compare("health.page", old.health.page, fresh.health.page);
    compare("health.hosts", old.health.hosts, fresh.health.hosts);
    compare("health.allow_remote", old.health.allow_remote, fresh.health.allow_remote);
    compare("control.socket", old.control.socket, fresh.control.socket);
    compare("control.group", old.control.group, fresh.control.group);
    return keys;
}

}  // namespace connector::daemon
