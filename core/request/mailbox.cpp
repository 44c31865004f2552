#include "core/request/mailbox.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <idn2.h>

#include <algorithm>
#include <memory>

namespace connector::request {
namespace {

constexpr std::size_t k_longest_shown = 80;

Error not_a_mailbox(std::string_view text, std::string_view why) {
    return Error(ErrorKind::invalid, "invalidRequest",
                 "\"" + printable(text, k_longest_shown) + "\" is not a mailbox: " + std::string(why));
}
Error not_a_domain(std::string_view text, std::string_view why) {
    return Error(ErrorKind::invalid, "invalidRequest",
                 "\"" + printable(text, k_longest_shown) + "\" is not a domain: " + std::string(why));
}

// RFC 5321 4.1.2 Dot-string, its atext widened by RFC 6531 3.3.
bool is_dot_string(std::string_view local) {
    constexpr std::string_view k_symbols = "!#$%&'*+-/=?^_`{|}~";
    bool after_dot = true;
    for (const char c : local) {
        if (c == '.') {
            if (after_dot) return false;
            after_dot = true;
            continue;
        }
        const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        const bool beyond_ascii = static_cast<unsigned char>(c) >= 0x80;
        if (!alphanumeric && !beyond_ascii && k_symbols.find(c) == std::string_view::npos) return false;
        after_dot = false;
    }
    return !after_dot;
}

// RFC 5890 2.3.1 LDH labels, RFC 1035 2.3.4 sizes.
bool is_host_name(std::string_view domain) {
    constexpr std::size_t k_longest_label = 63;
    constexpr std::size_t k_longest_domain = 253;
    if (domain.empty() || domain.size() > k_longest_domain) return false;
    for (std::size_t at = 0;;) {
        const auto dot = domain.find('.', at);
        const auto label = domain.substr(at, dot == std::string_view::npos ? dot : dot - at);
        const bool fit = std::all_of(label.begin(), label.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
        if (label.empty() || label.size() > k_longest_label || !fit || label.front() == '-' || label.back() == '-')
            return false;
        if (dot == std::string_view::npos) {
            // An address in dotted form is no domain name (RFC 3696 2).
            return !std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
        }
        at = dot + 1;
    }
}

}  // namespace

bool Mailbox::ascii_local() const noexcept {
    return is_ascii(local);
}

Result<std::string> to_a_labels(std::string_view domain) {
    if (domain.empty()) return not_a_domain(domain, "it is empty");
    if (has_control(domain)) return not_a_domain(domain, "control characters");
    // The mapping of UTS 46 is for letters beyond ASCII; that it also drops an outer space must not repair an address.
    const auto foreign = [](char c) {
        const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return static_cast<unsigned char>(c) < 0x80 && !alphanumeric && c != '-' && c != '.';
    };
    if (std::any_of(domain.begin(), domain.end(), foreign))
        return not_a_domain(domain, "a character that no domain has");
    char* converted = nullptr;
    const std::string source(domain);
    // IDNA2008 with the mapping of UTS 46; labels that already are A-labels are decoded and compared.
    const int code = ::idn2_to_ascii_8z(source.c_str(), &converted,
                                        IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT | IDN2_USE_STD3_ASCII_RULES);
    const std::unique_ptr<char, void (*)(void*)> owned(converted, ::idn2_free);
    if (code != IDN2_OK) return not_a_domain(domain, ::idn2_strerror(code));
    std::string labels = ascii_lower(owned.get());
    if (!is_host_name(labels)) return not_a_domain(domain, "labels are 1–63 letters, digits and inner hyphens");
    return labels;
}

Result<Mailbox> parse_mailbox(std::string_view text) {
    // RFC 5321 4.5.3.1: 64 for the local part, 254 in all.
    constexpr std::size_t k_longest_local = 64;
    constexpr std::size_t k_longest = 254;
    if (has_control(text)) return not_a_mailbox(text, "control characters");
    const auto at = text.find('@');
    if (at == std::string_view::npos) return not_a_mailbox(text, "it has no @");
    const auto local = text.substr(0, at);
    const auto domain = text.substr(at + 1);
    if (!local.empty() && local.front() == '"') return not_a_mailbox(text, "quoted local parts are not taken");
    if (domain.find('@') != std::string_view::npos) return not_a_mailbox(text, "it has two @");
    if (local.size() > k_longest_local || !is_dot_string(local))
        return not_a_mailbox(text, "the local part is not fit");
    if (!domain.empty() && domain.front() == '[') return not_a_mailbox(text, "address literals are not taken");
    auto labels = to_a_labels(domain);
    if (!labels) return not_a_mailbox(text, labels.error().message);
    if (labels->find('.') == std::string::npos) return not_a_mailbox(text, "the domain has one label only");
    Mailbox mailbox{std::string(local), std::move(*labels)};
    if (mailbox.text().size() > k_longest) return not_a_mailbox(text, "longer than 254 octets");
    return mailbox;
}

GeneralName to_general_name(const Mailbox& mailbox) {
    return {mailbox.ascii_local() ? NameForm::email : NameForm::smtp_utf8, mailbox.text()};
}

bool same_mailbox(std::string_view left, std::string_view right) {
    const auto a = parse_mailbox(left);
    const auto b = parse_mailbox(right);
    return a && b && a->domain == b->domain && ascii_equal(a->local, b->local);
}

bool domain_allowed(std::string_view domain, const std::vector<std::string>& allowed) {
    const auto wanted = to_a_labels(domain);
    if (!wanted) return false;
    return std::any_of(allowed.begin(), allowed.end(), [&](const auto& entry) {
        const auto labels = to_a_labels(entry);
        return labels && *labels == *wanted;
    });
}

}  // namespace connector::request
