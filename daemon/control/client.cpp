#include "daemon/control/client.hpp"

#include "core/crypto/openssl_crypto.hpp"
#include "daemon/control/operations.hpp"
#include "daemon/state_directory.hpp"
#include "daemon/system_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <pwd.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <vector>

namespace connector::control {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr int k_failed = 1;
constexpr int k_usage = 2;
constexpr int k_try_later = 75;

std::string own_account() {
    std::vector<char> buffer(16UL * 1024UL);
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return "uid " + std::to_string(::getuid());
    return found->pw_name;
}

Answer failed(int exit_code, std::string message) {
    Answer answer;
    answer.exit_code = exit_code;
    answer.error = std::move(message);
    return answer;
}

// nullopt: no daemon listens there.
std::optional<Answer> ask_daemon(const config::Settings& settings, const json::object& question) {
    asio::io_context io;
    asio::local::stream_protocol::socket socket(io);
    boost::system::error_code failure;
    const std::string path = settings.control.socket.string();
    if (path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    socket.connect(asio::local::stream_protocol::endpoint(path), failure);
    if (failure == boost::system::errc::permission_denied)
        return failed(k_failed, settings.control.socket.string() + ": permission denied; be root or in the group \"" +
                                    settings.control.group + "\"");
    if (failure) return std::nullopt;
    asio::write(socket, asio::buffer(json::serialize(question) + "\n"), failure);
    asio::streambuf reply;
    if (!failure) {
        // Longer than the daemon lets a visit last: one that hangs must not hang its operator too.
        constexpr std::chrono::seconds k_patience{40};
        failure = asio::error::timed_out;
        asio::async_read_until(socket, reply, '\n',
                               [&failure](const boost::system::error_code& done, std::size_t) { failure = done; });
        io.run_for(k_patience);
    }
    if (failure) return failed(k_try_later, "the daemon did not answer: " + failure.message());
    const auto data = reply.data();
    const std::string line(asio::buffers_begin(data), asio::buffers_end(data));
    const auto value = json::parse(line, failure);
    if (failure || !value.is_object()) return failed(k_failed, "the daemon's answer cannot be read");
    Answer answer;
    const auto& object = value.get_object();
    if (const auto* code = object.if_contains("exit"); code != nullptr && code->is_int64())
        answer.exit_code = static_cast<int>(code->get_int64());
    if (const auto* text = object.if_contains("error"); text != nullptr && text->is_string())
        answer.error = text->get_string();
    if (const auto* result = object.if_contains("result"); result != nullptr) answer.result = *result;
    return answer;
}

Answer do_here(const config::Settings& settings, const std::string& command, const json::object& arguments) {
    auto state = daemon::open_state(settings, daemon::LogTo::file_only);
    if (!state) {
        const bool busy = state.error().code == "alreadyRunning";
        return failed(busy ? k_try_later : k_usage,
                      busy ? "the daemon is starting or stopping; try again (" + state.error().message + ")"
                           : state.error().message);
    }
    asio::io_context io(1);
    daemon::SystemClock clock(io.get_executor());
    const crypto::OpenSslCrypto crypto;
    Operations operations(Operations::Parts{*state->ledger,
                                            *state->evidence,
                                            clock,
                                            crypto,
                                            nullptr,
                                            [] {
                                                json::object stopped;
                                                stopped["status"] = "stopped";
                                                stopped["version"] = CONNECTOR_VERSION;
                                                return stopped;
                                            },
                                            [&state] { return anchor_json(state->evidence->audit().head()); },
                                            {},
                                            nullptr,
                                            settings.limits,
                                            settings.control.approvers,
                                            {},
                                            {}});
    std::optional<Result<json::value>> result;
    auto performing = operations.perform(command, arguments, Caller{own_account(), true});
    asio::co_spawn(io, std::move(performing), [&result](const std::exception_ptr& fault, Result<json::value> value) {
        if (fault) std::rethrow_exception(fault);
        result.emplace(std::move(value));
    });
    io.run();
    Answer answer;
    if (!result) return failed(k_failed, "the command did not end");
    if (*result) {
        answer.result = std::move(**result);
    } else {
        answer.exit_code = result->error().kind == ErrorKind::invalid ? k_usage : k_failed;
        answer.error = result->error().message;
    }
    return answer;
}

}  // namespace

Answer call(const config::Settings& settings, const std::string& command, const json::object& arguments) {
    if (auto answer = ask_running(settings, command, arguments)) return std::move(*answer);
    return do_here(settings, command, arguments);
}

std::optional<Answer> ask_running(const config::Settings& settings, const std::string& command,
                                  const json::object& arguments) {
    json::object question;
    question["command"] = command;
    question["arguments"] = arguments;
    return ask_daemon(settings, question);
}

}  // namespace connector::control
