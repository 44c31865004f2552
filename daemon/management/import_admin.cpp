#include "daemon/management/import_admin.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"
#include "daemon/management/answer.hpp"

#include <set>
#include <utility>

namespace connector::management {
namespace {

constexpr std::size_t k_most_pages_of_one = 100;  // the connector reads no more of a user either
constexpr std::size_t k_most_pages_of_all = 10000;
constexpr std::size_t k_most_records = 500'000;
constexpr std::string_view k_collection = "/imported-certificates";

// Under another owner's name a record would be signed, listed or counted for somebody whom nobody meant.
bool is_same(const trust::ImportedRecord& one, const trust::ImportedRecord& other) {
    return one.purpose == other.purpose && ascii_equal(one.user_principal_name, other.user_principal_name) &&
           ascii_equal(one.thumbprint, other.thumbprint);
}

Error another_record(const trust::ImportedRecord& wanted, const trust::ImportedRecord& answered) {
    return {ErrorKind::invalid, "answerInvalid",
            "the service answered with another record: " + printable(answered.thumbprint, 64) + " of " +
                printable(answered.user_principal_name, 200) + " for " + printable(wanted.thumbprint, 64) + " of " +
                printable(wanted.user_principal_name, 200)};
}

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

ports::Async<trust::ImportedRecord> ImportAdmin::store(net::Request request, trust::ImportedRecord sent,
                                                       unsigned expected) {
    const auto answer = co_await http_.send(std::move(request));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::open, {expected, 200U})) co_return std::move(*wrong);
    auto record = decode_imported_record(answer->body, false);
    if (!record) co_return record.error();
    if (!is_same(sent, *record)) co_return another_record(sent, *record);
    if (record->etag.empty()) record->etag = std::string(answer->header("etag"));
    co_return std::move(*record);
}

ports::Async<trust::ImportedRecord> ImportAdmin::add(trust::ImportedRecord record) {
    auto request = call("POST", base_.below(k_collection), encode_imported_record(record));
    // A repeated POST finds its own record: that would look like somebody else's.
    request.idempotent = false;
    co_return co_await store(std::move(request), std::move(record), 201);
}

ports::Async<trust::ImportedRecord> ImportAdmin::replace(trust::ImportedRecord record) {
    auto url = base_.below(std::string(k_collection) + "/" + net::encode_segment(record.id));
    auto request = call("PUT", std::move(url), encode_imported_record(record));
    request.headers.emplace_back("If-Match", record.etag.empty() ? "*" : record.etag);
    co_return co_await store(std::move(request), std::move(record), 200);
}

ports::Async<trust::ImportedRecord> ImportAdmin::read(trust::ImportedRecord listed) {
    auto request = call("GET", base_.below(std::string(k_collection) + "/" + net::encode_segment(listed.id)), {});
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
    if (record->id != listed.id || !is_same(listed, *record)) co_return another_record(listed, *record);
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

ports::Async<std::vector<trust::ImportedRecord>> ImportAdmin::list(std::string user_principal_name,
                                                                   const std::atomic<bool>* stop) {
    const std::size_t most_pages = user_principal_name.empty() ? k_most_pages_of_all : k_most_pages_of_one;
    net::Url url = base_.below(k_collection);
    if (!user_principal_name.empty()) url.query = "userPrincipalName=" + net::encode_segment(user_principal_name);
    std::vector<trust::ImportedRecord> records;
    std::set<std::string> asked;
    for (std::size_t pages = 0; pages < most_pages; ++pages) {
        if (stop != nullptr && *stop) co_return Error(ErrorKind::cancelled, "cancelled", "stopped while listing");
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
        for (auto& record : page->records)
            if (user_principal_name.empty() || ascii_equal(record.user_principal_name, user_principal_name))
                records.push_back(std::move(record));
        if (records.size() > k_most_records)
            co_return Error(
                ErrorKind::invalid, "answerInvalid",
                "the store lists more than " + std::to_string(k_most_records) + " records; name one --user");
        if (!page->next_link) co_return std::move(records);
        auto next = net::parse_url(*page->next_link);
        if (!next || !base_.contains(*next))
            co_return Error(ErrorKind::invalid, "answerInvalid",
                            "nextLink leaves the service: " + printable(*page->next_link, 200));
        if (!asked.insert(*page->next_link).second)
            co_return Error(ErrorKind::invalid, "answerInvalid",
                            "nextLink leads round in a circle: " + printable(*page->next_link, 200));
        url = std::move(*next);
    }
    co_return Error(ErrorKind::invalid, "answerInvalid",
                    "the list goes on after " + std::to_string(most_pages) + " pages, and no store has that many");
}

}  // namespace connector::management
