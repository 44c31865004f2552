// One thread of a bulk import. It takes the rows of one user and purpose together: opens their files, asks the store
// once for what that user has, signs each record with the whole history, and stores them. What a row has against it is
// that row's; what would meet every row (the service is down, the token is refused) ends the run.
// One worker for each thread; rows and results are shared, each thread touches those of its groups alone.
#pragma once

#include "daemon/cli/bulk_state_file.hpp"
#include "daemon/cli/confined_folder.hpp"
#include "daemon/cli/import_session.hpp"
#include "daemon/importer/bulk_report.hpp"
#include "daemon/parser/parser_process.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::cli {

// What all threads read and none changes.
struct BulkJob {
    const config::Settings* settings = nullptr;
    const ConfinedFolder* folder = nullptr;
    const std::vector<importer::BulkRow>* rows = nullptr;
    parser::ParserProcess opener;
    ChosenKey key;
    std::optional<ports::Signer> signer;
    std::optional<SecretBytes> password;  // for rows without a file of their own
    std::vector<Bytes> chain;
    std::vector<Bytes> trusted;
    bool replace = false;      // what has another content
    bool replace_all = false;  // and what is unchanged
    bool dry_run = false;
    UtcTime now;
};

struct BulkShared {
    std::vector<importer::RowResult> results;  // one for each row
    std::unique_ptr<BulkStateFile> state;      // null: --dry-run
    std::atomic<std::size_t> done{0};
    std::atomic<std::size_t> faults{0};
    std::atomic<bool> state_lost{false};
};

class BulkWorker {
public:
    // `stop`: nothing new is begun once it is set.
    BulkWorker(const BulkJob& job, BulkShared& shared, const std::atomic<bool>& stop) noexcept
        : job_(job), shared_(shared), stop_(stop) {}

    // An error: the run has to end, for this reason.
    [[nodiscard]] Result<void> work(const std::vector<std::size_t>& group);

private:
    struct Item;
    [[nodiscard]] std::optional<Item> open(std::size_t row);
    [[nodiscard]] Result<void> fetch(const std::string& user);
    [[nodiscard]] Result<void> send(std::vector<Item>& items);
    [[nodiscard]] Result<void> store(Item& item, const importer::History& history, std::uint64_t sequence);
    [[nodiscard]] Result<bool> stored_after_all(Item& item, const Sha256& blob, bool& again);
    [[nodiscard]] bool settled_by_store(Item& item);
    void end(const Item& item, importer::RowOutcome outcome);
    template <class T, class Call>
    [[nodiscard]] Result<T> patiently(Call call);

    const BulkJob& job_;
    BulkShared& shared_;
    const std::atomic<bool>& stop_;
    std::unique_ptr<ImportSession> session_;
    std::vector<importer::SignedRecord> store_;  // of the user in work
};

}  // namespace connector::cli
