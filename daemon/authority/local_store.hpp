// LocalStore: the embedded CA's memory, ca.db: what it issued, what is revoked, the number of the last CRL.
// The daemon and the command line may have it open at the same time: each change is one immediate transaction.
// One thread at a time; the owner locks.
#pragma once

#include "core/bytes.hpp"
#include "core/crypto/issue.hpp"
#include "core/error.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::authority {

struct IssuedRow {
    std::string serial_number;  // hex
    Bytes certificate;
    std::optional<UtcTime> revoked_at;
};

class LocalStore {
public:
    // Creates the tables where the file is new. kind: misconfigured; unavailable where another process holds a lock on
    // it.
    [[nodiscard]] static Result<std::unique_ptr<LocalStore>> open(const std::filesystem::path& file);
    LocalStore() = default;
    LocalStore(const LocalStore&) = delete;
    LocalStore& operator=(const LocalStore&) = delete;
    virtual ~LocalStore() = default;

    // The certificate of that nonce. kind: conflict, where the nonce belongs to another CSR.
    [[nodiscard]] virtual Result<std::optional<Bytes>> find(ByteView nonce, const Sha256& csr) = 0;
    // Stored before it is answered; gives what is stored, which is an earlier one where two came at once.
    [[nodiscard]] virtual Result<Bytes> store(ByteView nonce, const Sha256& csr, const std::string& serial_number,
                                              ByteView certificate, UtcTime not_after, UtcTime now) = 0;
    // True: it was revoked before, and stays as it was. kind: refused, code notIssuedHere.
    [[nodiscard]] virtual Result<bool> revoke(const std::string& serial_number, crypto::RevocationReason reason,
                                              UtcTime now) = 0;
    // Revoked and not expired before `now` less a day (RFC 5280 5: an entry stays on one list past its expiry).
    [[nodiscard]] virtual Result<std::vector<crypto::CrlEntry>> revoked(UtcTime now) = 0;
    // Lets `make` write a list of what is revoked, given the number of the last one, and keeps the number that it
    // gives. Nobody else revokes or makes one meanwhile, so that a later number never has less in it.
    using MakeList = std::function<Result<std::uint64_t>(const std::vector<crypto::CrlEntry>&, std::uint64_t last)>;
    [[nodiscard]] virtual Result<void> make_list(UtcTime now, const MakeList& make) = 0;
    // Whether something could be stored now, and nothing is. kind: unavailable where another process holds a lock.
    [[nodiscard]] virtual Result<void> probe() = 0;
    // 0 before the first.
    [[nodiscard]] virtual Result<std::uint64_t> last_list_number() = 0;
};

}  // namespace connector::authority
