// import add, and the conversation with the service's store that the import commands share. Main thread.
#pragma once

#include "daemon/cli/command.hpp"
#include "daemon/cli/service.hpp"
#include "daemon/importer/import_tool.hpp"
#include "daemon/management/import_admin.hpp"

#include <memory>
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
        return service_->wait(std::move(call));
    }

private:
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

void add_import_add_command(CLI::App& import_group, Chosen& chosen);

}  // namespace connector::cli
