#include "daemon/management/import_admin.hpp"

#include "core/printable.hpp"
#include "daemon/management/answer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace connector::management {
namespace {

constexpr std::size_t k_most_pages_of_all = 10000;  // a whole organisation's store, unlike one user's history
constexpr std::string_view k_collection = "/imported-certificates";

}  // namespace

ImportAdmin::ImportAdmin(net::HttpClient& http, ports::Clock& clock, net::Url base,
                         std::shared_ptr<const SecretBytes> token, std::chrono::seconds timeout)
    : http_(http), clock_(clock), base_(std::move(base)), token_(std::move(token)), timeout_(timeout) {}

net::Request ImportAdmin::call(std::string_view method, net::Url url, std::string body) const {
    net::Request request(std::string(method), std::move(url), clock_.tick() + timeout_);
    request.headers.emplace_back("Accept", "application/json, application/problem+json");
    if (!body.empty()) request.content_type = "application/json";
    request.body = std::move(body);
    request.bearer = token_;
    return request;
}

ports::Async<trust::ImportedRecord> ImportAdmin::store(net::Request request, unsigned expected) {
    const auto answer = co_await http_.send(std::move(request));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::open, {expected, 200U})) co_return std::move(*wrong);
    auto record = decode_imported_record(answer->body, false);
    if (!record) co_return record.error();
    if (record->etag.empty()) record->etag = std::string(answer->header("etag"));
    co_return std::move(*record);
}

ports::Async<trust::ImportedRecord> ImportAdmin::add(trust::ImportedRecord record) {
    auto request = call("POST", base_.below(k_collection), encode_imported_record(record));
    // A repeated POST finds its own record: that would look like somebody else's.
    request.idempotent = false;
    co_return co_await store(std::move(request), 201);
}

ports::Async<trust::ImportedRecord> ImportAdmin::replace(trust::ImportedRecord record) {
    auto url = base_.below(std::string(k_collection) + "/" + net::encode_segment(record.id));
    auto request = call("PUT", std::move(url), encode_imported_record(record));
    request.headers.emplace_back("If-Match", record.etag.empty() ? "*" : record.etag);
    co_return co_await store(std::move(request), 200);
}

ports::Async<trust::ImportedRecord> ImportAdmin::read(std::string id) {
    auto request = call("GET", base_.below(std::string(k_collection) + "/" + net::encode_segment(id)), {});
    const auto answer = co_await http_.send(std::move(request));
    if (!answer) co_return answer.error();
    if (answer->status == 405 || answer->status == 501)
        co_return Error(ErrorKind::refused, "unsupported",
                        "this management service does not hand out whole records (GET /imported-certificates/{id} is "
                        "answered " +
                            std::to_string(answer->status) + "); it has to learn that call for this command");
    if (answer->status == 404)
        co_return Error(ErrorKind::refused, "notFound",
                        "GET /imported-certificates/{id} is answered 404: the record is gone, or this management "
                        "service does not have that call");
    if (auto wrong = judge(*answer, Path::open, {200})) co_return std::move(*wrong);
    auto record = decode_imported_record(answer->body, true);
    if (!record) co_return record.error();
    if (record->id != id) co_return Error(ErrorKind::invalid, "answerInvalid", "another record was answered");
    if (const auto etag = answer->header("etag"); !etag.empty()) record->etag = std::string(etag);
    co_return std::move(*record);
}

ports::Async<bool> ImportAdmin::remove(std::string id, std::string etag) {
    auto url = base_.below(std::string(k_collection) + "/" + net::encode_segment(id));
    auto request = call("DELETE", std::move(url), {});
    request.headers.emplace_back("If-Match", etag.empty() ? "*" : etag);
    const auto answer = co_await http_.send(std::move(request));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::open, {204, 200, 404})) co_return std::move(*wrong);
    co_return answer->status != 404;
}

ports::Async<std::vector<trust::ImportedRecord>> ImportAdmin::list(std::string user_principal_name) {
    net::Url url = base_.below(k_collection);
    if (!user_principal_name.empty()) url.query = "userPrincipalName=" + net::encode_segment(user_principal_name);
    std::vector<trust::ImportedRecord> records;
    for (std::size_t pages = 0; pages < k_most_pages_of_all; ++pages) {
        auto request = call("GET", url, {});
        const auto answer = co_await http_.send(std::move(request));
        if (!answer) co_return answer.error();
        if (auto wrong = judge(*answer, Path::open, {200})) co_return std::move(*wrong);
        auto page = decode_imported_page(answer->body, false);
        if (!page) co_return page.error();
        // Silently left out, a record would look removed.
        if (!page->unreadable.empty())
            co_return Error(ErrorKind::invalid, "answerInvalid",
                            "a stored record cannot be read: " + page->unreadable.front().message);
        std::move(page->records.begin(), page->records.end(), std::back_inserter(records));
        if (!page->next_link) co_return std::move(records);
        auto next = net::parse_url(*page->next_link);
        if (!next || !base_.contains(*next))
            co_return Error(ErrorKind::invalid, "answerInvalid",
                            "nextLink leaves the service: " + printable(*page->next_link, 200));
        url = std::move(*next);
    }
    co_return Error(ErrorKind::invalid, "answerInvalid", "too many pages");
}

}  // namespace connector::management
