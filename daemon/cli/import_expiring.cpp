// import expiring: whose newest certificate is over soon and has no successor in the store.
#include "daemon/cli/import_stored.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct ExpiringOptions {
    int days = 30;
    std::string user;
    std::string purpose = "smimeEncryption";
};

int expiring(const Invocation& call, const ExpiringOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto session = ImportSession::open(*settings);
    if (!session) return call.fail(session.error());
    const auto store = fetch_store(*settings, **session, options.user);
    if (!store) return call.fail(store.error());
    const UtcTime now = call.environment.now();
    const auto found =
        importer::expiring_by(*store, *request::parse_purpose(options.purpose), now + std::chrono::days(options.days));
    json::array answers;
    Table table({"user", "until", "days left", "thumbprint", "records"});
    table.keep_whole(1);
    table.keep_whole(2);
    for (const auto& one : found) {
        const auto left = std::chrono::floor<std::chrono::days>(one.newest.expiration - now).count();
        auto row = record_json(one.newest);
        row["daysLeft"] = left;
        row["expired"] = one.newest.expiration <= now;
        row["records"] = one.records;
        answers.push_back(std::move(row));
        table.add({one.newest.user_principal_name, time_text(to_rfc3339(one.newest.expiration), Shown::date),
                   one.newest.expiration <= now ? "expired" : std::to_string(left), one.newest.thumbprint,
                   std::to_string(one.records)});
    }
    if (call.json) {
        json::object answer;
        answer["days"] = options.days;
        answer["purpose"] = options.purpose;
        answer["certificates"] = std::move(answers);
        call.terminal.json(answer);
    } else if (found.empty()) {
        call.terminal.line("nobody's newest " + options.purpose + " certificate ends within " +
                           std::to_string(options.days) + " days");
    } else {
        table.print(call.terminal);
    }
    return found.empty() ? k_done : k_fault_found;
}

}  // namespace

void add_import_expiring_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<ExpiringOptions>();
    auto* command = add_command(import_group, "expiring",
                                "users whose newest certificate ends soon (or has ended) with no newer one in the "
                                "store; exit 3 if there is one",
                                "pfx-connector import expiring --days 60");
    command->add_option("--days", options->days, "within so many days")
        ->check(CLI::Range(0, 3650))
        ->capture_default_str();
    command->add_option("--user", options->user, "a userPrincipalName (default: everybody)");
    command->add_option("--purpose", options->purpose, "which certificates")
        ->check(known_purpose)
        ->capture_default_str();
    chosen.on(command, [options](const Invocation& call) { return expiring(call, *options); });
}

}  // namespace connector::cli
