// Mail addresses: RFC 5321 mailboxes, domains as A-labels (RFC 5891 by libidn2), SmtpUTF8 (RFC 9598).
// Pure; any thread.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace connector::request {

struct Mailbox {
    std::string local;   // UTF-8; never quoted, no space or control character
    std::string domain;  // lower-case A-labels, at least one dot, no trailing dot
    [[nodiscard]] std::string text() const { return local + "@" + domain; }
    [[nodiscard]] bool ascii_local() const noexcept;
};

// kind: invalid, code invalidRequest; quoted local parts, address literals, a second @ and trailing dots are refused.
[[nodiscard]] Result<Mailbox> parse_mailbox(std::string_view text);
// The SAN form: rfc822Name for an ASCII local part, SmtpUTF8Mailbox otherwise (RFC 9598 3).
[[nodiscard]] GeneralName to_general_name(const Mailbox& mailbox);
// Same domain, and local parts equal but for ASCII case.
[[nodiscard]] bool same_mailbox(std::string_view left, std::string_view right);
// Whole labels: corp.example covers mail.corp.example? No: only itself. Domains as the operator wrote them.
[[nodiscard]] bool domain_allowed(std::string_view domain, const std::vector<std::string>& allowed);
// A domain as lower-case A-labels. kind: invalid.
[[nodiscard]] Result<std::string> to_a_labels(std::string_view domain);

}  // namespace connector::request
