// LdapDirectory: the directory port over LDAP. A few connections are kept; of several addresses the first that answers
// is used. Questions wait on threads of their own, so that a slow directory holds up nothing else; after a failure the
// next ones are answered with it for a moment instead of each waiting in turn.
// cc-io; what blocks is done on `offload`.
#pragma once

#include "config/settings.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/directory.hpp"
#include "core/ports/offload.hpp"
#include "core/secret.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace connector::directory {

class LdapDirectory final : public ports::Directory {
public:
    // Reads the credential; does not connect. kind misconfigured. `offload` and `clock` outlive it.
    [[nodiscard]] static Result<std::unique_ptr<LdapDirectory>> make(config::Directory settings,
                                                                     ports::Offload& offload,
                                                                     const ports::Clock& clock);
    ~LdapDirectory() override;

    [[nodiscard]] ports::Async<trust::DirectoryView> ask(ports::DirectoryQuestion question) override;
    [[nodiscard]] ports::Async<void> probe() override;

private:
    class Desk;
    struct Kept {
        trust::DirectoryView view;
        Tick read;
    };
    using Key = std::pair<std::string, std::string>;  // UPN and device, in lower case

    LdapDirectory(std::shared_ptr<Desk> desk, std::chrono::seconds cache, ports::Offload& offload,
                  const ports::Clock& clock);
    void keep(Key key, const trust::DirectoryView& view);

    std::shared_ptr<Desk> desk_;
    std::chrono::seconds cache_;
    ports::Offload& offload_;
    const ports::Clock& clock_;
    std::map<Key, Kept> kept_;
};

}  // namespace connector::directory
