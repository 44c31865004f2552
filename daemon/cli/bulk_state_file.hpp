// The file beside a list that says what an interrupted import has done: appended to line by line, 0600, held by one run
// at a time. A line lost to a power failure is work looked at again, so nothing is synced.
// append() from several threads; the rest on the main thread.
#pragma once

#include "core/error.hpp"
#include "daemon/importer/bulk_state.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

namespace connector::cli {

class BulkStateFile {
public:
    // Made where it is missing; a torn last line is cut off. kind throttled, code inUse: another run has it. kind
    // misconfigured or invalid: it cannot be written, or is no state.
    [[nodiscard]] static Result<std::unique_ptr<BulkStateFile>> open(const std::filesystem::path& path);
    BulkStateFile(const BulkStateFile&) = delete;
    BulkStateFile& operator=(const BulkStateFile&) = delete;
    ~BulkStateFile();

    [[nodiscard]] const importer::BulkState& before() const noexcept { return before_; }
    // False where it could not be written: the work is done all the same.
    bool append(const Sha256& work, const Sha256& certificate);
    // Everything is done: nothing is to be taken up again.
    void remove();

private:
    BulkStateFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    [[nodiscard]] Result<void> read();

    std::filesystem::path path_;
    int descriptor_;
    importer::BulkState before_;
    std::mutex appending_;
};

}  // namespace connector::cli
