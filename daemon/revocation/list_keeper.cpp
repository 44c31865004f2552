#include "daemon/revocation/list_keeper.hpp"

#include "core/crypto/certificate.hpp"
#include "core/event_ids.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace connector::revocation {
namespace {

using namespace std::chrono_literals;

constexpr auto k_between_looks = 2s;   // at a file's times
constexpr auto k_after_failure = 15s;  // at an address that gave nothing
constexpr auto k_longest = 1h;         // between two questions of an address
constexpr auto k_shortest = 60s;
constexpr auto k_patience = 15s;  // with one answer
constexpr unsigned k_ok = 200;

// "" where it is not there.
std::string stamp_of(const std::filesystem::path& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) return "";
    return std::to_string(facts.st_ino) + " " + std::to_string(facts.st_size) + " " +
           std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec);
}

}  // namespace

ListKeeper::ListKeeper(Places places, std::vector<Bytes> authorities, net::HttpClient& http, ports::Clock& clock,
                       ports::Offload& offload, ports::EventSink& events)
    : authorities_(std::move(authorities)), http_(http), clock_(clock), offload_(offload), events_(events) {
    for (auto& file : places.files) {
        Source source;
        source.file = std::move(file);
        source.due = clock_.tick();
        sources_.push_back(std::move(source));
    }
    for (auto& url : places.urls) {
        Source source;
        source.url = std::move(url);
        source.due = clock_.tick();
        sources_.push_back(std::move(source));
    }
    for (const auto& authority : authorities_) {
        const auto facts = crypto::inspect(authority);
        subjects_.push_back(facts ? to_text(facts->subject) : std::string("an authority that does not parse"));
    }
    publish();
}

ports::Async<LoadedList> ListKeeper::obtain(const Source& source) {
    if (!source.url) {
        auto job = [file = source.file, &authorities = authorities_] { return read_list_file(file, authorities); };
        auto reading = offload_.run(std::move(job));
        co_return co_await std::move(reading);
    }
    net::Request request("GET", *source.url, clock_.tick() + k_patience);
    request.headers.emplace_back("Accept", "application/pkix-crl, */*");
    request.body_limit = crypto::k_largest_crl;
    auto asking = http_.send(std::move(request));
    auto answer = co_await std::move(asking);
    if (!answer) co_return answer.error();
    if (answer->status != k_ok)
        co_return Error(ErrorKind::unavailable, "httpStatus",
                        source.name() + ": answers " + std::to_string(answer->status));
    auto job = [body = std::move(answer->body), &authorities = authorities_] {
        return read_list(bytes_of(body), authorities);
    };
    auto reading = offload_.run(std::move(job));
    auto list = co_await std::move(reading);
    if (!list) co_return list.error().in(source.name());
    co_return std::move(list);
}

void ListKeeper::tell(Source& source, const Error& error) {
    if (error.kind == ErrorKind::cancelled || std::exchange(source.complaint, error.message) == error.message) return;
    events_.raise(Event(event::k_crl_not_obtained)
                      .with("place", source.name())
                      .with("code", error.code)
                      .with("reason", error.message));
}

void ListKeeper::take(Source& source, Result<LoadedList> list) {
    if (!list) return tell(source, list.error());
    const auto& held = source.held;
    if (held && held->authority == list->authority && list->list.this_update() < held->list.this_update()) {
        const Error older(ErrorKind::refused, "crlOlder",
                          source.name() + ": of " + to_rfc3339(list->list.this_update()) +
                              ", older than the one held, of " + to_rfc3339(held->list.this_update()));
        return tell(source, older);
    }
    source.complaint.clear();
    source.held = std::move(*list);
}

void ListKeeper::publish() {
    std::vector<crypto::RevocationList> lists;
    for (const auto& source : sources_)
        if (source.held) lists.push_back(source.held->list);
    current_ = std::make_shared<const crypto::RevocationLists>(authorities_, std::move(lists));
}

ports::Async<void> ListKeeper::refresh() {
    for (auto& source : sources_) {
        if (clock_.tick() < source.due) continue;
        if (!source.url) {
            source.due = clock_.tick() + k_between_looks;
            const auto stamp = stamp_of(source.file);
            if (!stamp.empty() && stamp == source.stamp) continue;
            source.stamp = stamp;
        }
        auto obtaining = obtain(source);
        auto list = co_await std::move(obtaining);
        const bool obtained = list.has_value();
        take(source, std::move(list));
        publish();
        if (!source.url) continue;
        const auto left = source.held ? source.held->list.next_update() - clock_.utc() : std::chrono::seconds{0};
        source.due = clock_.tick() + (obtained ? std::clamp<Tick::duration>(left / 2, k_shortest, k_longest)
                                               : Tick::duration(k_after_failure));
    }
    co_return Result<void>();
}

std::vector<Error> ListKeeper::faults(UtcTime now) const {
    std::vector<LoadedList> lists;
    for (const auto& source : sources_)
        if (source.held) lists.push_back(*source.held);
    std::vector<Error> all;
    for (std::size_t i = 0; i < authorities_.size(); ++i)
        if (auto fault = fault_of(i, subjects_[i], lists, now)) all.push_back(std::move(*fault));
    return all;
}

}  // namespace connector::revocation
