// The control socket: /run/pfx-connector/control.sock, one JSON line in, one out.
// Who may connect is the file's mode and group; who it was is the kernel's word (SO_PEERCRED) and stands in the audit
// log. Refuses: lines over 64 KiB, a second request on a connection, more than 16 connections, 30 s each. cc-io.
#pragma once

#include "core/async/task_group.hpp"
#include "daemon/control/operations.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace connector::control {

class Server {
public:
    Server(boost::asio::any_io_executor executor, ports::Clock& clock, ports::EventSink& events, Operations operations);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Binds the socket: 0660 and `group` where the group exists, else 0600 with an event. A socket left by a dead
    // daemon is replaced (the instance lock is held). kind: misconfigured, code controlListen.
    [[nodiscard]] Result<void> start(const std::filesystem::path& path, const std::string& group);
    // Closes everything and removes the socket; to be awaited before destruction.
    [[nodiscard]] boost::asio::awaitable<void> stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace connector::control
