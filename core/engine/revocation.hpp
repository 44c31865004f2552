// The revocation lists as the engine sees them: watched for health, asked with every proof (proof.cpp). cc-io.
#pragma once

#include "core/engine/context.hpp"

#include <boost/asio/awaitable.hpp>

namespace connector::engine {

// Where the operator named lists: refreshes them and says what has no current one, until `ending`.
[[nodiscard]] boost::asio::awaitable<void> watch_revocation(Context& context, const bool& ending);

// That no list answers for the certificate: `unavailable`, the request waits.
[[nodiscard]] Error list_away(const trust::Revocation& revocation);
// Such an error is list_away()'s.
[[nodiscard]] bool is_list_away(const Error& error) noexcept;

}  // namespace connector::engine
