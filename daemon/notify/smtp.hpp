// One message to one mail server, over libcurl: smtp:// with STARTTLS, smtps://. TLS 1.2 or newer, the server's name
// and chain verified. Refuses: to go on in clear where STARTTLS is required, any other protocol, a proxy. Blocks for up
// to `timeout`: its caller's own thread.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"
#include "daemon/notify/letters.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace connector::notify {

struct SmtpServer {
    std::string url;  // smtp://host:port or smtps://host:port
    bool starttls = true;
    std::filesystem::path ca_file;  // PEM; empty: the system's
    std::string user;               // "" = none
    std::shared_ptr<const SecretBytes> password;
    std::chrono::seconds timeout{30};
};

// kind unavailable (cannot be reached, says "later"), unauthorized (credential), refused (the message, for good);
// code mailFailed, mailTlsFailed or mailRefused. The text has the server's word, cut and printable.
// `give_up`: asked at least once a second; may be empty.
[[nodiscard]] Result<void> send(const SmtpServer& server, const Letter& letter,
                                const std::function<bool()>& give_up = {});
// As far as a message would come, without one: connection, TLS, credential. For doctor.
[[nodiscard]] Result<void> probe(const SmtpServer& server);

}  // namespace connector::notify
