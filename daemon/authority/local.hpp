// LocalAuthority: the authority port over the embedded CA in one directory.
// The same CSR and nonce always give the same certificate: it is stored before it is answered, and a restart finds it.
// Computes and writes on the crypto pool; several submissions sign side by side, the database is used by one at a time.
#pragma once

#include "core/ports/authority.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/offload.hpp"
#include "daemon/authority/local_list.hpp"
#include "daemon/authority/local_signer.hpp"
#include "daemon/authority/local_store.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::authority {

struct LocalSettings {
    std::string name;  // of [authority.NAME]
    std::filesystem::path directory;
    std::optional<SecretBytes> passphrase;           // of ca.key
    std::map<std::string, LocalTemplate> templates;  // by alias; one called "default" is the default
    ListRules list;
    std::vector<std::filesystem::path> other_places;  // further directories that may not hold the root's key
};

class LocalAuthority final : public ports::Authority {
public:
    // `offload` and `clock` outlive it. kind: misconfigured, code authorityMisconfigured.
    [[nodiscard]] static Result<std::unique_ptr<LocalAuthority>> open(LocalSettings settings, ports::Offload& offload,
                                                                      const ports::Clock& clock);
    ~LocalAuthority() override;
    LocalAuthority(const LocalAuthority&) = delete;
    LocalAuthority& operator=(const LocalAuthority&) = delete;

    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    [[nodiscard]] ports::AuthorityTraits traits() const override;
    [[nodiscard]] bool has_template(const std::optional<std::string>& alias) const override;
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> submit(ports::Submission submission) override;
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> poll(std::string authority_request_id) override;
    [[nodiscard]] ports::Async<std::optional<ports::AuthorityAnswer>> find(ports::Submission submission) override;
    [[nodiscard]] ports::Async<void> probe() override;
    [[nodiscard]] ports::Async<void> revoke(ports::Revocation revocation) override;
    [[nodiscard]] ports::Async<ports::Upkeep> upkeep() override;

private:
    // What the jobs on the pool use; they hold it, so that it outlives an authority that a reload replaced.
    struct Core;
    LocalAuthority(std::string name, std::shared_ptr<Core> core, ports::Offload& offload,
                   const ports::Clock& clock) noexcept;

    std::string name_;
    std::shared_ptr<Core> core_;
    ports::Offload& offload_;
    const ports::Clock& clock_;
};

}  // namespace connector::authority
