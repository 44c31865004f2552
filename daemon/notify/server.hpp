// [notify] as the mail server that smtp.hpp wants. kind: misconfigured (the password cannot be read).
#pragma once

#include "config/settings.hpp"
#include "daemon/notify/smtp.hpp"

namespace connector::notify {

[[nodiscard]] Result<SmtpServer> server_of(const config::Notify& notify);

}  // namespace connector::notify
