// The directory as the engine sees it: asked where a binding or an identity is proved by it, watched for health.
// cc-io.
#pragma once

#include "core/engine/context.hpp"

#include <boost/asio/awaitable.hpp>

namespace connector::engine {

// True where [recipients] binding or [policy] identity is "directory".
[[nodiscard]] bool asks_directory(const Rules& rules) noexcept;

// Such an error is ask_directory()'s.
[[nodiscard]] bool is_directory_away(const Error& error) noexcept;

// What it says of the request's user and device. Any failure is `unavailable`: that the directory cannot be asked is
// no verdict on the order, which waits and is tried again. `rules`: those of the proof that it is asked for.
[[nodiscard]] ports::Async<trust::DirectoryView> ask_directory(Context& context, const Rules& rules,
                                                               const request::RequestRecord& record, bool fresh);

// Probes at start, every five minutes while it is up and every ten seconds while it is down; until `ending`.
[[nodiscard]] boost::asio::awaitable<void> watch_directory(Context& context, const bool& ending);

}  // namespace connector::engine
