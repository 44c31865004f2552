// What a finished pfx.deliver leaves in the ledger: which certificates the device has now, and what was left out. Pure.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/ports/ledger.hpp"

#include <optional>

namespace connector::engine {

// nullopt: another kind of order. Computes: each certificate is read.
[[nodiscard]] std::optional<ports::DeliveredImport> delivered_import(const request::CertificateRequest& request,
                                                                     const request::Package& package,
                                                                     const ports::Crypto& crypto);

}  // namespace connector::engine
