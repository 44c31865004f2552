#include "daemon/authority/roster.hpp"

#include <utility>

namespace connector::authority {

class Roster::Place final : public ports::Authority {
public:
    explicit Place(std::string name) : name_(std::move(name)) {}

    void use(std::shared_ptr<ports::Authority> next) {
        now_ = std::move(next);
        in_force_ = true;
    }
    void retire() noexcept { in_force_ = false; }
    [[nodiscard]] bool in_force() const noexcept { return in_force_; }

    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    [[nodiscard]] ports::AuthorityTraits traits() const override { return now_->traits(); }
    [[nodiscard]] bool has_template(const std::optional<std::string>& alias) const override {
        return now_->has_template(alias);
    }
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> submit(ports::Submission submission) override {
        const auto now = now_;
        auto submitting = now->submit(std::move(submission));
        co_return co_await std::move(submitting);
    }
    [[nodiscard]] ports::Async<ports::AuthorityAnswer> poll(std::string authority_request_id) override {
        const auto now = now_;
        auto polling = now->poll(std::move(authority_request_id));
        co_return co_await std::move(polling);
    }
    [[nodiscard]] ports::Async<std::optional<ports::AuthorityAnswer>> find(ports::Submission submission) override {
        const auto now = now_;
        auto finding = now->find(std::move(submission));
        co_return co_await std::move(finding);
    }
    [[nodiscard]] ports::Async<std::vector<Bytes>> issuers(std::optional<std::string> template_alias) override {
        const auto now = now_;
        auto asking = now->issuers(std::move(template_alias));
        co_return co_await std::move(asking);
    }
    [[nodiscard]] ports::Async<void> probe() override {
        const auto now = now_;
        auto probing = now->probe();
        co_return co_await std::move(probing);
    }
    [[nodiscard]] ports::Async<void> revoke(ports::Revocation revocation) override {
        const auto now = now_;
        auto revoking = now->revoke(std::move(revocation));
        co_return co_await std::move(revoking);
    }
    [[nodiscard]] ports::Async<ports::Upkeep> upkeep() override {
        if (!in_force_) co_return ports::Upkeep{};
        const auto now = now_;
        auto keeping = now->upkeep();
        co_return co_await std::move(keeping);
    }

private:
    std::string name_;
    std::shared_ptr<ports::Authority> now_;
    bool in_force_ = false;
};

Roster::Roster() = default;
Roster::~Roster() = default;

void Roster::use(AuthorityMap fresh) {
    for (const auto& [name, place] : known_)
        if (!fresh.contains(name)) place->retire();
    for (auto& [name, authority] : fresh) {
        auto found = known_.find(name);
        if (found == known_.end()) {
            auto place = std::make_unique<Place>(name);
            found = known_.emplace(name, place.get()).first;
            places_.emplace(name, std::move(place));
        }
        found->second->use(std::move(authority));
    }
}

std::map<std::string, ports::Authority*, std::less<>> Roster::in_force() const {
    std::map<std::string, ports::Authority*, std::less<>> authorities;
    for (const auto& [name, place] : known_)
        if (place->in_force()) authorities.emplace(name, place);
    return authorities;
}

}  // namespace connector::authority
