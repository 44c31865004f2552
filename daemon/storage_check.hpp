// The database's whole file read once, where the process before did not close it (beside the work), or where the file
// is suspect (before any work; storage/suspicion.hpp). Damage bars the ledger and makes the file suspect. A check that
// cannot be done is told in log and health, tried again, and owed by the next start.
// cc-io; the reading is done on `offload`, which is its own: it may take minutes.
#pragma once

#include "core/engine/engine.hpp"
#include "core/ports/offload.hpp"
#include "daemon/health/server.hpp"
#include "storage/async_ledger.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace connector::daemon {

class StorageCheck {
public:
    // `lifts`: the ledger is barred from now on, and a sound file is all that it waits for.
    StorageCheck(engine::Engine& engine, storage::AsyncLedger& ledger, ports::Offload& offload,
                 std::filesystem::path directory, bool lifts);

    // Until it has come to a result, or `ending`.
    [[nodiscard]] boost::asio::awaitable<void> run(const bool& ending);
    // Where it could not be done.
    void add_to(health::HealthSnapshot& snapshot) const;

private:
    // One try. An error: whether the file is sound could not be told, or nobody could be told so.
    [[nodiscard]] ports::Async<void> check();
    // What is wrong with the file; "" = nothing.
    [[nodiscard]] ports::Async<std::string> look();
    [[nodiscard]] boost::asio::awaitable<void> bar(std::string findings);
    [[nodiscard]] boost::asio::awaitable<void> tell(Error failure);
    [[nodiscard]] boost::asio::awaitable<void> suspect();

    engine::Engine& engine_;
    storage::AsyncLedger& ledger_;
    ports::Offload& offload_;
    std::filesystem::path directory_;
    bool lifts_;
    std::optional<Error> failure_;  // of the last try
    UtcTime failing_since_;
};

}  // namespace connector::daemon
