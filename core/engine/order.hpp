// An order at an authority, made of a record. Pure; any thread.
#pragma once

#include "core/ports/authority.hpp"
#include "core/ports/ledger.hpp"
#include "core/request/record.hpp"

#include <string>

namespace connector::engine {

// `record` is of a kind that has a profile. The same record gives the same submission, byte for byte.
[[nodiscard]] ports::Submission submission_of(const request::RequestRecord& record);

// `leaf`, issued for `record`, as the register of certificates has it.
[[nodiscard]] ports::IssuedCertificate registered(const std::string& authority, const CertificateFacts& leaf,
                                                  const request::RequestRecord& record, UtcTime now);

// `record`'s authority, which the configuration does not name any more.
[[nodiscard]] Error no_longer_configured(const request::RequestRecord& record);

}  // namespace connector::engine
