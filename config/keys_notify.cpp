#include "config/rows.hpp"

#include <array>

namespace connector::config {
namespace {

using enum ValueType;

constexpr std::array<Choice, 2> k_starttls{
    {{"required", "nothing is said in clear, and no password"}, {"off", "in clear: for a relay on this machine"}}};

constexpr auto k_keys = std::to_array<Key>({
    {.section = "notify",
     .name = "smtp",
     .type = text,
     .default_value = R"("")",
     .check = check::mail_server,
     .constraint = "smtp://host[:port] or smtps://host[:port]",
     .may_be_empty = true,
     .description = "The mail server; \"\": nothing is mailed. smtp begins in clear and goes on by STARTTLS.",
     .set = into::text<&Settings::notify, &Notify::smtp>},
    {.section = "notify",
     .name = "starttls",
     .type = choice,
     .default_value = R"("required")",
     .choices = k_starttls,
     .description = "For smtp://.",
     .set = [](const Target& target, const Value& value) { target.settings.notify.starttls = value.choice == 0; }},
    {.section = "notify",
     .name = "ca_file",
     .type = path,
     .default_note = "the system's",
     .must_exist = true,
     .description = "PEM: whose certificate the server has.",
     .set = into::path<&Settings::notify, &Notify::ca_file>},
    {.section = "notify",
     .name = "user",
     .type = text,
     .default_value = R"("")",
     .check = check::http_user,
     .constraint = "without a colon",
     .may_be_empty = true,
     .description = "Who signs in there; \"\": nobody.",
     .set = into::text<&Settings::notify, &Notify::user>},
    {.section = "notify",
     .name = "password",
     .type = secret,
     .description = "And with what.",
     .set = into::secret<&Settings::notify, &Notify::password>},
    {.section = "notify",
     .name = "from",
     .type = text,
     .default_value = R"("")",
     .check = check::mail_address,
     .constraint = "mail address",
     .may_be_empty = true,
     .description = "The sender.",
     .set = into::text<&Settings::notify, &Notify::from>},
    {.section = "notify",
     .name = "to",
     .type = text_list,
     .default_value = "[]",
     .check = check::mail_address,
     .constraint = "mail addresses",
     .description = "The administrators.",
     .set = into::texts<&Settings::notify, &Notify::to>},
    {.section = "notify",
     .name = "events",
     .type = text_list,
     .default_value = "[]",
     .check = check::notify_event,
     .constraint = "\"newRecipient\", \"held\", \"limit\", or an event's id",
     .description = "What is mailed.",
     .set = into::texts<&Settings::notify, &Notify::events>},
    {.section = "notify",
     .name = "tell_users",
     .type = boolean,
     .default_value = "false",
     .description = "Mails a person too, at his proved mailbox, when his keys go to a new device (newRecipient).",
     .set = into::flag<&Settings::notify, &Notify::tell_users>},
    {.section = "notify",
     .name = "interval_seconds",
     .type = integer,
     .default_value = "900",
     .least = 1,
     .most = 86400,
     .description = "Between two letters to the administrators: what comes meanwhile is one letter.",
     .set = into::number<&Settings::notify, &Notify::interval>},
});

}  // namespace

std::span<const Key> notify_keys() noexcept {
    return k_keys;
}

}  // namespace connector::config
