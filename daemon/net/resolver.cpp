#include "daemon/net/resolver.hpp"

#include "core/printable.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#ifndef _WIN32
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#endif

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace connector::net {
namespace asio = boost::asio;
namespace {

using Addresses = std::vector<asio::ip::address>;
constexpr std::size_t k_most_lookups = 8;

Error dns_failed(const std::string& host, std::string_view why) {
    return Error(ErrorKind::unavailable, "dnsFailed", host + ": " + printable(why));
}

Result<Addresses> look_up(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &first); code != 0)
        return dns_failed(host, ::gai_strerror(code));
    Addresses addresses;
    for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
        asio::ip::tcp::endpoint endpoint;
        if (at->ai_addr == nullptr || at->ai_addrlen > endpoint.capacity()) continue;
        const auto* octets = reinterpret_cast<const unsigned char*>(at->ai_addr);
        std::copy(octets, octets + at->ai_addrlen, reinterpret_cast<unsigned char*>(endpoint.data()));
        endpoint.resize(at->ai_addrlen);
        if (std::find(addresses.begin(), addresses.end(), endpoint.address()) == addresses.end())
            addresses.push_back(endpoint.address());
    }
    ::freeaddrinfo(first);
    if (addresses.empty()) return dns_failed(host, "has no address");
    return addresses;
}

// A thread that takes no signal and that nobody waits for.
void start_detached(std::function<void()> work) {
#ifndef _WIN32
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto restore = [&before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); };
#else
    const auto restore = [] {};
#endif
    try {
        std::thread thread(std::move(work));
#ifdef __linux__
        ::pthread_setname_np(thread.native_handle(), "cc-resolver");
#endif
        thread.detach();
    } catch (...) {
        restore();
        throw;
    }
    restore();
}

}  // namespace

struct SystemResolver::Shared {
    struct Lookup {
        std::optional<Result<Addresses>> answer;
        std::vector<std::pair<asio::any_io_executor, std::weak_ptr<asio::steady_timer>>> waiters;
    };
    std::mutex mutex;
    bool closed = false;
    std::map<std::string, std::shared_ptr<Lookup>> running;

    // On the look-up's thread. While the mutex is held and nothing is closed, the waiters' io_context is alive.
    void finish(const std::string& host, const std::shared_ptr<Lookup>& lookup, Result<Addresses> answer) {
        const std::lock_guard lock(mutex);
        lookup->answer.emplace(std::move(answer));
        running.erase(host);
        if (closed) return;
        for (auto& [executor, waiter] : lookup->waiters)
            if (auto timer = waiter.lock()) asio::post(executor, [timer = std::move(timer)] { timer->cancel(); });
        lookup->waiters.clear();
    }

    // Joins the look-up of that name or starts it; nullptr where too many hang already.
    std::shared_ptr<Lookup> join(const std::shared_ptr<Shared>& self, const std::string& host,
                                 const std::shared_ptr<asio::steady_timer>& timer) {
        const std::lock_guard lock(mutex);
        auto found = running.find(host);
        if (found == running.end()) {
            if (running.size() >= k_most_lookups) return nullptr;
            auto lookup = std::make_shared<Lookup>();
            try {
                start_detached([self, host, lookup] { self->finish(host, lookup, look_up(host)); });
            } catch (const std::system_error&) {
                return nullptr;
            }
            found = running.emplace(host, std::move(lookup)).first;
        }
        found->second->waiters.emplace_back(timer->get_executor(), timer);
        return found->second;
    }
};

SystemResolver::SystemResolver() : shared_(std::make_shared<Shared>()) {}

SystemResolver::~SystemResolver() {
    const std::lock_guard lock(shared_->mutex);
    shared_->closed = true;
    for (auto& [host, lookup] : shared_->running) lookup->waiters.clear();
}

ports::Async<Addresses> SystemResolver::resolve(std::string host) {
    boost::system::error_code not_literal;
    const auto literal = asio::ip::make_address(host, not_literal);
    if (!not_literal) co_return Addresses(1, literal);
    if (host.empty() || host.size() > 255) co_return dns_failed(host.substr(0, 255), "not a host name");

    const auto shared = shared_;
    const auto executor = co_await asio::this_coro::executor;
    const auto timer = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    const auto lookup = shared->join(shared, host, timer);
    if (!lookup) co_return dns_failed(host, "too many look-ups hang");
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    const std::lock_guard lock(shared->mutex);
    if (!lookup->answer) co_return Error(ErrorKind::cancelled, "cancelled", "name look-up was given up");
    co_return *lookup->answer;
}

}  // namespace connector::net
