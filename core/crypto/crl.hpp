// Revocation lists (RFC 5280, 5) that others have issued: read once, asked often. OpenSSL judges signature, scope,
// dates and critical extensions. Delta and indirect lists are not used. Values; any thread.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/ports/revocation.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

struct X509_crl_st;

namespace connector::crypto {

inline constexpr std::size_t k_largest_crl = 16UL * 1024 * 1024;

class RevocationList {
public:
    // DER, or one "X509 CRL" block of PEM; at most 16 MiB. kind: invalid, code crlUnfit: it does not parse, has no
    // nextUpdate (RFC 5280 5.1.2.5), or is a delta.
    [[nodiscard]] static Result<RevocationList> read(ByteView octets);

    [[nodiscard]] const std::string& issuer() const noexcept { return issuer_; }  // RFC 4514
    [[nodiscard]] UtcTime this_update() const noexcept { return this_update_; }
    [[nodiscard]] UtcTime next_update() const noexcept { return next_update_; }
    [[nodiscard]] std::size_t entries() const noexcept { return entries_; }
    // True where that certificate's subject is its issuer, and its key has signed it.
    [[nodiscard]] bool signed_by(ByteView certificate) const;
    [[nodiscard]] X509_crl_st* native() const noexcept { return list_.get(); }  // for this room

private:
    RevocationList() = default;
    std::shared_ptr<X509_crl_st> list_;
    std::string issuer_;
    UtcTime this_update_;
    UtcTime next_update_;
    std::size_t entries_ = 0;
};

// `issuers`: DER, the device authorities. Lists that none of them has signed answer nothing.
class RevocationLists final : public ports::RevocationLists {
public:
    RevocationLists(std::vector<Bytes> issuers, std::vector<RevocationList> lists)
        : issuers_(std::move(issuers)), lists_(std::move(lists)) {}
    [[nodiscard]] trust::Revocation look_up(ByteView certificate, UtcTime now) const override;

private:
    std::vector<Bytes> issuers_;
    std::vector<RevocationList> lists_;
};

}  // namespace connector::crypto
