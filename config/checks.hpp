// Constraints on single texts of the configuration. A complaint is the end of the sentence "… must be", or nullopt.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::config::check {

using Complaint = std::optional<std::string>;

[[nodiscard]] Complaint service_url(std::string_view text);    // https, host, no user, query or fragment
[[nodiscard]] Complaint proxy_url(std::string_view text);      // http://host:port and nothing else
[[nodiscard]] Complaint published_url(std::string_view text);  // http or https, stands in certificates
[[nodiscard]] Complaint plain_url(std::string_view text);      // http, host, path; no user or fragment
[[nodiscard]] Complaint listen_address(std::string_view text);
[[nodiscard]] Complaint oid(std::string_view text);
[[nodiscard]] Complaint mail_domain(std::string_view text);
[[nodiscard]] Complaint host_name(std::string_view text);
[[nodiscard]] Complaint no_proxy_entry(std::string_view text);
[[nodiscard]] Complaint plain_text(std::string_view text);  // 1–128 printable characters
[[nodiscard]] Complaint est_label(std::string_view text);  // one path segment that is not an operation (RFC 7030 3.2.2)
[[nodiscard]] Complaint http_user(std::string_view text);  // fit for Basic and Digest without escapes (RFC 7617 2)
[[nodiscard]] Complaint account_name(std::string_view text);    // a Unix user or group
[[nodiscard]] Complaint directory_urls(std::string_view text);  // ldaps://host[:port], several apart by spaces
[[nodiscard]] Complaint directory_name(std::string_view text);  // a distinguished name (RFC 4514), as far as it shows
[[nodiscard]] Complaint user_filter(std::string_view text);     // RFC 4515 with {upn}
[[nodiscard]] Complaint device_filter(std::string_view text);   // RFC 4515 with {device}
[[nodiscard]] Complaint attribute_name(std::string_view text);  // RFC 4512 descr or numericoid
[[nodiscard]] Complaint mail_server(std::string_view text);     // smtp:// or smtps://, host, at most a port
[[nodiscard]] Complaint mail_address(std::string_view text);    // one mailbox, fit for a header as it stands
[[nodiscard]] Complaint notify_event(std::string_view text);    // newRecipient, held, limit, or an event's id
[[nodiscard]] Complaint element_name(std::string_view text);  // NAME of [authority.NAME]: labels of metrics, arguments

[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

struct ListenAddress {
    std::string address;  // IP literal, without brackets
    std::uint16_t port = 0;
    bool loopback = false;
};
[[nodiscard]] std::optional<ListenAddress> parse_listen(std::string_view text);

}  // namespace connector::config::check
