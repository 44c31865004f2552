// The mail server of [notify]: reached, TLS, signed in, as far as a message would come.
#include "daemon/doctor/areas.hpp"
#include "daemon/notify/server.hpp"

namespace connector::doctor {

std::vector<Check> check_mail(const config::Settings& settings) {
    Checks checks("notify");
    const auto& notify = settings.notify;
    if (notify.smtp.empty()) return std::move(checks).take();
    auto server = notify::server_of(notify);
    if (!server) {
        checks.fault("mail server", server.error().message, "put notify.password where it can be read, mode 0400");
        return std::move(checks).take();
    }
    constexpr std::chrono::seconds k_patience{10};
    server->timeout = k_patience;
    const auto reached = notify::probe(*server);
    if (reached) {
        checks.good("mail server", notify.smtp + " answers" + (notify.user.empty() ? "" : " and takes the credential"));
    } else if (reached.error().code == "mailTlsFailed") {
        checks.fault("mail server", notify.smtp + ": " + reached.error().message,
                     "notify.ca_file must hold the authority of the server's certificate, which must name the host of "
                     "notify.smtp; a server without STARTTLS needs smtps:// or starttls = \"off\"");
    } else if (reached.error().kind == ErrorKind::unauthorized) {
        checks.fault("mail server", notify.smtp + ": " + reached.error().message,
                     "look at notify.user and notify.password");
    } else {
        checks.fault("mail server", notify.smtp + ": " + reached.error().message,
                     "is it up, and does the firewall let this machine out to it? Else mend notify.smtp");
    }
    return std::move(checks).take();
}

}  // namespace connector::doctor
