// Which events are told by mail, to whom, and in which words. A letter names the event, person, device and request; no
// field of the event that is not on a closed list, so no secret and no key can get into one by a new field elsewhere.
// Headers are made of our own words alone; texts from outside stand in the body, printable and cut. Pure; any thread.
#pragma once

#include "core/events.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::notify {

// One thing to tell.
struct Notice {
    std::string event;   // id
    std::string person;  // the mailbox of whom it concerns, where it is proved and he is to hear of it
    std::string text;    // lines, each ended by LF; printable
    UtcTime at;
};

// Of [notify] events: newRecipient, held, limit, or an event's id in any case (config/checks has the same words).
[[nodiscard]] bool is_chosen(const std::vector<std::string>& choices, std::string_view event) noexcept;
[[nodiscard]] Notice notice_of(const Event& event, UtcTime now);

// A mail address fit for a header and an SMTP command: one mailbox, ASCII, no blank, control, quote, comma or angle.
[[nodiscard]] bool is_address(std::string_view text) noexcept;

struct Letter {
    std::string from;
    std::vector<std::string> to;
    std::string message;  // RFC 5322, lines ended by CRLF
};
// `host`: this machine, for the reader. `left_out`: notices that found no room. `number`: tells letters apart.
[[nodiscard]] Letter digest(const std::string& from, std::vector<std::string> to, const std::vector<Notice>& notices,
                            std::uint64_t left_out, const std::string& host, std::uint64_t number, UtcTime now);
// To the person: that mail keys went to a new device, and what to do if it is not his.
[[nodiscard]] Letter to_person(const std::string& from, const Notice& notice, std::uint64_t number, UtcTime now);

}  // namespace connector::notify
