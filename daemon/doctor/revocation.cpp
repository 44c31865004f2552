// The device authorities' revocation lists: each place read or fetched, and whether each authority has a current list.
#include "core/crypto/certificate.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/load.hpp"
#include "daemon/net/plain_http_client.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/revocation/loaded_list.hpp"
#include "daemon/system_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace connector::doctor {
namespace {

constexpr std::chrono::seconds k_patience{15};
constexpr unsigned k_ok = 200;

Result<revocation::LoadedList> fetch(const std::string& text, const std::vector<Bytes>& authorities) {
    auto url = net::parse_plain_url(text);
    if (!url) return url.error();
    boost::asio::io_context io(1);
    daemon::SystemClock clock(io.get_executor());
    net::SystemResolver resolver;
    net::PlainHttpClient http(clock, resolver, std::string("pfx-connector/") + CONNECTOR_VERSION);
    net::Request request("GET", std::move(*url), clock.tick() + k_patience);
    request.body_limit = crypto::k_largest_crl;
    std::optional<Result<net::Response>> answer;
    auto asking = http.send(std::move(request));
    boost::asio::co_spawn(io, std::move(asking), [&answer](std::exception_ptr fault, Result<net::Response> given) {
        if (fault) std::rethrow_exception(fault);
        answer.emplace(std::move(given));
    });
    io.run();
    if (!answer) return Error(ErrorKind::internal, "internal", "no answer");
    if (!*answer) return answer->error();
    if ((*answer)->status != k_ok)
        return Error(ErrorKind::unavailable, "httpStatus", text + ": answers " + std::to_string((*answer)->status));
    auto list = revocation::read_list(bytes_of((*answer)->body), authorities);
    if (!list) return list.error().in(text);
    return list;
}

}  // namespace

std::vector<Check> check_revocation(const config::Settings& settings, UtcTime now) {
    Checks checks("revocation");
    const auto& recipients = settings.recipients;
    const std::string name = "revocation lists";
    if (recipients.ca_file.empty()) return {};
    if (!recipients.asks_lists()) {
        checks.good(name,
                    "none is asked: a device certificate that its authority has revoked still counts here "
                    "(recipients.crl_files, crl_urls)");
        return std::move(checks).take();
    }
    const auto authorities = keys::load_certificates(recipients.ca_file);
    if (!authorities) return {};  // check_trust() says so
    std::vector<revocation::LoadedList> lists;
    const auto look = [&](const std::string& place, Result<revocation::LoadedList> list) {
        if (!list)
            return checks.fault("list " + place, list.error().message,
                                "put a list there that an authority of recipients.ca_file has signed");
        checks.good("list " + place, "of " + list->list.issuer() + ", " +
                                         count_of(static_cast<std::int64_t>(list->list.entries()), "certificate") +
                                         " revoked, until " + to_rfc3339(list->list.next_update()));
        lists.push_back(std::move(*list));
    };
    for (const auto& file : recipients.crl_files) look(file.string(), revocation::read_list_file(file, *authorities));
    for (const auto& url : recipients.crl_urls) look(url, fetch(url, *authorities));
    for (std::size_t i = 0; i < authorities->size(); ++i) {
        const auto facts = crypto::inspect((*authorities)[i]);
        const std::string subject = facts ? to_text(facts->subject) : std::string("a certificate that does not parse");
        if (const auto fault = revocation::fault_of(i, subject, lists, now))
            checks.fault(name, fault->message,
                         "let that authority publish a new list, or take it out of recipients.ca_file: until then the "
                         "requests of its devices wait");
        else
            checks.good(name, subject + " has a current one");
    }
    return std::move(checks).take();
}

}  // namespace connector::doctor
