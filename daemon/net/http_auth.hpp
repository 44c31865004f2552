// HTTP authentication as a client, by name and password: Digest (RFC 7616: SHA-256, MD5) and Basic (RFC 7617).
// Nothing is sent before the peer has asked (401); then what it asked for is remembered, and later requests carry the
// answer at once. Only ever over TLS whose peer was verified: that is the client's business.
// Refuses: schemes that the operator did not allow, a second try with a credential that was refused.
// Pure but for the nonce's randomness; one thread.
#pragma once

#include "core/crypto/http_hash.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"
#include "daemon/net/http_client.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::net {

enum class AuthScheme { digest, basic };

// One way to authenticate that a peer offers and that we know.
struct Challenge {
    enum class Quality { none, auth, auth_int };  // none: RFC 2069
    AuthScheme scheme = AuthScheme::basic;
    std::string realm;
    // digest
    std::string nonce;
    std::optional<std::string> opaque;
    crypto::HttpHash hash = crypto::HttpHash::md5;
    bool session = false;  // "-sess"
    bool algorithm_named = false;
    Quality quality = Quality::none;
    bool stale = false;
};

// Of every WWW-Authenticate field, in the order in which they stand; unknown schemes and algorithms are passed over.
[[nodiscard]] std::vector<Challenge> challenges_of(const Response& answer);

// ASCII and without what would need escaping in a header; no colon in the user name (RFC 7617 2).
struct Credentials {
    std::string user;
    std::shared_ptr<const SecretBytes> password;
};

// The Authorization field's value. `count` is how often this nonce has been used, this time included; `client_nonce`
// is ours, printable. kind: misconfigured, where the digest is not to be had.
[[nodiscard]] Result<SecretBytes> authorization(const Challenge& challenge, const Credentials& credentials,
                                                const Request& request, std::uint32_t count,
                                                std::string_view client_nonce);

// What one peer wants of us.
class HttpAuthentication {
public:
    // `order`: the schemes that may be used, best first. Without credentials it signs nothing.
    HttpAuthentication(std::optional<Credentials> credentials, std::vector<AuthScheme> order);

    // Puts the Authorization on it, if the peer has asked already. Gives how often the challenge has been answered,
    // this time included; 0 where nothing was put.
    [[nodiscard]] Result<std::uint32_t> sign(Request& request);
    // From a 401 to a request that sign() gave `use` for. Success: it is worth sending again.
    // kind: unauthorized, code httpUnauthorized.
    [[nodiscard]] Result<void> learn(const Response& answer, std::uint32_t use);

private:
    std::optional<Credentials> credentials_;
    std::vector<AuthScheme> order_;
    std::optional<Challenge> asked_;
    std::uint32_t uses_ = 0;
};

}  // namespace connector::net
