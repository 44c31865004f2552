#include "daemon/management/enrolment.hpp"

#include "daemon/management/answer.hpp"

#include <utility>

namespace connector::management {
namespace {

net::Request post(net::Url url, std::string body, Tick deadline) {
    net::Request request("POST", std::move(url), deadline);
    request.headers.emplace_back("Accept", "application/json, application/problem+json");
    request.content_type = "application/json";
    request.body = std::move(body);
    return request;
}

}  // namespace

EnrolmentClient::EnrolmentClient(net::HttpClient& http, ports::Clock& clock, net::Url base,
                                 std::chrono::seconds timeout)
    : http_(http), clock_(clock), base_(std::move(base)), timeout_(timeout) {}

ports::Async<Enrolment> EnrolmentClient::enrol(EnrolmentOrder order, std::shared_ptr<const SecretBytes> token) {
    auto call = post(base_.below("/connectors"), encode_enrolment(order), clock_.tick() + timeout_);
    call.bearer = std::move(token);
    const auto answer = co_await http_.send(std::move(call));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::open, {201, 200})) co_return std::move(*wrong);
    co_return decode_enrolment(answer->body);
}

ports::Async<Enrolment> EnrolmentClient::renew(ConnectorId connector, std::string csr_pem) {
    auto call = post(base_.below("/connectors/" + net::encode_segment(connector.text()) + "/certificate"),
                     encode_certificate_renewal(csr_pem), clock_.tick() + timeout_);
    const auto answer = co_await http_.send(std::move(call));
    if (!answer) co_return answer.error();
    if (auto wrong = judge(*answer, Path::own, {200})) co_return std::move(*wrong);
    auto enrolment = decode_enrolment(answer->body);
    // The path said who we are; a certificate for somebody else is not ours to use.
    if (enrolment && enrolment->id != connector)
        co_return Error(ErrorKind::invalid, "answerInvalid", "the answer is for another connector");
    co_return std::move(enrolment);
}

}  // namespace connector::management
