// The daemon's doors on this machine: the control socket, the health port.
#include "core/crypto/certificate.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/load.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/array.hpp>

#include <grp.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <optional>

namespace connector::doctor {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::ip::tcp;

bool group_exists(const std::string& name) {
    std::array<char, 16384> buffer{};
    struct group entry {};
    struct group* found = nullptr;
    return ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
}

// "service: answers 401; authorities: 1 of 2 down"; "" where all is well.
std::string what_is_wrong(const boost::json::object& status) {
    std::string all;
    const auto* rows = status.if_contains("checks");
    if (rows == nullptr || !rows->is_array()) return all;
    for (const auto& element : rows->get_array()) {
        const auto* row = element.if_object();
        if (row == nullptr || text_of(*row, "status") == "ok") continue;
        const std::string detail = text_of(*row, "detail");
        all += (all.empty() ? "" : "; ") + text_of(*row, "name") + ": " +
               (detail.empty() ? text_of(*row, "status") : detail);
    }
    return all;
}

void running(Checks& checks, const boost::json::object& status) {
    const std::string state = text_of(status, "status");
    std::string detail =
        "runs: version " + text_of(status, "version") + ", since " + text_of(status, "startedAt") + ", " + state;
    if (const std::string wrong = what_is_wrong(status); !wrong.empty()) detail += "; " + wrong;
    if (state == "notReady")
        checks.fault("daemon", std::move(detail),
                     "mend what is named here and in the faults above; its log says more. Reload it where something "
                     "that it reads was changed (enroll --renew, the configuration)");
    else if (state == "degraded")
        checks.warning("daemon", std::move(detail),
                       "mend what is named here; what does not need it goes on meanwhile (pfx-connector status)");
    else if (state == "draining")
        checks.warning("daemon", std::move(detail), "it is stopping: start it again, or wait for who restarts it");
    else
        checks.good("daemon", std::move(detail));
}

// [recipients] max_per_user, and who stands at it.
void devices_per_user(Checks& checks, const config::Settings& settings, const boost::json::object& status) {
    const std::string name = "devices of a user";
    const auto most = settings.recipients.rules.max_per_user;
    if (most == 0) return checks.good(name, "no limit (recipients.max_per_user = 0)");
    const std::string limit = "at most " + std::to_string(most) + " (recipients.max_per_user)";
    const auto* held = status.if_contains("heldBy");
    const auto* waiting =
        held != nullptr && held->is_object() ? held->get_object().if_contains("too_many_devices") : nullptr;
    const auto number = waiting != nullptr && waiting->is_number() ? waiting->to_number<std::int64_t>() : 0;
    if (number == 0) return checks.good(name, limit);
    checks.warning(name, limit + "; " + count_of(number, "request") + " of a further device held",
                   "pfx-connector requests list --stage held; approve what is honest, and take old devices out: "
                   "pfx-connector recipients forget");
}

// It is read at the start and on reload; what `enroll --renew` put in its place is the only one that the service
// accepts.
void certificate_in_use(Checks& checks, const config::Settings& settings, const boost::json::object& status) {
    constexpr std::string_view k_check = "certificate in use";
    const std::string in_use = text_of(status, "certificateExpiresAt");
    const auto files = keys::load_certificates(settings.management.certificate);
    const auto facts = files ? crypto::inspect(files->front()) : Result<CertificateFacts>(files.error());
    if (facts && !in_use.empty() && to_rfc3339(facts->not_after) != in_use) {
        checks.fault(std::string(k_check),
                     "the daemon works with the connector's certificate that ends " + in_use +
                         ", and the file has one that ends " + to_rfc3339(facts->not_after) +
                         ": the service refuses the one from before",
                     "reload or restart the daemon now (systemctl reload pfx-connector)");
        return;
    }
    if (what_is_wrong(status).find("certificateSuperseded") != std::string::npos)
        checks.fault(std::string(k_check), "the service says that a newer certificate has replaced the daemon's",
                     "reload or restart the daemon now, if enroll --renew was run here; if it was not, somebody may "
                     "have used the "
                     "connector's key: enroll with a new token");
}

void lockdown(Checks& checks, const boost::json::object& status) {
    const auto* found = status.if_contains("lockdown");
    const auto* row = found == nullptr ? nullptr : found->if_object();
    if (row == nullptr) return;  // an older daemon
    const auto* complete = row->if_contains("complete");
    if (complete != nullptr && complete->is_bool() && complete->get_bool())
        checks.good("lockdown", text_of(*row, "text"));
    else
        checks.warning("lockdown", text_of(*row, "text"),
                       "what is not active needs a newer kernel (Landlock), seccomp, or LimitMEMLOCK=; until then the "
                       "unit's directives stand alone");
}

void control(Checks& checks, const config::Settings& settings, const Daemon& daemon) {
    const std::string socket = settings.control.socket.string();
    switch (daemon.state) {
        case Daemon::State::answers:
            running(checks, daemon.status);
            certificate_in_use(checks, settings, daemon.status);
            lockdown(checks, daemon.status);
            devices_per_user(checks, settings, daemon.status);
            break;
        case Daemon::State::forbidden:
            checks.fault("control socket", daemon.complaint,
                         "run it as root, or be in the group " + settings.control.group);
            break;
        case Daemon::State::silent:
            checks.fault("control socket",
                         daemon.complaint.empty() ? "process " + std::to_string(daemon.holder) +
                                                        " works on the state directory and does not listen at " + socket
                                                  : daemon.complaint,
                         "restart the daemon; look first at " + settings.log.file.string());
            break;
        case Daemon::State::none:
            checks.warning("daemon", "does not run", "pfx-connector run, or systemctl start pfx-connector");
            break;
    }
    struct stat there {};
    if (::lstat(socket.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode))
        checks.fault("control socket", socket + " is there and is not a socket: the daemon cannot start",
                     "move it away, or name another control.socket");
    if (!settings.control.group.empty() && !group_exists(settings.control.group))
        checks.warning("control group",
                       "there is no group " + settings.control.group +
                           ": only root and the daemon's "
                           "account can speak with it",
                       "groupadd --system " + settings.control.group + ", and restart the daemon");
}

// "" where nothing answers within two seconds.
std::string health_answer(const config::Health& health, bool& listens) {
    asio::io_context io;
    tcp::socket socket(io);
    boost::system::error_code wrong;
    const auto address = asio::ip::make_address(health.address, wrong);
    if (wrong) return "";
    const auto target = address.is_unspecified()
                            ? (address.is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                                               : asio::ip::address(asio::ip::address_v6::loopback()))
                            : address;
    const std::string question = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::string answer;
    listens = false;
    socket.async_connect(tcp::endpoint(target, health.port), [&](const boost::system::error_code& failed) {
        if (failed) return;
        listens = true;
        asio::async_write(socket, asio::buffer(question), [&](const boost::system::error_code& unsent, std::size_t) {
            if (unsent) return;
            asio::async_read(socket, asio::dynamic_buffer(answer, 65536), asio::transfer_all(),
                             [](const boost::system::error_code&, std::size_t) {});
        });
    });
    io.run_for(std::chrono::seconds(2));
    return answer;
}

void health(Checks& checks, const config::Settings& settings, const Daemon& daemon) {
    const auto& health = settings.health;
    if (health.address.empty()) return checks.good("health port", "off (health.listen = \"\")");
    bool listens = false;
    const std::string answer = health_answer(health, listens);
    const std::string mend = "end what listens there (ss -ltnp), or set health.listen to another port";
    if (daemon.state != Daemon::State::answers) {
        if (daemon.has_state()) return;  // whose it is cannot be told
        if (listens) return checks.fault("health port", health.listen + " is taken by another program", mend);
        return checks.good("health port", health.listen + " is free");
    }
    if (!listens)
        return checks.fault("health port", "the daemon does not listen at " + health.listen,
                            "restart the daemon; its log says why (pfx-connector explain SVC-5024)");
    // Its start is its mark: two daemons do not begin in the same second at the same port.
    const std::string began = text_of(daemon.status, "startedAt");
    if (health.tls_certificate.empty() && (began.empty() || answer.find(began) == std::string::npos))
        return checks.fault("health port", "another program answers at " + health.listen,
                            mend + ", and restart the daemon");
    checks.good("health port", health.listen + " answers");
}

void age(Checks& checks, const config::Settings& settings, const Daemon& daemon) {
    if (daemon.state != Daemon::State::answers) return;
    const std::string read = text_of(daemon.status, "configurationReadAt");
    const auto began = from_rfc3339(read.empty() ? text_of(daemon.status, "startedAt") : read);
    struct stat about {};
    if (!began || ::stat(settings.file.c_str(), &about) != 0) return;
    if (about.st_mtim.tv_sec > began->time_since_epoch().count())
        checks.warning(
            "configuration", settings.file.string() + " was changed after the daemon had read it",
            "reload the daemon (systemctl reload pfx-connector, or SIGHUP); what it reads at its start alone "
            "needs a restart, and the log says so");
}

}  // namespace

std::vector<Check> check_daemon(const config::Settings& settings, const Daemon& daemon) {
    Checks checks("daemon");
    control(checks, settings, daemon);
    health(checks, settings, daemon);
    age(checks, settings, daemon);
    return std::move(checks).take();
}

}  // namespace connector::doctor
