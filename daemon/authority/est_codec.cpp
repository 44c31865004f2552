#include "daemon/authority/est_codec.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/certs_only.hpp"
#include "core/crypto/encoding.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace connector::authority::est {
namespace {

constexpr std::size_t k_longest_words = 300;
constexpr char k_separator = ' ';

Error invalid_answer(std::string message) {
    return {ErrorKind::invalid, "answerInvalid", std::move(message)};
}

bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The text between the first pair of armour lines, or all of it.
std::string_view without_armour(std::string_view text) {
    constexpr std::string_view k_begin = "-----BEGIN ";
    constexpr std::string_view k_dashes = "-----";
    const std::size_t begin = text.find(k_begin);
    if (begin == std::string_view::npos) return text;
    const std::size_t from = text.find(k_dashes, begin + k_begin.size());
    if (from == std::string_view::npos) return text;
    const std::string_view rest = text.substr(from + k_dashes.size());
    return rest.substr(0, rest.find("-----END "));
}

// A DER SEQUENCE begins with 0x30, which is "0": base64 of one begins with "M".
Result<Bytes> octets_of(std::string_view body) {
    constexpr char k_sequence = 0x30;
    if (!body.empty() && body.front() == k_sequence) return Bytes(body.begin(), body.end());
    std::string text;
    const std::string_view inner = without_armour(body);
    std::copy_if(inner.begin(), inner.end(), std::back_inserter(text), [](char c) { return !is_space(c); });
    if (text.empty()) return invalid_answer("it is empty");
    auto octets = crypto::from_base64(text);
    if (!octets) return invalid_answer("it is not base64");
    return std::move(*octets);
}

// A server's words without markup, on one line.
std::string words_of(const net::Response& answer) {
    const std::string type = answer.media_type();
    if (type.starts_with("application/pkcs7") || type == "application/octet-stream") return {};
    const bool markup = type.find("html") != std::string::npos || type.find("xml") != std::string::npos;
    std::string text;
    bool inside = false;
    bool gap = false;
    for (const char c : answer.body) {
        if (text.size() > 4 * k_longest_words) break;
        if (markup && c == '<') inside = true;
        if (!inside && !is_space(c)) {
            if (gap && !text.empty()) text += ' ';
            text += c;
            gap = false;
        } else {
            gap = true;
        }
        if (markup && c == '>') inside = false;
    }
    return printable(text, k_longest_words);
}

std::string_view path_of(Operation operation) {
    return operation == Operation::cacerts ? "/cacerts" : "/simpleenroll";
}

}  // namespace

net::Url address(const net::Url& base, std::string_view label, Operation operation) {
    net::Url url = base;
    if (url.path.empty()) url.path = k_well_known;
    if (!label.empty()) url = url.below("/" + net::encode_segment(label));
    return url.below(path_of(operation));
}

std::string enrolment_body(ByteView csr) {
    constexpr std::size_t k_line = 64;
    const std::string text = crypto::to_base64(csr);
    std::string body;
    for (std::size_t at = 0; at < text.size(); at += k_line) body += text.substr(at, k_line) + "\n";
    return body;
}

Result<std::vector<Bytes>> certificates_of(const net::Response& answer) {
    const std::string type = answer.media_type();
    const std::string what = "the answer (" + (type.empty() ? "no content type" : printable(type, 100)) + ", " +
                             std::to_string(answer.body.size()) + " octets) holds no certificates: ";
    const auto octets = octets_of(answer.body);
    if (!octets) return invalid_answer(what + octets.error().message);
    auto certificates = crypto::certificates_from_cms(*octets);
    if (!certificates) return invalid_answer(what + certificates.error().message);
    if (certificates->empty()) return invalid_answer(what + "the message is empty");
    return certificates;
}

std::chrono::seconds wait_of(const net::Response& answer) {
    const auto asked = answer.retry_after(k_longest_wait);
    return asked && asked->count() > 0 ? *asked : k_usual_wait;
}

Error failure_of(Operation operation, const net::Response& answer, const std::string& where) {
    const std::string words = words_of(answer);
    const std::string said = where + " answers " + std::to_string(answer.status) + (words.empty() ? "" : ": ") + words;
    const bool ordering = operation == Operation::simpleenroll;
    Error error;
    switch (answer.status) {
        case 401:
        case 403: return {ErrorKind::unauthorized, "authorityMisconfigured", said};
        case 404:
        case 405:
        case 406:
        case 415:
        case 501:
            return {ErrorKind::misconfigured, "authorityMisconfigured", said + " (is the url and the label right?)"};
        case 429: error = {ErrorKind::throttled, "authorityUnreachable", said}; break;
        case 408:
        case 503: error = {ErrorKind::unavailable, "authorityUnreachable", said}; break;
        default:
            if (answer.status / 100 == 4) {
                // Only an order can be declined; the certificates of a CA are there or not.
                if (ordering) return {ErrorKind::refused, "authorityRejected", said};
                return {ErrorKind::misconfigured, "authorityMisconfigured", said};
            }
            // A fault, or a success that is none of EST's, may have made a certificate, and this is not it.
            const bool unknown = ordering && (answer.status / 100 == 2 || answer.status / 100 == 5);
            error = {unknown ? ErrorKind::unknown : ErrorKind::unavailable, "authorityUnreachable", said};
    }
    error.retry_after = answer.retry_after();
    return error;
}

Error failure_of(Operation operation, Error transport) {
    // Whoever answers with another address has not worked on the request.
    if (transport.code == "redirectRefused") {
        transport.kind = ErrorKind::misconfigured;
    } else if (operation == Operation::simpleenroll && net::may_have_arrived(transport)) {
        transport.kind = ErrorKind::unknown;
    } else if (transport.kind == ErrorKind::invalid) {
        transport.kind = ErrorKind::unavailable;
    }
    switch (transport.kind) {
        case ErrorKind::misconfigured:
        case ErrorKind::unauthorized: transport.code = "authorityMisconfigured"; break;
        case ErrorKind::cancelled:
        case ErrorKind::internal: break;
        default: transport.code = "authorityUnreachable";
    }
    return transport;
}

std::string name_of(const Pending& pending) {
    return net::encode_segment(pending.label) + k_separator + crypto::to_base64(pending.csr);
}

std::optional<Pending> parse_pending(std::string_view name) {
    const std::size_t at = name.find(k_separator);
    if (at == std::string_view::npos) return std::nullopt;
    auto csr = crypto::from_base64(name.substr(at + 1));
    if (!csr || csr->empty()) return std::nullopt;
    Pending pending;
    for (std::size_t i = 0; i < at; ++i) {
        if (name[i] != '%') {
            pending.label += name[i];
            continue;
        }
        const auto octet = i + 2 < at + 1 ? from_hex(ascii_lower(name.substr(i + 1, 2))) : std::nullopt;
        if (!octet || octet->size() != 1) return std::nullopt;
        pending.label += static_cast<char>(octet->front());
        i += 2;
    }
    pending.csr = std::move(*csr);
    return pending;
}

Result<ports::IssuedAnswer> issued_from(std::vector<Bytes> certificates, ByteView spki) {
    if (certificates.empty()) return invalid_answer("the answer holds no certificate");
    const auto ours = [&](const Bytes& certificate) {
        const auto found = crypto::spki_of(certificate);
        return found && std::equal(found->begin(), found->end(), spki.begin(), spki.end());
    };
    auto chosen = std::find_if(certificates.begin(), certificates.end(), ours);
    if (chosen == certificates.end())
        chosen = std::find_if(certificates.begin(), certificates.end(), [&](const Bytes& candidate) {
            return std::none_of(certificates.begin(), certificates.end(),
                                [&](const Bytes& other) { return crypto::issued_by(other, candidate); });
        });
    if (chosen == certificates.end()) chosen = certificates.begin();
    ports::IssuedAnswer answer;
    answer.certificate = std::move(*chosen);
    certificates.erase(chosen);
    answer.chain = std::move(certificates);
    return answer;
}

}  // namespace connector::authority::est
