// EstAuthority: the authority port over an EST server (RFC 7030, RFC 8951): /cacerts and /simpleenroll.
// An order is one POST of the CSR, with one more where the server asks for a user and password first. Nothing is asked
// at the start: the CA's certificates are fetched before the first order for a label and kept for an hour; an order is
// not sent where they cannot be had, so that nothing is issued whose chain cannot be built. A CA that was renewed
// within that hour is asked for again once its certificate is here, which is not given up for that. They help to build
// chains and are trusted for nothing: what a chain must end in lies in a file of the operator's. EST cannot look for an
// earlier order and cannot revoke. On cc-io; parsing on the crypto pool.
#pragma once

#include "core/ports/authority.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/offload.hpp"
#include "daemon/authority/est_codec.hpp"
#include "daemon/net/http_auth.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::authority {

struct EstSettings {
    std::string name;  // of [authority.NAME]
    net::Url url;
    std::string label;                             // of the default template; "" = none
    std::map<std::string, std::string> templates;  // alias to label; one called "default" is the default
    std::vector<Bytes> anchors;                    // DER: what issued certificates must chain to
    std::vector<Bytes> intermediates;              // DER: known issuers below them, beside what /cacerts gives
    std::vector<Bytes> issuing;                    // DER: who alone may issue; empty = any below the anchors
    std::optional<net::Credentials> credentials;
    std::vector<net::AuthScheme> schemes;
    std::chrono::seconds timeout{30};  // for one call, whatever it takes
};

class EstAuthority final : public ports::Authority {
public:
    // `offload` and `clock` outlive it.
    EstAuthority(EstSettings settings, std::unique_ptr<net::HttpClient> http, ports::Offload& offload,
                 const ports::Clock& clock);

    [[nodiscard]] const std::string& name() const noexcept override { return settings_.name; }
    [[nodiscard]] ports::AuthorityTraits traits() const override;
    [[nodiscard]] bool has_template(const std::optional<std::string>& alias) const override;
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> submit(ports::Submission submission) override;
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> poll(std::string authority_request_id) override;
    [[nodiscard]] ports::Async<std::optional<ports::AuthorityAnswer>> find(ports::Submission submission) override;
    [[nodiscard]] ports::Async<std::vector<Bytes>> issuers(std::optional<std::string> template_alias) override;
    [[nodiscard]] ports::Async<void> probe() override;
    [[nodiscard]] ports::Async<void> revoke(ports::Revocation revocation) override;

private:
    struct Known {
        std::vector<Bytes> certificates;
        Tick fetched;
    };

    [[nodiscard]] std::optional<std::string> label_of(const std::optional<std::string>& alias) const;
    // The request, signed as the server wants it; a 401 is answered once it says how.
    [[nodiscard]] ports::Async<net::Response> exchange(net::Request request, est::Operation operation);
    [[nodiscard]] ports::Async<std::vector<Bytes>> read(net::Response answer);
    // /cacerts; `newer_than`: what was fetched before does not count.
    [[nodiscard]] ports::Async<std::vector<Bytes>> ca_certificates(std::string label, Tick deadline, Tick newer_than);
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> enroll(std::string label, Bytes csr);
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> with_chain(net::Response answer, std::string label, Bytes csr);

    EstSettings settings_;
    std::unique_ptr<net::HttpClient> http_;
    net::HttpAuthentication authentication_;
    std::map<std::string, Known> known_;  // by label
    ports::Offload& offload_;
    const ports::Clock& clock_;
};

}  // namespace connector::authority
