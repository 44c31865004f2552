#include "daemon/rules.hpp"

#include "daemon/keys/load.hpp"

namespace connector::daemon {

Result<engine::Rules> rules_from(const config::Settings& settings) {
    engine::Rules rules;
    rules.version = CONNECTOR_VERSION;
    rules.kinds = settings.connector.kinds;
    rules.policy = settings.policy;
    rules.recipients = settings.recipients.rules;
    rules.importer = settings.importer.rules;
    rules.limits = settings.limits;
    rules.protected_users = settings.protected_users;
    rules.approvers = settings.control.approvers;
    if (!settings.recipients.ca_file.empty()) {
        auto issuers = keys::load_certificates(settings.recipients.ca_file);
        if (!issuers) return issuers.error().in("[recipients] ca_file");
        rules.recipients.issuers = std::move(*issuers);
    }
    if (!settings.recipients.statement_signers_file.empty()) {
        auto signers = keys::load_certificates(settings.recipients.statement_signers_file);
        if (!signers) return signers.error().in("[recipients] statement_signers");
        rules.recipients.statement_signers = std::move(*signers);
    }
    if (!settings.importer.signers_file.empty()) {
        auto signers = keys::load_certificates(settings.importer.signers_file);
        if (!signers) return signers.error().in("[importer] signers");
        rules.importer.signers = std::move(*signers);
    }
    for (const auto& [name, authority] : settings.authorities) {
        engine::AuthorityRules one;
        one.concurrency = authority.concurrency;
        one.failures = authority.breaker.failures;
        one.open = authority.breaker.open;
        rules.authorities.emplace(name, one);
    }
    rules.poll_wait = settings.management.poll_wait;
    rules.batch = settings.management.batch;
    rules.in_flight = settings.connector.in_flight;
    rules.max_pending = settings.connector.max_pending;
    rules.hold = settings.recipients.hold;
    rules.keep_undelivered = settings.storage.keep_undelivered;
    rules.keep_closed = settings.storage.keep_closed;
    rules.legacy_pkcs12 = settings.delivery.legacy_allowed;
    return rules;
}

}  // namespace connector::daemon
