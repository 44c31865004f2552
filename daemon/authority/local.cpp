#include "daemon/authority/local.hpp"

#include "core/crypto/aead.hpp"
#include "core/name.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/keys/files.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

namespace connector::authority {
namespace {

constexpr std::size_t k_nonce_size = 16;

// A job on the pool gives values: what the libraries throw becomes one.
template <class Job>
auto guarded(Job&& job) -> decltype(job()) {
    try {
        return job();
    } catch (const std::exception& failure) {
        return Error(ErrorKind::internal, "internal", std::string("local authority: ") + failure.what());
    }
}

// Hex as the store has it: lower case, whole octets, no leading 00.
std::string normal_serial(std::string_view text) {
    std::string digits(text);
    if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
    const auto octets = from_hex(digits);
    if (!octets) return {};
    const auto first = std::find_if(octets->begin(), octets->end(), [](std::uint8_t octet) { return octet != 0; });
    return to_hex(ByteView(*octets).subspan(static_cast<std::size_t>(first - octets->begin())));
}

}  // namespace

struct LocalAuthority::Core {
    std::filesystem::path directory;
    LocalSigner signer;
    std::map<std::string, LocalTemplate> templates;
    ListRules list;
    std::unique_ptr<LocalStore> store;
    std::mutex store_mutex;  // signing runs side by side, the database does not

    Core(std::filesystem::path place, LocalSigner opened, std::map<std::string, LocalTemplate> bounds, ListRules rules,
         std::unique_ptr<LocalStore> memory) noexcept
        : directory(std::move(place)),
          signer(std::move(opened)),
          templates(std::move(bounds)),
          list(std::move(rules)),
          store(std::move(memory)) {}

    [[nodiscard]] ports::AuthorityAnswer answer(Bytes certificate) const {
        return ports::IssuedAnswer{std::move(certificate), {signer.issuing().der, signer.root().der}};
    }

    // Under the lock. A database that could not be opened at start is tried again with each call.
    Result<LocalStore*> opened_store() {
        if (store == nullptr) {
            auto opened = LocalStore::open(directory / local_files::k_database);
            if (!opened) return opened.error();
            store = std::move(*opened);
        }
        return store.get();
    }

    Result<std::optional<Bytes>> look_up(const ports::Submission& submission, const Sha256& csr) {
        if (submission.nonce.size() != k_nonce_size)
            return Error(ErrorKind::internal, "internal", "a submission's nonce has 16 octets");
        const std::lock_guard lock(store_mutex);
        const auto memory = opened_store();
        if (!memory) return memory.error();
        auto found = (*memory)->find(submission.nonce, csr);
        if (!found && found.error().kind == ErrorKind::conflict) return rejected(found.error().message);
        return found;
    }

    Result<ports::AuthorityAnswer> submit(const ports::Submission& submission, UtcTime now) {
        const Sha256 csr = crypto::sha256(submission.csr);
        auto known = look_up(submission, csr);
        if (!known) return known.error();
        if (*known) return answer(std::move(**known));
        const LocalTemplate* bounds = template_of(submission.template_alias);
        if (bounds == nullptr)
            return Error(ErrorKind::misconfigured, "authorityMisconfigured",
                         "no template \"" + submission.template_alias.value_or("") + "\" is configured");
        auto made = signer.sign(submission.csr, *bounds, submission.validity_days, now);
        if (!made) return made.error();
        const std::lock_guard lock(store_mutex);
        const auto memory = opened_store();
        if (!memory) return memory.error();
        auto stored =
            (*memory)->store(submission.nonce, csr, made->serial_number, made->certificate, made->not_after, now);
        if (!stored) return stored.error();
        return answer(std::move(*stored));
    }

    Result<std::optional<ports::AuthorityAnswer>> find(const ports::Submission& submission) {
        auto known = look_up(submission, crypto::sha256(submission.csr));
        if (!known) return known.error();
        std::optional<ports::AuthorityAnswer> found;
        if (*known) found = answer(std::move(**known));
        return found;
    }

    Result<void> revoke(const ports::Revocation& revocation, UtcTime now) {
        const auto reason = crypto::parse_revocation_reason(revocation.reason);
        if (!reason)
            return Error(ErrorKind::invalid, "invalidRequest", "revocation reason \"" + revocation.reason + "\"");
        const auto issuer = parse_name(revocation.issuer);
        if (!issuer || !same_name(*issuer, signer.issuing().subject))
            return Error(ErrorKind::refused, "notIssuedHere", "another CA issued that certificate");
        const std::lock_guard lock(store_mutex);
        const auto memory = opened_store();
        if (!memory) return memory.error();
        if (const auto done = (*memory)->revoke(normal_serial(revocation.serial_number), *reason, now); !done)
            return done.error();
        // Written also where it was revoked before: the list may be what failed the last time. That its copy could not
        // be written is upkeep's to tell: the certificate is revoked.
        if (auto made = write_list(directory, signer, **memory, list, now); !made)
            return Error(ErrorKind::unavailable, "authorityUnreachable", made.error().message);
        return {};
    }

    ports::RevocationList keep_list(UtcTime now) {
        const std::lock_guard lock(store_mutex);
        const auto memory = opened_store();
        const auto found = look_at_list(directory, signer, memory ? *memory : nullptr, now);
        ports::RevocationList kept{found.number.value_or(0), found.entries, found.next_update, false, std::nullopt};
        if (found.due.empty()) {
            if (is_published(found, list)) return kept;
            if (auto done = publish_list(found.der, list); !done) kept.fault = done.error();
            return kept;
        }
        if (!memory) {
            kept.fault = memory.error();
            return kept;
        }
        auto made = write_list(directory, signer, **memory, list, now);
        if (!made) {
            kept.fault = made.error();
            return kept;
        }
        return {made->number, made->entries, made->next_update, true, std::move(made->unpublished)};
    }

    [[nodiscard]] const LocalTemplate* template_of(const std::optional<std::string>& alias) const {
        static const LocalTemplate k_built_in;
        const auto found = templates.find(alias.value_or(std::string(ports::k_default_template)));
        if (found != templates.end()) return &found->second;
        return alias ? nullptr : &k_built_in;
    }
};

LocalAuthority::LocalAuthority(std::string name, std::shared_ptr<Core> core, ports::Offload& offload,
                               const ports::Clock& clock) noexcept
    : name_(std::move(name)), core_(std::move(core)), offload_(offload), clock_(clock) {}

LocalAuthority::~LocalAuthority() = default;

Result<std::unique_ptr<LocalAuthority>> LocalAuthority::open(LocalSettings settings, ports::Offload& offload,
                                                             const ports::Clock& clock) {
    const std::string where = "authority." + settings.name;
    auto signer = LocalSigner::open(settings.directory, settings.passphrase, settings.other_places);
    if (!signer) return signer.error().in(where);
    for (const auto& [alias, bounds] : settings.templates) {
        if (auto fit = signer->check(bounds); !fit) return fit.error().in(where + ".template." + alias);
    }
    if (auto fit = signer->check(LocalTemplate{}); !fit && !settings.templates.contains("default"))
        return fit.error().in(where + ": the built-in template (a template called \"default\" replaces it)");
    auto store = LocalStore::open(settings.directory / local_files::k_database);
    // A lock that somebody else holds passes; until then this authority alone is down.
    if (!store && store.error().kind != ErrorKind::unavailable) return store.error().in(where);
    auto core = std::make_shared<Core>(settings.directory, std::move(*signer), std::move(settings.templates),
                                       std::move(settings.list), store ? std::move(*store) : nullptr);
    return std::unique_ptr<LocalAuthority>(
        new LocalAuthority(std::move(settings.name), std::move(core), offload, clock));
}

ports::AuthorityTraits LocalAuthority::traits() const {
    ports::AuthorityTraits traits;
    traits.finds = true;
    traits.revokes = true;
    traits.anchors = {core_->signer.root().der};
    traits.issuing = {core_->signer.issuing().der};
    return traits;
}

bool LocalAuthority::has_template(const std::optional<std::string>& alias) const {
    return core_->template_of(alias) != nullptr;
}

ports::Async<ports::AuthorityAnswer> LocalAuthority::submit(ports::Submission submission) {
    const UtcTime now = clock_.utc();
    auto job = [core = core_, submission = std::move(submission), now] {
        return guarded([&] { return core->submit(submission, now); });
    };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

ports::Async<ports::AuthorityAnswer> LocalAuthority::poll(std::string) {
    co_return Error(ErrorKind::internal, "internal", "the local authority leaves nothing pending");
}

ports::Async<std::optional<ports::AuthorityAnswer>> LocalAuthority::find(ports::Submission submission) {
    auto job = [core = core_, submission = std::move(submission)] {
        return guarded([&] { return core->find(submission); });
    };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

ports::Async<void> LocalAuthority::probe() {
    auto job = [core = core_]() -> Result<void> {
        const std::lock_guard lock(core->store_mutex);
        const auto memory = core->opened_store();
        if (!memory) return memory.error();
        return (*memory)->probe();
    };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

ports::Async<void> LocalAuthority::revoke(ports::Revocation revocation) {
    const UtcTime now = clock_.utc();
    auto job = [core = core_, revocation = std::move(revocation), now] {
        return guarded([&] { return core->revoke(revocation, now); });
    };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

ports::Async<ports::Upkeep> LocalAuthority::upkeep() {
    const UtcTime now = clock_.utc();
    auto job = [core = core_, now]() -> Result<ports::Upkeep> {
        return guarded([&]() -> Result<ports::Upkeep> { return ports::Upkeep{core->keep_list(now)}; });
    };
    auto running = offload_.run(std::move(job));
    co_return co_await std::move(running);
}

}  // namespace connector::authority
