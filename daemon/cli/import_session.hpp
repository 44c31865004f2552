// What the import commands share: the conversation with the service's store, and the importer's own keys.
// Main thread, but for ImportSession: one for each thread.
#pragma once

#include "daemon/cli/command.hpp"
#include "daemon/cli/password.hpp"
#include "daemon/cli/service.hpp"
#include "daemon/importer/import_tool.hpp"
#include "daemon/management/import_admin.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::cli {

// The administrator's calls, with the token of [management] admin_token.
class ImportSession {
public:
    [[nodiscard]] static Result<std::unique_ptr<ImportSession>> open(const config::Settings& settings);
    [[nodiscard]] management::ImportAdmin& calls() noexcept { return admin_; }
    template <class T>
    [[nodiscard]] Result<T> wait(ports::Async<T> call) {
        auto answer = service_->wait(std::move(call));
        if (!answer && answer.error().kind == ErrorKind::unauthorized) return token_refused(answer.error());
        return answer;
    }

private:
    [[nodiscard]] static Error token_refused(const Error& refusal);
    ImportSession(std::unique_ptr<Service> service, std::shared_ptr<const SecretBytes> token,
                  std::chrono::seconds timeout);
    std::unique_ptr<Service> service_;
    management::ImportAdmin admin_;
};

// The certificates whose signatures count: [importer] signers and the tool's own. kind: misconfigured.
[[nodiscard]] Result<std::vector<Bytes>> trusted_importers(const config::Settings& settings);
// The store's records of a user ("" = everybody), with what trusted importers signed of them.
[[nodiscard]] Result<std::vector<importer::SignedRecord>> fetch_store(const config::Settings& settings,
                                                                      ImportSession& session, const std::string& user);
// With whose hand records are signed; none only where [importer] signatures is off. kind: misconfigured.
[[nodiscard]] Result<std::optional<ports::Signer>> importer_signer(const config::Settings& settings);

// --key, --key-file, --provider: the public half that passwords are wrapped for.
struct KeyChoice {
    std::string name;
    std::string file;
    std::string provider;
};
struct ChosenKey {
    importer::WrappingKey key;
    Sha256 fingerprint;
};
[[nodiscard]] Result<ChosenKey> wrapping_key(const config::Settings& settings, const KeyChoice& choice);

// "" or what is wrong: for CLI11's check(). It names the option itself.
[[nodiscard]] std::string known_purpose(const std::string& text);
// --thumbprint as people copy it, in any case and with colons or blanks; anything but 20 octets is a usage error.
CLI::Option* add_thumbprint_option(CLI::App& command, std::string& thumbprint, const std::string& description);
// Milliseconds since 1970, or what is above `newest`: the sequence of what is signed in one go.
[[nodiscard]] std::uint64_t sequence_after(std::uint64_t newest);
// The store has said no to a record, and so does not have it. Anything else (a lost answer, one that cannot be read, a
// conflict) leaves open whether it is there, and a list that names it is the safe one.
[[nodiscard]] bool store_said_no(const Error& error) noexcept;
// Stores once more what this run has just stored, under a list of just `certificates`: where a sibling that the list
// named did not come to be stored. kind and code of the call that failed.
[[nodiscard]] Result<void> store_anew(ImportSession& session, const importer::Opened& opened,
                                      const importer::ImportOrder& order, const importer::WrappingKey& key,
                                      const ports::Signer& signer, std::vector<Sha256> certificates,
                                      std::uint64_t sequence, UtcTime now);
// Signs one record of that owner and purpose anew that a trusted importer signed, so that the store's newest list names
// just `list.certificates`. `newest`: the sequence that it has to be above. False: there is no such record, and so no
// list. code unsupported, notFound: the service does not give whole records.
struct NewList {
    std::string user;
    request::Purpose purpose;
    std::vector<Sha256> certificates;
    std::uint64_t newest = 0;
};
[[nodiscard]] Result<bool> publish_list(const config::Settings& settings, ImportSession& session,
                                        const std::vector<importer::SignedRecord>& store, NewList list, UtcTime now);

}  // namespace connector::cli
