// unenroll: gives up the connector's own certificate. The daemon drains and ends first, since what it has is reported
// with that certificate.
#include "config/loader.hpp"
#include "core/request/record.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "storage/instance_lock.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <unistd.h>

#include <chrono>
#include <thread>

namespace connector::cli {
namespace json = boost::json;
namespace {

// Beyond the drain: saving, joining the threads, a last audit line.
constexpr std::chrono::seconds k_until_ended{20};

// Held until the pair is removed, so that nobody starts with it in between.
Result<storage::InstanceLock> once_nobody_runs(const config::Settings& settings, std::chrono::seconds patience) {
    const auto latest = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto lock = storage::InstanceLock::acquire(settings.storage.directory, storage::InstanceLock::Holder::command);
        if (lock || lock.error().code != "alreadyRunning" || std::chrono::steady_clock::now() >= latest) return lock;
        std::this_thread::sleep_for(std::chrono::milliseconds{200});
    }
}

// Of the ledger's open requests: how many, and how many of them have a key or a package for a device.
struct Open {
    std::uint64_t requests = 0;
    std::uint64_t keys = 0;
};
std::optional<Open> open_requests(const control::Answer& status) {
    const auto* object = status.exit_code == k_done ? status.result.if_object() : nullptr;
    const auto* queue = object == nullptr ? nullptr : object->if_contains("queue");
    if (queue == nullptr || !queue->is_object()) return std::nullopt;
    Open open;
    for (const auto& [stage, number] : queue->get_object()) {
        using request::Stage;
        const auto count = number.to_number<std::uint64_t>();
        open.requests += count;
        for (const auto with_key :
             {Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued, Stage::packaged})
            if (std::string_view(stage.data(), stage.size()) == request::to_string(with_key)) open.keys += count;
    }
    return open;
}

void tell(const Invocation& call, const config::Settings& settings, const std::optional<enrolment::Present>& present,
          const std::vector<std::filesystem::path>& removed, const std::optional<Open>& open) {
    if (call.json) {
        json::object answer;
        answer["connectorId"] = present ? json::value(present->connector_id) : json::value();
        answer["notAfter"] = present ? json::value(to_rfc3339(present->certificate.not_after)) : json::value();
        json::array files;
        for (const auto& file : removed) files.emplace_back(file.string());
        answer["removed"] = std::move(files);
        answer["openRequests"] = open ? json::value(open->requests) : json::value();
        answer["undeliveredKeys"] = open ? json::value(open->keys) : json::value();
        answer["state"] = settings.storage.directory.string();
        call.terminal.json(answer);
        return;
    }
    if (present) call.terminal.field("connector", present->connector_id);
    for (const auto& file : removed) call.terminal.field("removed", file.string());
    if (present)
        call.terminal.field("at the service", "remove the connector there: its certificate is good until " +
                                                  to_rfc3339(present->certificate.not_after) +
                                                  " for whoever has a copy of its key");
    if (open && open->requests != 0)
        call.terminal.field("requests", std::to_string(open->requests) +
                                            " are open here (`requests list`); their leases end, and the service hands "
                                            "them to another connector");
    if (open && open->keys != 0)
        call.terminal.field("keys", std::to_string(open->keys) +
                                        " made for a device and not delivered are sealed in the database; `requests "
                                        "abandon ID` ends one now, a daemon that runs here again after "
                                        "storage.keep_undelivered_days");
    call.terminal.field("kept", settings.storage.directory.string() +
                                    ": database and audit log; keys for sealing, imports and delivery; a local CA. "
                                    "What was issued stays valid (`issued list`)");
}

// At the daemon, or at the database where none runs.
control::Answer ask_for(const Invocation& call, const std::string& command, const json::object& arguments = {}) {
    const auto loaded = config::load(call.config_file, config::Need::control);
    if (loaded.settings) return call.environment.call(*loaded.settings, command, arguments);
    control::Answer answer;
    answer.exit_code = k_usage;
    answer.error =
        loaded.problems.empty() ? call.config_file.string() + ": cannot be read" : loaded.problems.front().text();
    return answer;
}

int unenroll(const Invocation& call) {
    const auto settings = call.settings(config::Need::enroll);
    if (!settings) return k_usage;
    // Before the daemon is ended: whoever may ask it to, need not be who may remove its files.
    for (const auto& file : {settings->management.key, settings->management.certificate})
        if (const auto folder = file.parent_path(); ::access(folder.c_str(), W_OK) != 0)
            return call.fail(Error(ErrorKind::misconfigured, "fileUnwritable",
                                   folder.string() + ": this account cannot remove files there; run it as root"));
    const auto present = enrolment::present_certificate(*settings);
    const auto before = open_requests(ask_for(call, "status"));
    const auto ending = ask_for(call, "enrolment.end");
    if (ending.exit_code == k_try_later) {
        call.terminal.error(ending.error);
        return k_try_later;
    }
    if (ending.exit_code != k_done) call.terminal.warning(ending.error);
    const auto* ended = ending.result.if_object();
    const bool ends = ended != nullptr && ended->contains("ends") && ended->at("ends") == true;
    if (ends && !call.json)
        call.terminal.line("the daemon ends what it has begun, for " +
                           std::to_string(settings->connector.drain.count()) + " s at most");
    Result<std::vector<std::filesystem::path>> removed = std::vector<std::filesystem::path>();
    {
        const auto alone =
            once_nobody_runs(*settings, ends ? settings->connector.drain + k_until_ended : std::chrono::seconds{0});
        if (!alone) return call.fail(alone.error().in("the certificate is kept, since a daemon runs with it; stop it"));
        removed = enrolment::remove_all(*settings);
    }
    if (!removed) return call.fail(removed.error());
    if (removed->empty()) {
        call.terminal.warning("there was no certificate to give up");
    } else {
        const auto noted = ask_for(call, "enrolment.note",
                                   {{"what", "unenrolled"}, {"connector", present ? present->connector_id : ""}});
        if (noted.exit_code != k_done) call.terminal.warning("not noted in the audit log: " + noted.error);
    }
    const auto after = open_requests(ask_for(call, "status"));
    tell(call, *settings, present, *removed, after ? after : before);
    return k_done;
}

}  // namespace

void add_unenroll_command(CLI::App& app, Chosen& chosen) {
    auto* command = add_command(app, "unenroll", "drains and ends the daemon, and gives up the connector's certificate",
                                "pfx-connector unenroll");
    chosen.on(command, unenroll);
}

}  // namespace connector::cli
