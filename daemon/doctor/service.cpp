// The management service, and the proxy on the way: one call that changes nothing there (the connector's is a renewal
// of a lease that does not exist, and is answered as lost; the importing tool's is a look for a user who does not
// exist).
#include "daemon/cli/service.hpp"

#include "config/credentials.hpp"
#include "core/crypto/certificate.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/management/answer.hpp"
#include "daemon/management/wire.hpp"

namespace connector::doctor {
namespace {

constexpr std::chrono::seconds k_longest_wait{15};
// Certificates are judged by this clock: minutes decide whether a fresh one is valid yet.
constexpr std::chrono::seconds k_clock_fault{300};
constexpr std::chrono::seconds k_clock_warning{30};

struct Identity {
    net::TlsIdentity tls;
    std::string connector;
};

std::optional<Identity> identity_of(const config::Settings& settings) {
    config::SecretRef key;
    key.source = config::SecretRef::Source::file;
    key.path = settings.management.key;
    auto signer = keys::load_signer(settings.management.certificate, key, {});
    if (!signer) return std::nullopt;
    const auto facts = crypto::inspect(signer->certificate);
    if (!facts) return std::nullopt;
    Identity identity;
    identity.connector = enrolment::only_common_name(*facts);
    identity.tls.certificates.push_back(std::move(signer->certificate));
    for (Bytes& issuer : signer->chain) identity.tls.certificates.push_back(std::move(issuer));
    identity.tls.key = std::move(signer->pkcs8);
    return identity;
}

struct Way {
    std::string host;
    std::uint16_t port = 0;
    bool through_proxy = false;
};

Way way_to(const config::Settings& settings, const net::Url& url) {
    if (!settings.management.proxy.empty()) {
        if (auto proxy = net::parse_proxy(settings.management.proxy)) {
            proxy->no_proxy = settings.management.no_proxy;
            if (!proxy->covers(url.host)) return {proxy->host, proxy->port, true};
        }
    }
    return {url.host, url.port, false};
}

// How far the call came, from what it failed with.
void judge_failure(Checks& checks, const Error& error, const Way& way, const net::Url& url,
                   const std::string& mend_of_credential) {
    const std::string& code = error.code;
    const std::string where = way.host + ":" + std::to_string(way.port);
    if (code.starts_with("proxy")) {
        const std::string mend = code == "proxyUnauthorized" ? "set management.proxy_user and management.proxy_password"
                                 : code == "proxyRefused"    ? "let the proxy allow CONNECT to " + url.authority()
                                                             : "look at the proxy, or at management.proxy";
        return checks.fault("proxy", error.message, mend);
    }
    if (code == "connectFailed" || code == "connectTimedOut" || code == "connectionLost" || code == "dnsFailed")
        return checks.fault(way.through_proxy ? "proxy" : "connection", error.message,
                            "is it up, and does the firewall let this machine out to " + where + "? Else mend " +
                                (way.through_proxy ? "management.proxy" : "management.url"));
    if (way.through_proxy) checks.good("proxy", where + " lets us through to " + url.authority());
    if (code == "tlsUntrusted" || code == "tlsFailed" || code == "tlsMisconfigured")
        return checks.fault(
            "TLS", error.message,
            code == "tlsUntrusted"
                ? "management.ca_file must hold the authority that issued the service's certificate, and "
                  "that certificate must name " +
                      url.host
                : "look at management.ca_file, and that the service speaks TLS 1.2 or newer");
    if (code == "tlsClientRefused") {
        checks.good("TLS", url.authority() + " is who management.ca_file says");
        return checks.fault("credential", error.message, mend_of_credential);
    }
    checks.fault("answer", error.message, "is management.url the service's API, base path included?");
}

struct Answered {
    net::Response answer;
    UtcTime at;  // by our clock, half of the time that it took after the question: when its Date was written
};

// The name, the way and TLS; nullopt where it came to no answer. `what`: method, path, headers and body.
std::optional<Answered> ask(Checks& checks, const config::Settings& settings, net::Request what,
                            std::optional<net::TlsIdentity> identity, const std::string& mend_of_credential,
                            UtcTime now) {
    const net::Url url = what.url;
    auto service = cli::Service::open(settings, std::move(identity));
    if (!service) {
        checks.fault(service.error().code == "tlsMisconfigured" ? "TLS" : "proxy", service.error().message,
                     "look at management.ca_file, management.certificate and management.proxy");
        return std::nullopt;
    }
    const Way way = way_to(settings, url);
    if (!settings.management.proxy.empty() && !way.through_proxy)
        checks.good("proxy", "not used for " + url.host + " (management.no_proxy)");
    const auto addresses = (*service)->wait((*service)->resolver().resolve(way.host));
    if (!addresses) {
        checks.fault(way.through_proxy ? "proxy" : "name", addresses.error().message,
                     "look at this machine's name service (/etc/resolv.conf), or at the host in " +
                         std::string(way.through_proxy ? "management.proxy" : "management.url"));
        return std::nullopt;
    }
    std::string found;
    for (const auto& address : *addresses) found += (found.empty() ? "" : ", ") + address.to_string();
    checks.good("name", way.host + " is " + found);

    const auto before = (*service)->clock().tick();
    what.deadline = before + std::min(k_longest_wait, settings.management.request_timeout);
    what.headers.emplace_back("Accept", "application/json, application/problem+json");
    what.fresh_connection = true;
    auto answer = (*service)->wait((*service)->http().send(std::move(what)));
    const auto half = std::chrono::duration_cast<std::chrono::seconds>(((*service)->clock().tick() - before) / 2);
    if (!answer) {
        judge_failure(checks, answer.error(), way, url, mend_of_credential);
        return std::nullopt;
    }
    if (way.through_proxy)
        checks.good("proxy", way.host + ":" + std::to_string(way.port) + " lets us through to " + url.authority());
    checks.good("TLS", url.authority() + " is who management.ca_file says");
    return Answered{std::move(*answer), now + half};
}

void judge_credential(Checks& checks, const net::Response& answer, const std::optional<std::string>& connector) {
    if (!connector)
        return checks.fault("credential", "this connector is not enrolled", "pfx-connector enroll --token-file FILE");
    const auto wrong = management::judge(answer, management::Path::own, {200});
    if (!wrong) return checks.good("credential", "accepted as connector " + *connector);
    std::string mend = "pfx-connector enroll --token-file FILE --anew, with a fresh token";
    if (wrong->code == "notApproved")
        mend = "let an administrator of the service compare the key's fingerprint and approve this connector";
    else if (answer.status == 404)
        mend = "is management.url the service's API, base path included? If it is, enrol anew: " + mend;
    else if (wrong->kind != ErrorKind::unauthorized)
        mend = "look at the service, then run doctor again";
    checks.fault("credential", wrong->message, mend);
}

void judge_token(Checks& checks, const net::Response& answer) {
    const auto wrong = management::judge(answer, management::Path::open, {200});
    if (!wrong) return checks.good("token", "accepted for the store of imported certificates");
    checks.fault("token", wrong->message,
                 wrong->kind == ErrorKind::unauthorized
                     ? "have the service give out a new token, and put it into the file of management.admin_token"
                 : answer.status == 404 ? "is management.url the service's API, base path included?"
                                        : "look at the service, then run doctor again");
}

void judge_date(Checks& checks, const Answered& answered) {
    if (const auto date = answered.answer.date()) return judge_clock(checks, answered.at, *date);
    checks.warning("clock", "the service's answer has no Date to compare with", "compare this machine's clock by hand");
}

// nullopt: told.
std::optional<net::Url> url_of(Checks& checks, const config::Settings& settings) {
    if (settings.management.ca_system)
        checks.warning("anchors", "management.ca_file = \"system\": every public authority may speak for the service",
                       "name the service's authority in management.ca_file");
    auto url = net::parse_url(settings.management.url);
    if (url) return std::move(*url);
    checks.fault("address", url.error().message, "mend management.url");
    return std::nullopt;
}

}  // namespace

void judge_clock(Checks& checks, UtcTime ours, UtcTime theirs) {
    const auto off = ours > theirs ? ours - theirs : theirs - ours;
    const std::string found = "this machine is " + count_of(off.count(), "second") +
                              (ours > theirs ? " ahead of" : " behind") + " the service";
    const std::string mend = "set the clock by NTP (timedatectl set-ntp true)";
    if (off > k_clock_fault)
        checks.fault("clock", found, mend);
    else if (off > k_clock_warning)
        checks.warning("clock", found, mend);
    else
        checks.good("clock", "agrees with the service's");
}

std::vector<Check> check_service(const config::Settings& settings, UtcTime now) {
    Checks checks("service");
    const auto url = url_of(checks, settings);
    if (!url) return std::move(checks).take();
    auto identity = identity_of(settings);
    std::optional<net::TlsIdentity> tls;
    std::optional<std::string> connector;
    if (identity) {
        tls = std::move(identity->tls);
        connector = std::move(identity->connector);
    }
    const std::string id = connector && is_usable_id(*connector) ? *connector : "none";
    net::Request request("POST", url->below("/connectors/" + net::encode_segment(id) + "/lease/renew"), {});
    request.content_type = "application/json";
    request.body = management::encode_lease_renewal({*LeaseId::parse("doctor-asks")});
    const auto answered = ask(checks, settings, std::move(request), std::move(tls),
                              connector ? "pfx-connector enroll --token-file FILE --anew, with a fresh token"
                                        : "pfx-connector enroll --token-file FILE",
                              now);
    if (!answered) return std::move(checks).take();
    judge_credential(checks, answered->answer, connector);
    judge_date(checks, *answered);
    return std::move(checks).take();
}

std::vector<Check> check_store(const config::Settings& settings, UtcTime now) {
    Checks checks("service");
    const auto url = url_of(checks, settings);
    if (!url) return std::move(checks).take();
    auto token = config::read_password(*settings.management.admin_token);
    if (!token) {
        checks.fault("token", token.error().message,
                     "put the service's token for administrators into that file, mode 0600");
        return std::move(checks).take();
    }
    net::Request request("GET", url->below("/imported-certificates"), {});
    request.url.query = "userPrincipalName=" + net::encode_segment("doctor@nobody.invalid");
    request.bearer = std::make_shared<const SecretBytes>(std::move(*token));
    const auto answered = ask(checks, settings, std::move(request), std::nullopt,
                              "the store has to be there without a client certificate, by the token alone", now);
    if (!answered) return std::move(checks).take();
    judge_token(checks, answered->answer);
    judge_date(checks, *answered);
    return std::move(checks).take();
}

}  // namespace connector::doctor
