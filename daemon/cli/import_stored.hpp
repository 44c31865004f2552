// What the commands on stored records share: the list of the store, whole records one by one, the import keys that
// open them here, and the hand that signs. On the connector's host. Main thread.
#pragma once

#include "daemon/cli/import_session.hpp"
#include "daemon/importer/stored.hpp"
#include "daemon/keys/software.hpp"
#include "daemon/parser/parser_process.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace connector::cli {

// Which records a command is for; "" = all.
struct RecordChoice {
    std::string user;
    std::string thumbprint;
    std::string purpose;
    [[nodiscard]] bool chooses() const noexcept { return !user.empty() || !thumbprint.empty() || !purpose.empty(); }
    [[nodiscard]] bool holds(const trust::ImportedRecord& record) const;
};

class StoredRecords {
public:
    // Of the user that is chosen, else of everybody. kind misconfigured where no [import.NAME] is there: nothing could
    // be opened. kind refused, code notFound where nothing is what was chosen: a slip is no "all is well".
    [[nodiscard]] static Result<std::unique_ptr<StoredRecords>> open(const config::Settings& settings,
                                                                     const RecordChoice& choice);

    // Without blob and password; by their owners.
    [[nodiscard]] const std::vector<importer::SignedRecord>& list() const noexcept { return list_; }
    [[nodiscard]] std::vector<std::vector<std::size_t>> groups() const { return importer::group_stored(list_); }
    // The whole record, with the ETag that replace() wants.
    [[nodiscard]] Result<trust::ImportedRecord> read(std::size_t index);
    // The listing may leave a signature out; what a whole record shows under a good one counts in list(), its list of
    // certificates above all: nobody signs a shorter one for what the listing hides. How many came to light so.
    [[nodiscard]] Result<std::size_t> learn_signatures();
    // Whether a list of that owner and purpose would name all that is there, once the records `signing` are signed.
    // codes importerUnknown, answerInvalid: a record of his could not be read, and nobody knows what it names.
    [[nodiscard]] Result<void> may_sign_a_list(const std::string& user, request::Purpose purpose,
                                               const std::vector<std::string>& signing) const;
    // read() failed for this record alone (it cannot be read, or is gone), not for want of the call or the service.
    [[nodiscard]] bool concerns_one(const Error& error) const noexcept;
    // PUT with If-Match. code changed: somebody was faster.
    [[nodiscard]] Result<void> replace(trust::ImportedRecord record);

    [[nodiscard]] const ports::PfxOpener& opener() const noexcept { return opener_; }
    [[nodiscard]] const keys::SoftwareKeys& keys() const noexcept { return *keys_; }
    [[nodiscard]] const std::vector<Bytes>& trusted() const noexcept { return trusted_; }

private:
    StoredRecords() = default;
    parser::ParserProcess opener_;
    std::unique_ptr<ImportSession> session_;
    std::unique_ptr<keys::SoftwareKeys> keys_;
    std::vector<Bytes> trusted_;
    std::vector<importer::SignedRecord> list_;
    std::set<std::size_t> unread_;  // of list_, by learn_signatures
    bool has_read_ = false;
};

// StoredRecords::learn_signatures, with a warning where the listing had left some out.
[[nodiscard]] Result<void> learn_signatures(const Invocation& call, StoredRecords& stored);

// --user, --thumbprint, --purpose.
void add_record_options(CLI::App& command, RecordChoice& choice);

// id, owner, purpose, thumbprint, validity, key.
[[nodiscard]] boost::json::object record_json(const trust::ImportedRecord& record);

void add_import_verify_command(CLI::App& import_group, Chosen& chosen);
void add_import_expiring_command(CLI::App& import_group, Chosen& chosen);
void add_import_inventory_command(CLI::App& import_group, Chosen& chosen);
void add_import_scan_command(CLI::App& import_group, Chosen& chosen);
void add_import_adopt_command(CLI::App& import_group, Chosen& chosen);
void add_import_upgrade_command(CLI::App& import_group, Chosen& chosen);
void add_import_key_rotate_command(CLI::App& key_group, Chosen& chosen);

}  // namespace connector::cli
