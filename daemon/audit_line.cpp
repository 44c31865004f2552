#include "daemon/audit_line.hpp"

#include "core/printable.hpp"

#include <algorithm>
#include <charconv>

namespace connector::daemon {
namespace {

constexpr std::string_view k_sequence = "{\"seq\":";
constexpr std::string_view k_previous = ",\"prev\":\"";
constexpr std::string_view k_link = "\",\"link\":\"";
constexpr std::string_view k_end = "\"}";
constexpr std::size_t k_digest = 64;
constexpr std::size_t k_tail = k_previous.size() + k_digest + k_link.size() + k_digest + k_end.size();

void add_prefixed(Bytes& octets, ByteView part) {
    const std::uint64_t size = part.size();
    for (unsigned shift = 64; shift > 0; shift -= 8) octets.push_back(static_cast<std::uint8_t>(size >> (shift - 8)));
    octets.insert(octets.end(), part.begin(), part.end());
}

// A field may not pass for one of the line's own, nor two of a name for one.
std::string own_name(std::string name, std::vector<std::string>& taken) {
    const std::string wanted = name;
    for (unsigned count = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++count)
        name = wanted + "_" + std::to_string(count);
    taken.push_back(name);
    return name;
}

}  // namespace

Sha256 audit_link_of(const ports::Sealer& sealer, const Sha256& previous, std::string_view content) {
    Bytes octets;
    octets.reserve(content.size() + 48);
    add_prefixed(octets, previous.view());
    add_prefixed(octets, bytes_of(content));
    return sealer.audit_link(octets);
}

std::string make_audit_line(const ports::Sealer& sealer, const AuditHead& head, const Event& event, UtcTime time,
                            std::optional<std::uint64_t> generation, Sha256& link) {
    std::string line = std::string(k_sequence) + std::to_string(head.sequence + 1) + ",\"time\":\"" + to_rfc3339(time) +
                       "\",\"event\":" + printable_json(event.id, 64);
    if (generation) line += ",\"generation\":" + std::to_string(*generation);
    std::vector<std::string> taken{"seq", "time", "event", "generation", "prev", "link"};
    for (const auto& [name, value] : event.fields)
        line += "," + printable_json(own_name(name, taken), 64) + ":" + printable_json(value);
    link = audit_link_of(sealer, head.link, line);
    return line.append(k_previous).append(head.link.hex()).append(k_link).append(link.hex()).append(k_end);
}

std::optional<AuditLine> parse_audit_line(std::string_view text) {
    if (text.size() <= k_sequence.size() + k_tail || !text.starts_with(k_sequence)) return std::nullopt;
    AuditLine line;
    const char* first = text.data() + k_sequence.size();
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), line.sequence);
    if (error != std::errc() || *end != ',' || line.sequence == 0) return std::nullopt;

    line.content = text.substr(0, text.size() - k_tail);
    std::string_view tail = text.substr(text.size() - k_tail);
    const auto take = [&tail](std::string_view expected) {
        const bool there = tail.starts_with(expected);
        tail.remove_prefix(expected.size());
        return there;
    };
    const auto digest = [&tail] {
        const auto octets = Sha256::from_hex_text(tail.substr(0, k_digest));
        tail.remove_prefix(k_digest);
        return octets;
    };
    if (!take(k_previous)) return std::nullopt;
    const auto previous = digest();
    if (!take(k_link)) return std::nullopt;
    const auto link = digest();
    if (!take(k_end) || !previous || !link) return std::nullopt;
    line.previous = *previous;
    line.link = *link;
    return line;
}

}  // namespace connector::daemon
