#include "daemon/notify/server.hpp"

#include "config/credentials.hpp"

namespace connector::notify {

Result<SmtpServer> server_of(const config::Notify& notify) {
    SmtpServer server;
    server.url = notify.smtp;
    server.starttls = notify.starttls;
    server.ca_file = notify.ca_file;
    server.user = notify.user;
    if (notify.password) {
        auto password = config::read_password(*notify.password);
        if (!password) return password.error().in("[notify] password");
        server.password = std::make_shared<const SecretBytes>(std::move(*password));
    }
    return server;
}

}  // namespace connector::notify
