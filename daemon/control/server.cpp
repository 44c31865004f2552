#include "daemon/control/server.hpp"

#include "core/printable.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace connector::control {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::local::stream_protocol;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t k_longest_line = 8UL * 1024UL * 1024UL;  // a list of 20,000 devices
constexpr std::size_t k_most_connections = 16;
constexpr auto k_longest_visit = 30s;
constexpr std::size_t k_name_buffer = 16UL * 1024UL;

int exit_code_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::invalid: return 2;
        case ErrorKind::unavailable:
        case ErrorKind::throttled:
        case ErrorKind::timed_out:
        case ErrorKind::cancelled: return 75;
        case ErrorKind::refused:
        case ErrorKind::unauthorized:
        case ErrorKind::misconfigured:
        case ErrorKind::unknown:
        case ErrorKind::integrity:
        case ErrorKind::conflict:
        case ErrorKind::internal: return 1;
    }
    return 1;
}

std::optional<gid_t> group_id(const std::string& name) {
    std::vector<char> buffer(k_name_buffer);
    struct group entry {};
    struct group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return found->gr_gid;
}

std::string account_name(uid_t uid) {
    std::vector<char> buffer(k_name_buffer);
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return "uid " + std::to_string(uid);
    return found->pw_name;
}

// As the accounts stand now: a session that was opened before its account left the group is refused. The socket's mode
// keeps the others away; this is for what gets past it.
bool may_command(const ucred& peer, const std::string& group) {
    if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
    const auto wanted = group_id(group);
    if (!wanted) return false;
    std::vector<char> buffer(k_name_buffer);
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(peer.uid, &entry, buffer.data(), buffer.size(), &found) != 0) return false;
    if (found == nullptr) return peer.gid == *wanted;  // a number without an account: all that is known of it
    int count = 1024;
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) return false;
    groups.resize(static_cast<std::size_t>(count));
    return std::find(groups.begin(), groups.end(), *wanted) != groups.end();
}

}  // namespace

struct Server::Impl {
    asio::any_io_executor executor;
    ports::Clock& clock;
    ports::EventSink& events;
    Operations operations;
    async::TaskGroup tasks;
    std::optional<stream_protocol::acceptor> acceptor;
    std::filesystem::path path;
    std::string group;

    Impl(const asio::any_io_executor& the_executor, ports::Clock& the_clock, ports::EventSink& the_events,
         Operations the_operations)
        : executor(the_executor),
          clock(the_clock),
          events(the_events),
          operations(std::move(the_operations)),
          tasks(the_executor) {}

    asio::awaitable<void> listen() {
        co_await asio::this_coro::throw_if_cancelled(false);
        for (;;) {
            stream_protocol::socket socket(executor);
            auto accepting = acceptor->async_accept(socket, asio::as_tuple(asio::use_awaitable));
            auto [failure] = co_await std::move(accepting);
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none || !acceptor->is_open()) co_return;
            if (failure) {
                co_await clock.wait_until(clock.tick() + 1s);
                continue;
            }
            if (tasks.size() > k_most_connections) continue;  // the socket closes
            auto visit = visited(std::move(socket));
            tasks.spawn(std::move(visit));
        }
    }

    asio::awaitable<void> visited(stream_protocol::socket socket) {
        using asio::experimental::awaitable_operators::operator||;
        co_await asio::this_coro::throw_if_cancelled(false);
        auto serving = serve(socket);
        auto limit = clock.wait_until(clock.tick() + k_longest_visit);
        auto either = std::move(serving) || std::move(limit);
        co_await std::move(either);
    }

    asio::awaitable<void> serve(stream_protocol::socket& socket) {
        co_await asio::this_coro::throw_if_cancelled(false);
        struct ucred peer {};
        socklen_t size = sizeof peer;
        if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) co_return;
        Caller caller{account_name(peer.uid), peer.uid == 0 || peer.uid == ::geteuid()};
        const bool may = may_command(peer, group);
        std::string line;
        auto reading = asio::async_read_until(socket, asio::dynamic_buffer(line, k_longest_line), '\n',
                                              asio::as_tuple(asio::use_awaitable));
        auto [read_failure, read] = co_await std::move(reading);
        if (read_failure) co_return;
        std::string reply;
        if (may) {
            auto answering = answer(line.substr(0, read), std::move(caller));
            reply = co_await std::move(answering);
        } else {
            reply = refuse(line.substr(0, read), caller);
        }
        auto writing = asio::async_write(socket, asio::buffer(reply), asio::as_tuple(asio::use_awaitable));
        auto [write_failure, written] = co_await std::move(writing);
        (void)write_failure;
        (void)written;
    }

    std::string refuse(const std::string& line, const Caller& caller) {
        boost::system::error_code failure;
        const json::value asked = json::parse(line, failure);
        const json::object* question = !failure && asked.is_object() ? &asked.get_object() : nullptr;
        const json::value* command = question == nullptr ? nullptr : question->if_contains("command");
        const bool named = command != nullptr && command->is_string();
        events.raise(Event(event::k_control_refused)
                         .with("command", named ? printable(std::string(command->get_string()), 64) : "unreadable")
                         .with("by", caller.account));
        json::object reply;
        reply["exit"] = 1;
        reply["error"] = caller.account + " may not: be root or in the group \"" + group + "\"";
        reply["result"] = nullptr;
        return json::serialize(reply) + "\n";
    }

    asio::awaitable<std::string> answer(std::string line, Caller caller) {
        json::object reply;
        boost::system::error_code failure;
        const json::value asked = json::parse(line, failure);
        const json::object* question = !failure && asked.is_object() ? &asked.get_object() : nullptr;
        const json::value* command = question == nullptr ? nullptr : question->if_contains("command");
        if (command == nullptr || !command->is_string()) {
            reply["exit"] = 2;
            reply["error"] = "not a command";
            co_return json::serialize(reply) + "\n";
        }
        json::object arguments;
        if (const auto* given = question->if_contains("arguments"); given != nullptr && given->is_object())
            arguments = given->get_object();
        auto performing =
            operations.perform(std::string(command->get_string()), std::move(arguments), std::move(caller));
        auto result = co_await std::move(performing);
        reply["exit"] = result ? 0 : exit_code_of(result.error().kind);
        reply["error"] = result ? std::string() : result.error().message;
        reply["result"] = result ? std::move(*result) : json::value(nullptr);
        co_return json::serialize(reply) + "\n";
    }
};

Server::Server(asio::any_io_executor executor, ports::Clock& clock, ports::EventSink& events, Operations operations)
    : impl_(std::make_unique<Impl>(std::move(executor), clock, events, std::move(operations))) {}

Server::~Server() = default;

Result<void> Server::start(const std::filesystem::path& path, const std::string& group) {
    const auto cannot = [&](const std::string& why) {
        return Error(ErrorKind::misconfigured, "controlListen", "[control] socket " + path.string() + ": " + why);
    };
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) {
        if (!S_ISSOCK(there.st_mode)) return cannot("is there and is not a socket");
        std::filesystem::remove(path, ignored);
    }
    boost::system::error_code failure;
    stream_protocol::endpoint endpoint;
    if (path.string().size() >= sizeof(sockaddr_un::sun_path))
        return cannot("is longer than a socket's path may be (107 octets)");
    endpoint = stream_protocol::endpoint(path.string());
    impl_->acceptor.emplace(impl_->executor);
    impl_->acceptor->open(endpoint.protocol(), failure);
    // Nobody else may connect between bind and chmod.
    const mode_t before = ::umask(0177);
    if (!failure) impl_->acceptor->bind(endpoint, failure);
    ::umask(before);
    if (!failure) impl_->acceptor->listen(static_cast<int>(k_most_connections), failure);
    if (failure) return cannot(failure.message());
    impl_->path = path;
    impl_->group = group;
    const auto gid = group_id(group);
    // A folder with the set-group-id bit has given it the group; then no privilege is needed.
    const bool theirs = gid && ::lstat(path.c_str(), &there) == 0 && there.st_gid == *gid;
    if (gid && (theirs || ::chown(path.c_str(), static_cast<uid_t>(-1), *gid) == 0) &&
        ::chmod(path.c_str(), 0660) == 0) {
        // open to the administrators' group
    } else {
        impl_->events.raise(Event(event::k_control_group_missing).with("group", group).with("socket", path.string()));
    }
    auto listening = impl_->listen();
    impl_->tasks.spawn(std::move(listening));
    return {};
}

asio::awaitable<void> Server::stop() {
    boost::system::error_code ignored;
    if (impl_->acceptor) impl_->acceptor->close(ignored);
    impl_->tasks.cancel();
    auto ending = impl_->tasks.join();
    co_await std::move(ending);
    std::error_code gone;
    if (!impl_->path.empty()) std::filesystem::remove(impl_->path, gone);
}

}  // namespace connector::control
