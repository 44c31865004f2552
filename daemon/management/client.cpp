#include "daemon/management/client.hpp"

#include "core/printable.hpp"
#include "daemon/management/answer.hpp"

#include <algorithm>
#include <utility>

namespace connector::management {
namespace {

constexpr std::size_t k_body = 1024U * 1024U;
constexpr std::size_t k_largest_result = 16U * 1024U * 1024U;
constexpr std::size_t k_framing = 16;  // {"results":[…]} and a comma
constexpr std::size_t k_most_pages = 100;
constexpr std::size_t k_most_history = 64U * 1024U * 1024U;
constexpr std::size_t k_longest_etag = 256;
constexpr std::chrono::seconds k_longest_wait{60};

net::Request prepared(std::string_view method, net::Url url, std::string body, Tick deadline) {
    net::Request request(std::string(method), std::move(url), deadline);
    request.headers.emplace_back("Accept", "application/json, application/problem+json");
    if (!body.empty()) request.content_type = "application/json";
    request.body = std::move(body);
    return request;
}

// An ETag is an opaque text of the service: it goes back only as RFC 9110 8.8.3 has it.
bool is_etag(std::string_view text) noexcept {
    if (text.starts_with("W/")) text.remove_prefix(2);
    return text.size() >= 2 && text.size() <= k_longest_etag && text.front() == '"' && text.back() == '"' &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

Error answer_invalid(std::string why) {
    return Error(ErrorKind::invalid, "answerInvalid", "the answer is not of the API: " + std::move(why));
}

}  // namespace

ManagementClient::ManagementClient(net::HttpClient& http, ports::Clock& clock, ClientOptions options)
    : http_(http), clock_(clock), options_(std::move(options)) {}

net::Request ManagementClient::own_call(std::string_view path, std::string body, std::chrono::seconds limit) const {
    net::Url url =
        options_.base.below("/connectors/" + net::encode_segment(options_.connector.text()) + std::string(path));
    return prepared("POST", std::move(url), std::move(body), clock_.tick() + limit);
}

ports::Async<net::Response> ManagementClient::exchange(std::string_view call, net::Request request) {
    auto answer = co_await http_.send(std::move(request));
    if (options_.observe) options_.observe(call, answer ? std::to_string(answer->status) : answer.error().code);
    co_return std::move(answer);
}

ports::Async<ports::LeaseAnswer> ManagementClient::lease(std::size_t max_requests, std::chrono::seconds wait,
                                                         std::vector<request::Kind> kinds, std::string key) {
    wait = std::clamp(wait, std::chrono::seconds(0), k_longest_wait);
    max_requests = std::clamp<std::size_t>(max_requests, 1, 500);
    auto call = own_call("/lease", encode_lease(max_requests, wait, kinds), options_.timeout + wait);
    call.headers.emplace_back("Idempotency-Key", std::move(key));
    const auto answer = co_await exchange("lease", std::move(call));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::own, {200})) co_return std::move(*wrong);
    auto elements = decode_lease(answer->body, options_.sha256);
    if (!elements) co_return elements.error();
    ports::LeaseAnswer leased;
    leased.requests = std::move(elements->requests);
    leased.skipped = elements->skipped;
    leased.date = answer->date();
    leased.sent = answer->sent;
    co_return std::move(leased);
}

ports::Async<ports::RenewAnswer> ManagementClient::renew_leases(std::vector<LeaseId> leases) {
    auto call = own_call("/lease/renew", encode_lease_renewal(leases), options_.timeout);
    const auto answer = co_await exchange("leaseRenew", std::move(call));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::own, {200})) co_return std::move(*wrong);
    auto renewed = decode_renewed(answer->body);
    if (!renewed) co_return renewed.error();
    renewed->date = answer->date();
    co_return std::move(*renewed);
}

ports::Async<std::vector<ports::ResultOutcome>> ManagementClient::send_results(std::vector<std::string> elements) {
    auto call = own_call("/results", encode_results(elements), options_.timeout);
    const auto answer = co_await exchange("results", std::move(call));
    if (!answer) co_return answer.error();
    if (answer->status == 400 || answer->status == 413 || answer->status == 422) {
        const Problem problem = decode_problem(answer->body);
        co_return Error(ErrorKind::invalid, "resultsRefused",
                        "the management service answers " + std::to_string(answer->status) + " " + problem.code + ": " +
                            problem.detail);
    }
    if (auto wrong = judge(*answer, Path::own, {200})) co_return std::move(*wrong);
    co_return decode_outcomes(answer->body);
}

ports::Async<std::vector<ports::ResultOutcome>> ManagementClient::report(std::vector<ports::ResultMessage> results) {
    std::vector<std::vector<std::string>> bodies;
    std::size_t size = 0;
    for (const ports::ResultMessage& message : results) {
        auto element = encode_result(message, options_.inspect);
        if (!element) co_return element.error();
        if (element->size() + k_framing > k_largest_result)
            co_return Error(ErrorKind::invalid, "resultsRefused",
                            "result of " + message.request.text() + " is larger than 16 MiB");
        if (bodies.empty() || size + element->size() + k_framing > k_body) {
            bodies.emplace_back();
            size = 0;
        }
        size += element->size() + 1;
        bodies.back().push_back(std::move(*element));
    }
    std::vector<ports::ResultOutcome> outcomes;
    bool answered = false;
    for (auto& body : bodies) {
        auto some = co_await send_results(std::move(body));
        if (!some && !answered) co_return some.error();
        if (!some) break;
        answered = true;
        outcomes.insert(outcomes.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
    }
    co_return std::move(outcomes);
}

ports::Async<void> ManagementClient::heartbeat(ports::Heartbeat beat) {
    auto call = own_call("/heartbeat", encode_heartbeat(beat), options_.timeout);
    const auto answer = co_await exchange("heartbeat", std::move(call));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::own, {200, 204})) co_return std::move(*wrong);
    if (answer->status == 200) {
        auto connectors = decode_connectors(answer->body);
        if (!connectors) co_return connectors.error();
        connectors_ = std::move(*connectors);
    }
    co_return Result<void>();
}

ports::Async<ports::ImportedHistory> ManagementClient::fetch(UserId user, request::Purpose purpose, LeaseId lease,
                                                             std::string etag) {
    net::Url url = options_.base.below("/users/" + net::encode_segment(user.text()) + "/imported-certificates");
    url.query =
        "purpose=" + net::encode_segment(request::to_string(purpose)) + "&leaseId=" + net::encode_segment(lease.text());
    ports::ImportedHistory history;
    std::size_t octets = 0;
    for (std::size_t pages = 0;; ++pages) {
        if (pages == k_most_pages) co_return answer_invalid("more than 100 pages");
        auto call = prepared("GET", url, {}, clock_.tick() + options_.timeout);
        if (pages == 0 && is_etag(etag)) call.headers.emplace_back("If-None-Match", etag);
        const auto answer = co_await exchange("imports", std::move(call));
        if (!answer) co_return answer.error();
        if (pages == 0 && answer->status == 304 && is_etag(etag)) {
            history.etag = etag;
            history.not_modified = true;
            co_return std::move(history);
        }
        if (auto wrong = judge(*answer, Path::imports, {200})) co_return std::move(*wrong);
        if (pages == 0 && is_etag(answer->header("etag"))) history.etag = std::string(answer->header("etag"));
        octets += answer->body.size();
        if (octets > k_most_history)
            co_return Error(ErrorKind::invalid, "answerTooLarge", "the user's history is larger than 64 MiB");
        auto page = decode_imported_page(answer->body, true);
        if (!page) co_return page.error();
        std::move(page->records.begin(), page->records.end(), std::back_inserter(history.records));
        std::move(page->unreadable.begin(), page->unreadable.end(), std::back_inserter(history.unreadable));
        if (!page->next_link) co_return std::move(history);
        auto next = net::parse_url(*page->next_link);
        if (!next || !options_.base.contains(*next))
            co_return answer_invalid("nextLink leaves the service: " + printable(*page->next_link, 200));
        url = std::move(*next);
    }
}

}  // namespace connector::management
