// TlsContext: who is trusted, and who we are, for TLS (RFC 8446, RFC 5246), as a client or as a server.
// TLS 1.2 or newer, forward-secret AEAD suites, a server's chain and name always verified, no session carried over,
// nothing taken from the environment (SSL_CERT_FILE, SSLKEYLOGFILE). As a server it asks nobody for a certificate.
// Immutable; made at the start or on reload, used on cc-io.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::net {

// Our certificate and its key.
struct TlsIdentity {
    std::vector<Bytes> certificates;  // DER, ours first, then the issuers that are to be sent
    SecretBytes key;                  // PKCS#8, DER or PEM
};

class TlsContext {
public:
    // `ca_file`: a PEM file whose certificates are each an anchor, or the word "system".
    // kind: misconfigured, code tlsMisconfigured: no such file, no certificate in it, a key that is not the
    // certificate's.
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> make(const std::string& ca_file,
                                                                        std::optional<TlsIdentity> identity);
    // The same with the anchors themselves (DER), for callers that have read them already.
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> make(const std::vector<Bytes>& anchors,
                                                                        std::optional<TlsIdentity> identity);
    // A server's. kind: misconfigured, code tlsMisconfigured: a key that is not the certificate's, or too small.
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> serve(const TlsIdentity& identity);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    [[nodiscard]] bool has_identity() const noexcept;

    struct State;  // Asio's context; for net/ alone
    [[nodiscard]] State& state() const noexcept { return *state_; }

private:
    explicit TlsContext(std::unique_ptr<State> state);
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> with(std::unique_ptr<State> state,
                                                                        const std::optional<TlsIdentity>& identity);
    std::unique_ptr<State> state_;
};

}  // namespace connector::net
