// Enrolling: a key made here, a certificate for it from the service, both put in place. A key that was made and not yet
// certified is kept with its CSR, so that a lost answer can be asked for again with the same octets (the service gives
// the same answer for ten minutes).
// Refuses: a certificate that is not for our key, or that names another connector than the answer. Main thread;
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

namespace connector::cli {

struct PendingKey {
    crypto::PrivateKey key;
    std::string csr_pem;
    bool reused = false;
};

// Where the pending key and CSR lie until they are enrolled: beside management.key.
[[nodiscard]] std::filesystem::path pending_key_file(const config::Settings& settings);
[[nodiscard]] std::filesystem::path pending_csr_file(const config::Settings& settings);

// The state directory, made where it is missing; whose it is.
[[nodiscard]] Result<keys::Owner> prepare_state(const config::Settings& settings);
// The pending pair, or a new one (P-256).
[[nodiscard]] Result<PendingKey> pending_key(const config::Settings& settings, const std::string& name,
                                             const keys::Owner& owner);

// The present certificate, where there is one that fits its key.
struct Present {
    CertificateFacts certificate;
    std::string connector_id;
};
[[nodiscard]] std::optional<Present> present_certificate(const config::Settings& settings);

// Checks the answer and puts certificate, chain and key in place; the pair that stood there becomes `….old`.
[[nodiscard]] Result<CertificateFacts> install(const config::Settings& settings, const management::Enrolment& enrolment,
                                               const PendingKey& pending, const keys::Owner& owner);

// A certificate's only CN; "" where there is none or more than one.
[[nodiscard]] std::string only_common_name(const CertificateFacts& certificate);

}  // namespace connector::cli
