// Ports whose adapter a reload exchanges: the engine keeps one reference, and each call goes to the adapter that is in
// force when it begins and holds it to its end. Exchanged on cc-io; called from the threads that the port says.
#pragma once

#include "core/ports/directory.hpp"
#include "core/ports/key_service.hpp"
#include "core/ports/packager.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace connector::daemon {

template <class Port>
class Current {
public:
    explicit Current(std::shared_ptr<Port> first) : now_(std::move(first)) {}
    void use(std::shared_ptr<Port> next) {
        const std::lock_guard guard(lock_);
        now_.swap(next);
    }
    [[nodiscard]] std::shared_ptr<Port> get() const {
        const std::lock_guard guard(lock_);
        return now_;
    }

private:
    mutable std::mutex lock_;  // the pool asks, cc-io exchanges
    std::shared_ptr<Port> now_;
};

class CurrentKeys final : public ports::KeyService, public Current<const ports::KeyService> {
public:
    using Current::Current;
    [[nodiscard]] bool has(std::string_view provider, std::string_view key_name) const override {
        return get()->has(provider, key_name);
    }
    [[nodiscard]] Result<SecretBytes> unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                                             ports::OaepHash hash) const override {
        return get()->unwrap(provider, key_name, ciphertext, hash);
    }
};

class CurrentPackager final : public ports::Packager, public Current<const ports::Packager> {
public:
    using Current::Current;
    [[nodiscard]] Result<Bytes> package(const trust::Recipient& recipient,
                                        ports::PackageContent content) const override {
        return get()->package(recipient, std::move(content));
    }
};

class CurrentDirectory final : public ports::Directory, public Current<ports::Directory> {
public:
    using Current::Current;
    [[nodiscard]] ports::Async<trust::DirectoryView> ask(ports::DirectoryQuestion question) override {
        const auto now = get();
        auto asking = now->ask(std::move(question));
        co_return co_await std::move(asking);
    }
    [[nodiscard]] ports::Async<void> probe() override {
        const auto now = get();
        auto probing = now->probe();
        co_return co_await std::move(probing);
    }
};

}  // namespace connector::daemon
