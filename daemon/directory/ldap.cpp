#include "daemon/directory/ldap.hpp"

#include "config/credentials.hpp"
#include "core/text.hpp"
#include "daemon/directory/ldap_connection.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

namespace connector::directory {
namespace {

using namespace std::chrono_literals;
using Monotonic = std::chrono::steady_clock;

constexpr auto k_longest_idle = 60s;
constexpr auto k_after_failure = 2s;
constexpr std::size_t k_most_kept = 10'000;

// What a failure says holds for everybody only where it is the connection's, not the question's.
bool concerns_all(const Error& error) {
    return error.code == "directoryUnreachable" || error.code == "directoryRefusedUs";
}

// Only a clear answer is kept: who has just been entered, given an owner or enabled need not wait for it.
bool is_clear(const trust::DirectoryView& view, bool with_device) {
    const bool person = view.person.found == trust::Found::one && !view.person.entry.disabled;
    const bool device = !with_device || (view.device.found == trust::Found::one && !view.device.entry.disabled &&
                                         view.device.owners.size() == 1);
    return person && device;
}

}  // namespace

// What the threads share. Any thread.
class LdapDirectory::Desk {
public:
    Desk(config::Directory settings, std::optional<SecretBytes> password)
        : settings_(std::move(settings)), password_(std::move(password)) {}

    Result<trust::DirectoryView> ask(const ports::DirectoryQuestion& question) {
        if (auto error = failed_lately()) return *error;
        std::vector<Search> searches;
        searches.push_back({settings_.user_base,
                            filled_filter(settings_.user_filter, "{upn}", question.user_principal_name),
                            person_attributes(settings_), false});
        if (question.device)
            searches.push_back({settings_.device_base,
                                filled_filter(settings_.device_filter, "{device}", *question.device),
                                device_attributes(settings_), false});
        auto found = run(searches);
        if (!found) return found.error();
        trust::DirectoryView view;
        view.person = person_of((*found)[0], settings_);
        if (question.device) view.device = device_of((*found)[1], settings_);
        return view;
    }

    Result<void> probe() {
        std::vector<Search> searches{{settings_.user_base, "(objectClass=*)", {}, true}};
        if (!settings_.device_base.empty()) searches.push_back({settings_.device_base, "(objectClass=*)", {}, true});
        auto found = run(searches);
        if (!found) return found.error();
        for (std::size_t i = 0; i < found->size(); ++i)
            if ((*found)[i].entries.empty())
                return Error(ErrorKind::misconfigured, "directoryMisconfigured",
                             "there is no " + searches[i].base + " that this account may see");
        return {};
    }

private:
    struct Idle {
        std::unique_ptr<LdapConnection> connection;
        Monotonic::time_point since;
    };

    std::optional<Error> failed_lately() {
        const std::lock_guard lock(mutex_);
        if (failure_ && Monotonic::now() < failed_until_) return failure_;
        return std::nullopt;
    }

    std::unique_ptr<LdapConnection> take_idle() {
        const std::lock_guard lock(mutex_);
        while (!idle_.empty()) {
            Idle last = std::move(idle_.back());
            idle_.pop_back();
            if (Monotonic::now() - last.since < k_longest_idle) return std::move(last.connection);
        }
        return nullptr;
    }
    void put_back(std::unique_ptr<LdapConnection> connection) {
        const std::lock_guard lock(mutex_);
        failure_.reset();
        if (!connection->worth_keeping()) return;
        idle_.push_back({std::move(connection), Monotonic::now()});
    }
    void note(const Error& error) {
        if (!concerns_all(error)) return;
        const std::lock_guard lock(mutex_);
        // What was kept is of the same directory.
        idle_.clear();
        failure_ = error;
        failed_until_ = Monotonic::now() + k_after_failure;
    }

    static Result<std::vector<Entries>> ask_all(LdapConnection& connection, const std::vector<Search>& searches,
                                                LdapConnection::Deadline deadline) {
        std::vector<Entries> found;
        for (const auto& search : searches) {
            auto one = connection.search(search, deadline);
            if (!one) return one.error();
            found.push_back(std::move(*one));
        }
        return found;
    }

    Result<std::vector<Entries>> run(const std::vector<Search>& searches) {
        const auto deadline = Monotonic::now() + settings_.timeout;
        // A kept connection may have been closed over there meanwhile: that is no failure of the directory's.
        while (auto connection = take_idle()) {
            auto found = ask_all(*connection, searches, deadline);
            if (found || found.error().kind != ErrorKind::unavailable) {
                if (found)
                    put_back(std::move(connection));
                else
                    note(found.error());
                return found;
            }
        }
        std::optional<Error> first;
        for (std::size_t i = 0; i < settings_.urls.size(); ++i) {
            const std::size_t left = settings_.urls.size() - i;
            const auto now = Monotonic::now();
            if (now >= deadline) break;
            // Each has its share of the time, or the first one that hangs would leave none for the others.
            const auto share = now + (deadline - now) / static_cast<std::int64_t>(left);
            auto opened = LdapConnection::open(settings_, settings_.urls[i], password(), share);
            if (!opened) {
                if (!first) first = opened.error();
                continue;
            }
            auto found = ask_all(**opened, searches, share);
            if (found) {
                put_back(std::move(*opened));
                return found;
            }
            if (!first) first = found.error();
        }
        const Error error =
            first.value_or(Error(ErrorKind::timed_out, "directoryUnreachable", "no directory answered in time"));
        note(error);
        return error;
    }

    [[nodiscard]] const SecretBytes* password() const noexcept { return password_ ? &*password_ : nullptr; }

    const config::Directory settings_;
    const std::optional<SecretBytes> password_;
    std::mutex mutex_;
    std::vector<Idle> idle_;
    std::optional<Error> failure_;
    Monotonic::time_point failed_until_;
};

Result<std::unique_ptr<LdapDirectory>> LdapDirectory::make(config::Directory settings, ports::Offload& offload,
                                                           const ports::Clock& clock) {
    std::optional<SecretBytes> password;
    if (settings.bind == config::DirectoryBind::simple) {
        if (!settings.credential)
            return Error(ErrorKind::misconfigured, "secretUnreadable", "[directory] credential is missing");
        auto read = config::read_password(*settings.credential);
        if (!read) return read.error().in("[directory] credential");
        password = std::move(*read);
    }
    const auto cache = settings.cache;
    auto desk = std::make_shared<Desk>(std::move(settings), std::move(password));
    return std::unique_ptr<LdapDirectory>(new LdapDirectory(std::move(desk), cache, offload, clock));
}

LdapDirectory::LdapDirectory(std::shared_ptr<Desk> desk, std::chrono::seconds cache, ports::Offload& offload,
                             const ports::Clock& clock)
    : desk_(std::move(desk)), cache_(cache), offload_(offload), clock_(clock) {}

LdapDirectory::~LdapDirectory() = default;

ports::Async<trust::DirectoryView> LdapDirectory::ask(ports::DirectoryQuestion question) {
    Key key{ascii_lower(question.user_principal_name), ascii_lower(question.device.value_or(""))};
    if (!question.fresh)
        if (const auto found = kept_.find(key); found != kept_.end() && clock_.tick() - found->second.read < cache_) {
            trust::DirectoryView view = found->second.view;
            co_return view;
        }
    const bool with_device = question.device.has_value();
    auto job = [desk = desk_, question = std::move(question)] { return desk->ask(question); };
    auto asking = offload_.run(std::move(job));
    auto answer = co_await std::move(asking);
    if (answer && is_clear(*answer, with_device))
        keep(std::move(key), *answer);
    else
        kept_.erase(key);
    co_return answer;
}

void LdapDirectory::keep(Key key, const trust::DirectoryView& view) {
    if (cache_.count() == 0) return;
    const Tick now = clock_.tick();
    if (kept_.size() >= k_most_kept)
        std::erase_if(kept_, [&](const auto& one) { return now - one.second.read >= cache_; });
    if (kept_.size() >= k_most_kept) kept_.clear();
    kept_.insert_or_assign(std::move(key), Kept{view, now});
}

ports::Async<void> LdapDirectory::probe() {
    auto job = [desk = desk_] { return desk->probe(); };
    auto asking = offload_.run(std::move(job));
    auto answer = co_await std::move(asking);
    co_return answer;
}

}  // namespace connector::directory
