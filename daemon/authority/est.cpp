#include "daemon/authority/est.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/csr.hpp"

#include <utility>

namespace connector::authority {
namespace {

using est::Operation;

constexpr std::chrono::hours k_known_for{1};
constexpr int k_most_signatures = 3;  // a stale nonce, then a fresh one

}  // namespace

EstAuthority::EstAuthority(EstSettings settings, std::unique_ptr<net::HttpClient> http, ports::Offload& offload,
                           const ports::Clock& clock)
    : settings_(std::move(settings)),
      http_(std::move(http)),
      authentication_(settings_.credentials, settings_.schemes),
      offload_(offload),
      clock_(clock) {}

ports::AuthorityTraits EstAuthority::traits() const {
    ports::AuthorityTraits traits;
    traits.polls_by_repeating = true;
    traits.anchors = settings_.anchors;
    traits.issuing = settings_.issuing;
    return traits;
}

std::optional<std::string> EstAuthority::label_of(const std::optional<std::string>& alias) const {
    const auto found = settings_.templates.find(alias.value_or(std::string(ports::k_default_template)));
    if (found != settings_.templates.end()) return found->second.empty() ? settings_.label : found->second;
    return alias ? std::nullopt : std::optional<std::string>(settings_.label);
}

bool EstAuthority::has_template(const std::optional<std::string>& alias) const {
    return label_of(alias).has_value();
}

ports::Async<net::Response> EstAuthority::exchange(net::Request request, Operation operation) {
    const std::string where = request.url.text();
    for (int i = 0; i < k_most_signatures; ++i) {
        const auto use = authentication_.sign(request);
        if (!use) co_return use.error();
        net::Request one = request;
        auto sending = http_->send(std::move(one));
        auto answer = co_await std::move(sending);
        if (!answer) co_return est::failure_of(operation, answer.error());
        if (answer->status != 401) co_return std::move(*answer);
        if (auto learnt = authentication_.learn(*answer, *use); !learnt) co_return learnt.error().in(where);
    }
    co_return Error(ErrorKind::unauthorized, "authorityMisconfigured",
                    where + " asks for the password again and again");
}

ports::Async<std::vector<Bytes>> EstAuthority::read(net::Response answer) {
    auto job = [answer = std::move(answer)] { return est::certificates_of(answer); };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

ports::Async<std::vector<Bytes>> EstAuthority::ca_certificates(std::string label, Tick deadline, Tick newer_than) {
    if (const auto found = known_.find(label); found != known_.end() && found->second.fetched >= newer_than)
        co_return found->second.certificates;
    const Tick now = clock_.tick();
    net::Request request("GET", est::address(settings_.url, label, Operation::cacerts), deadline);
    request.body_limit = est::k_body_limit;
    const std::string where = request.url.text();
    auto asking = exchange(std::move(request), Operation::cacerts);
    auto answer = co_await std::move(asking);
    if (!answer) co_return answer.error();
    if (answer->status != 200) co_return est::failure_of(Operation::cacerts, *answer, where);
    auto reading = read(std::move(*answer));
    auto certificates = co_await std::move(reading);
    if (!certificates)
        co_return Error(ErrorKind::unavailable, "authorityUnreachable", where + ": " + certificates.error().message);
    Known known{std::move(*certificates), now};
    co_return known_.insert_or_assign(label, std::move(known)).first->second.certificates;
}

ports::Async<ports::AuthorityAnswer> EstAuthority::enroll(std::string label, Bytes csr) {
    const Tick began = clock_.tick();
    const Tick deadline = began + settings_.timeout;
    // Before the order: what fails here has ordered nothing.
    auto asking = ca_certificates(label, deadline, began - k_known_for);
    const auto authorities = co_await std::move(asking);
    if (!authorities) co_return authorities.error();

    net::Request request("POST", est::address(settings_.url, label, Operation::simpleenroll), deadline);
    request.content_type = "application/pkcs10";
    request.headers.emplace_back("Content-Transfer-Encoding", "base64");
    request.body = est::enrolment_body(csr);
    request.body_limit = est::k_body_limit;
    // Once sent it may have arrived. On a kept connection that had died meanwhile nobody could tell.
    request.idempotent = false;
    request.fresh_connection = true;
    const std::string where = request.url.text();
    auto ordering = exchange(std::move(request), Operation::simpleenroll);
    auto answer = co_await std::move(ordering);
    if (!answer) co_return answer.error();
    if (answer->status == 202) {
        ports::PendingAnswer pending;
        est::Pending named{std::move(label), std::move(csr)};
        pending.authority_request_id = est::name_of(named);
        pending.retry_after = est::wait_of(*answer);
        co_return ports::AuthorityAnswer(std::move(pending));
    }
    if (answer->status != 200) co_return est::failure_of(Operation::simpleenroll, *answer, where);
    auto building = with_chain(std::move(*answer), std::move(label), std::move(csr));
    auto issued = co_await std::move(building);
    if (issued || issued.error().kind == ErrorKind::internal) co_return std::move(issued);
    // Asking again would only have one more certificate issued, unless it was us who did not get to reading it.
    const bool unreadable = issued.error().kind == ErrorKind::invalid;
    co_return Error(unreadable ? ErrorKind::refused : ErrorKind::unknown,
                    unreadable ? "certificateMismatch" : "authorityUnreachable", where + ": " + issued.error().message);
}

ports::Async<ports::AuthorityAnswer> EstAuthority::with_chain(net::Response answer, std::string label, Bytes csr) {
    auto reading = read(std::move(answer));
    auto certificates = co_await std::move(reading);
    if (!certificates) co_return certificates.error();
    auto choosing = [given = std::move(*certificates), csr = std::move(csr)]() -> Result<ports::IssuedAnswer> {
        const auto asked = crypto::inspect_csr(csr);
        if (!asked) return Error(ErrorKind::internal, "internal", "a stored signing request is not one");
        return est::issued_from(given, asked->spki);
    };
    auto running = offload_.run(std::move(choosing));
    auto issued = co_await std::move(running);
    if (!issued) co_return issued.error();

    // RFC 7030 4.2.3 gives the certificate alone. An issuer that is not among those known is a CA that was renewed
    // since they were fetched, or a foreign one; whoever verifies the chain asks for issuers() then.
    auto& chain = issued->chain;
    const auto add = [&](const std::vector<Bytes>& more) { chain.insert(chain.end(), more.begin(), more.end()); };
    add(settings_.intermediates);
    add(known_[label].certificates);
    co_return ports::AuthorityAnswer(std::move(*issued));
}

ports::Async<ports::AuthorityAnswer> EstAuthority::submit(ports::Submission submission) {
    auto label = label_of(submission.template_alias);
    if (!label)
        co_return Error(ErrorKind::misconfigured, "authorityMisconfigured",
                        "no template \"" + submission.template_alias.value_or("") + "\" is configured");
    auto enrolling = enroll(std::move(*label), std::move(submission.csr));
    co_return co_await std::move(enrolling);
}

ports::Async<ports::AuthorityAnswer> EstAuthority::poll(std::string authority_request_id) {
    auto pending = est::parse_pending(authority_request_id);
    if (!pending) co_return Error(ErrorKind::integrity, "internal", "a pending request's name is not one of EST's");
    auto enrolling = enroll(std::move(pending->label), std::move(pending->csr));
    co_return co_await std::move(enrolling);
}

ports::Async<std::optional<ports::AuthorityAnswer>> EstAuthority::find(ports::Submission) {
    co_return Error(ErrorKind::misconfigured, "unsupported", "EST cannot look for an earlier request");
}

ports::Async<std::vector<Bytes>> EstAuthority::issuers(std::optional<std::string> template_alias) {
    auto label = label_of(template_alias);
    if (!label)
        co_return Error(ErrorKind::misconfigured, "authorityMisconfigured",
                        "no template \"" + template_alias.value_or("") + "\" is configured");
    const Tick now = clock_.tick();
    auto asking = ca_certificates(std::move(*label), now + settings_.timeout, now);
    co_return co_await std::move(asking);
}

ports::Async<void> EstAuthority::probe() {
    const Tick now = clock_.tick();
    auto asking = ca_certificates(settings_.label, now + settings_.timeout, now);
    const auto certificates = co_await std::move(asking);
    if (!certificates) co_return certificates.error();
    co_return Result<void>();
}

ports::Async<void> EstAuthority::revoke(ports::Revocation) {
    co_return Error(ErrorKind::misconfigured, "unsupported", "EST cannot revoke");
}

}  // namespace connector::authority
