#include "daemon/notify/letters.hpp"

#include "core/event_ids.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace connector::notify {
namespace {

constexpr std::size_t k_longest_field = 300;
constexpr std::size_t k_most_in_a_letter = 50;

struct Choice {
    std::string_view word;
    std::vector<std::string_view> events;
};

const std::vector<Choice>& choices() {
    static const std::vector<Choice> k_choices{
        {"newRecipient", {event::k_recipient_pinned, event::k_recipient_changed, event::k_window_used}},
        {"held", {event::k_request_held}},
        {"limit", {event::k_limit_tripped, event::k_limit_reached, event::k_clock_held}}};
    return k_choices;
}

// What a letter may hold. Everything else stays in the log.
constexpr std::array<std::string_view, 17> k_told{"request", "kind",    "user",   "device",  "key",  "reason",
                                                  "detail",  "limit",   "kinds",  "state",   "code", "owner",
                                                  "count",   "purpose", "newest", "seconds", "by"};

void line(std::string& text, std::string_view name, std::string_view value) {
    text += "  " + std::string(name) + ": " + printable(value, k_longest_field) + "\n";
}

// RFC 5322 3.3, in English whatever the locale.
std::string date(UtcTime now) {
    constexpr std::array<std::string_view, 7> k_days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> k_months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = now.time_since_epoch().count();
    std::tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return "Thu, 01 Jan 1970 00:00:00 +0000";
    const auto two = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
    return std::string(k_days.at(static_cast<std::size_t>(parts.tm_wday))) + ", " + two(parts.tm_mday) + " " +
           std::string(k_months.at(static_cast<std::size_t>(parts.tm_mon))) + " " +
           std::to_string(parts.tm_year + 1900) + " " + two(parts.tm_hour) + ":" + two(parts.tm_min) + ":" +
           two(parts.tm_sec) + " +0000";
}

// A line is at most 998 octets (RFC 5322 2.1.1); every one is well below, for each field is cut.
std::string crlf(const std::string& text) {
    std::string lines;
    for (const char c : text) {
        if (c == '\n') lines += '\r';
        lines += c;
    }
    return lines;
}

std::string message(const std::string& from, const std::vector<std::string>& to, const std::string& subject,
                    const std::string& body, std::uint64_t number, UtcTime now) {
    std::string addresses;
    // Folded (RFC 5322 2.2.3): a line for each.
    for (const auto& address : to) addresses += (addresses.empty() ? "" : ",\n ") + address;
    const auto at = from.find('@');
    std::string text;
    text += "Date: " + date(now) + "\n";
    text += "From: " + from + "\n";
    text += "To: " + addresses + "\n";
    text += "Subject: " + subject + "\n";
    text += "Message-ID: <pfx-connector." + std::to_string(now.time_since_epoch().count()) + "." +
            std::to_string(number) + "@" + from.substr(at == std::string::npos ? 0 : at + 1) + ">\n";
    text += "Auto-Submitted: auto-generated\n";  // RFC 3834: nobody's vacation answers
    text += "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n";
    return crlf(text + body);
}

}  // namespace

bool is_chosen(const std::vector<std::string>& chosen, std::string_view event) noexcept {
    return std::ranges::any_of(chosen, [event](const std::string& word) {
        if (ascii_equal(word, event)) return true;
        return std::ranges::any_of(choices(), [&](const auto& choice) {
            return choice.word == word && std::ranges::find(choice.events, event) != choice.events.end();
        });
    });
}

Notice notice_of(const Event& event, UtcTime now) {
    Notice notice;
    notice.event = std::string(event.id);
    notice.at = now;
    const auto* const known = find_event(event.id);
    notice.text = std::string(event.id) + "  " + (known == nullptr ? "" : std::string(known->headline)) + "\n";
    line(notice.text, "time", to_rfc3339(now));
    for (const auto& [name, value] : event.fields) {
        if (name == "mailbox" && is_address(value)) notice.person = value;
        if (std::ranges::find(k_told, name) != k_told.end()) line(notice.text, name, value);
    }
    if (known != nullptr) notice.text += "  What to do: " + std::string(known->action) + "\n";
    return notice;
}

bool is_address(std::string_view text) noexcept {
    constexpr std::size_t k_longest = 254;  // RFC 5321 4.5.3.1.3, without the angles
    const auto at = text.find('@');
    if (text.empty() || text.size() > k_longest || at == 0 || at == std::string_view::npos || at + 1 == text.size() ||
        text.find('@', at + 1) != std::string_view::npos || text.front() == '-')
        return false;
    return std::ranges::all_of(text, [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return letter || std::string_view("@.!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
    });
}

Letter digest(const std::string& from, std::vector<std::string> to, const std::vector<Notice>& notices,
              std::uint64_t left_out, const std::string& host, std::uint64_t number, UtcTime now) {
    std::string body = "pfx-connector on " + printable(host, k_longest_field) + "\n\n";
    const auto shown = std::min(notices.size(), k_most_in_a_letter);
    for (std::size_t i = 0; i < shown; ++i) body += notices[i].text + "\n";
    const auto more = left_out + (notices.size() - shown);
    if (more != 0) body += "and " + std::to_string(more) + " more, which stand in the log\n\n";
    body +=
        "On that machine: pfx-connector status, pfx-connector requests list --stage held, pfx-connector explain ID\n";
    const auto count = notices.size() + left_out;
    const std::string subject = "[pfx-connector] " + (count == 1 ? (notices.empty() ? "1 event" : notices[0].event)
                                                                 : std::to_string(count) + " events");
    auto text = message(from, to, subject, body, number, now);
    return {from, std::move(to), std::move(text)};
}

Letter to_person(const std::string& from, const Notice& notice, std::uint64_t number, UtcTime now) {
    const std::string body = "Your mail keys are used on a new device, or on one with a new key:\n\n" + notice.text +
                             "\nIf it is not yours, tell your administrator at once: the device can be blocked there, "
                             "and its deliveries end.\n";
    return {from,
            {notice.person},
            message(from, {notice.person}, "[pfx-connector] a new device for your mail keys", body, number, now)};
}

}  // namespace connector::notify
