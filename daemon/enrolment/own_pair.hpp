// The connector's own key and certificate, on its way from a new key to the pair in force. Each step is a file, so that
// a process that ends goes on with the same octets: the key and its request, what the service has certified (the
// candidate, which has not worked yet), the pair. Beside management.key and management.certificate: `….pending`,
// `….pending.csr`, and `….old` for the pair before.
// Refuses: a certificate that is not for our key, or that names another connector than the answer. Any one thread;
// blocking.
#pragma once

#include "config/settings.hpp"
#include "core/certificate.hpp"
#include "core/crypto/key.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/management/wire.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace connector::enrolment {

struct PendingKey {
    crypto::PrivateKey key;
    std::string csr_pem;
    bool reused = false;
};

// The state directory, made where it is missing; whose it is.
[[nodiscard]] Result<keys::Owner> prepare_state(const config::Settings& settings);
// The pending pair, or a new one (P-256).
[[nodiscard]] Result<PendingKey> pending_key(const config::Settings& settings, const std::string& name,
                                             const keys::Owner& owner);

struct Candidate {
    crypto::PrivateKey key;
    std::vector<Bytes> certificates;  // ours first, then its chain
    CertificateFacts certificate;
};
// Checks the answer and keeps it beside the pending key.
[[nodiscard]] Result<Candidate> keep_candidate(const config::Settings& settings, const management::Enrolment& answer,
                                               const PendingKey& pending, const keys::Owner& owner);
[[nodiscard]] std::optional<Candidate> candidate(const config::Settings& settings);
// Copies the pair in force to `….old`: before the candidate's first use, since it may need room and rights.
[[nodiscard]] Result<void> keep_present(const config::Settings& settings, const keys::Owner& owner);
// The candidate is in force from now on: two renames.
[[nodiscard]] Result<void> install(const config::Settings& settings);
// Key, request and certificate: the next try begins with a new key.
void drop_candidate(const config::Settings& settings);
// Key and request, unless they have been certified: `enroll --renew` and the daemon may ask for the same key at once,
// and the no that one of them hears is not the other's.
void drop_request(const config::Settings& settings);
// Key and certificate: in force, pending, and the one before. What was removed; goes on past one that cannot be.
[[nodiscard]] Result<std::vector<std::filesystem::path>> remove_all(const config::Settings& settings);
// Ends what a process has left half done: a candidate of which the key alone was put in place.
void finish_install(const config::Settings& settings);

// The pair in force, where there is one and it fits.
struct Present {
    CertificateFacts certificate;
    std::string connector_id;
    std::optional<UtcTime> renew_after;  // as the service said
};
[[nodiscard]] std::optional<Present> present_certificate(const config::Settings& settings);

// A certificate's only CN; "" where there is none or more than one.
[[nodiscard]] std::string only_common_name(const CertificateFacts& certificate);

}  // namespace connector::enrolment
