#include "daemon/management/answer.hpp"

#include "core/printable.hpp"
#include "daemon/management/wire.hpp"

#include <algorithm>

namespace connector::management {
namespace {

Error told(ErrorKind kind, const net::Response& response, std::string_view fallback) {
    const Problem problem = decode_problem(response.body);
    std::string message = "the management service answers " + std::to_string(response.status);
    if (!problem.detail.empty()) message += ": " + problem.detail;
    Error error(kind, problem.code.empty() ? std::string(fallback) : problem.code, std::move(message));
    error.retry_after = response.retry_after();
    return error;
}

ErrorKind kind_of_refusal(unsigned status, Path path) noexcept {
    switch (path) {
        case Path::own: return ErrorKind::unauthorized;
        case Path::imports: return status == 401 ? ErrorKind::unauthorized : ErrorKind::unavailable;
        case Path::open: return status == 404 ? ErrorKind::invalid : ErrorKind::unauthorized;
    }
    return ErrorKind::unauthorized;
}

std::string_view word_of(unsigned status) noexcept {
    switch (status) {
        case 401: return "unauthorized";
        case 403: return "forbidden";
        default: return "notFound";
    }
}

}  // namespace

std::optional<Error> judge(const net::Response& response, Path path, std::initializer_list<unsigned> expected) {
    const unsigned status = response.status;
    if (std::find(expected.begin(), expected.end(), status) != expected.end()) return std::nullopt;
    switch (status) {
        case 401:
        case 403:
        case 404: return told(kind_of_refusal(status, path), response, word_of(status));
        case 408:
        case 425: return told(ErrorKind::unavailable, response, "serviceUnavailable");
        case 409: return told(ErrorKind::conflict, response, "exists");
        case 412:
        case 428: return told(ErrorKind::conflict, response, "changed");
        case 429:
        case 503: return told(ErrorKind::throttled, response, "throttled");
        default: break;
    }
    if (status >= 500) return told(ErrorKind::unavailable, response, "serviceUnavailable");
    if (status >= 400) return told(ErrorKind::invalid, response, "requestRejected");
    return Error(ErrorKind::invalid, "answerInvalid",
                 "the management service answers " + std::to_string(status) + ", which is not of the API");
}

}  // namespace connector::management
