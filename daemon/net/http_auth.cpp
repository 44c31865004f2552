#include "daemon/net/http_auth.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/encoding.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace connector::net {
namespace {

constexpr std::size_t k_most_challenges = 16;
constexpr std::size_t k_longest_value = 4096;

bool is_token_mark(char c) noexcept {
    static constexpr std::string_view k_marks = "!#$%&'*+-.^_`|~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           k_marks.find(c) != std::string_view::npos;
}

struct Offer {
    std::string scheme;  // lower case
    std::map<std::string, std::string, std::less<>> parameters;

    [[nodiscard]] std::string_view get(std::string_view name) const {
        const auto found = parameters.find(name);
        return found == parameters.end() ? std::string_view() : std::string_view(found->second);
    }
};

// RFC 9110 11.6.1: challenges and their parameters are both told apart by commas.
class OfferReader {
public:
    explicit OfferReader(std::string_view text) : text_(text) {}

    std::vector<Offer> all() {
        std::vector<Offer> offers;
        while (offers.size() < k_most_challenges) {
            skip(" \t,");
            const std::string word = token();
            if (word.empty()) break;
            skip(" \t");
            if (next() == '=' && !offers.empty()) {
                ++at_;
                skip(" \t");
                auto value = next() == '"' ? quoted() : std::optional<std::string>(token());
                if (!value) break;
                offers.back().parameters.try_emplace(ascii_lower(word), std::move(*value));
                continue;
            }
            offers.push_back({ascii_lower(word), {}});
            skip_token68();
        }
        return offers;
    }

private:
    [[nodiscard]] char next() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip(std::string_view marks) {
        while (at_ < text_.size() && marks.find(text_[at_]) != std::string_view::npos) ++at_;
    }
    std::string token() {
        const std::size_t from = at_;
        while (at_ < text_.size() && is_token_mark(text_[at_])) ++at_;
        return std::string(text_.substr(from, at_ - from));
    }
    std::optional<std::string> quoted() {
        std::string value;
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') {
                ++at_;
                return value;
            }
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            value += text_[at_];
        }
        return std::nullopt;
    }
    // "Negotiate YIIB==": one word that is no parameter.
    void skip_token68() {
        std::size_t end = at_;
        const auto part = [&](char c) { return is_token_mark(c) || c == '/'; };
        while (end < text_.size() && part(text_[end])) ++end;
        if (end == at_) return;
        while (end < text_.size() && text_[end] == '=') ++end;
        std::size_t behind = end;
        while (behind < text_.size() && (text_[behind] == ' ' || text_[behind] == '\t')) ++behind;
        if (behind == text_.size() || text_[behind] == ',') at_ = end;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// What can stand in a quoted string of ours; a realm with other characters could not be told back.
bool fits(std::string_view text) {
    return text.size() <= k_longest_value &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<Challenge> known(const Offer& offer) {
    Challenge challenge;
    challenge.realm = offer.get("realm");
    if (offer.scheme == "basic") return challenge;
    if (offer.scheme != "digest") return std::nullopt;
    challenge.scheme = AuthScheme::digest;
    challenge.nonce = offer.get("nonce");
    if (challenge.nonce.empty() || !fits(challenge.nonce) || !fits(challenge.realm)) return std::nullopt;
    if (offer.parameters.contains("opaque")) {
        challenge.opaque = std::string(offer.get("opaque"));
        if (!fits(*challenge.opaque)) return std::nullopt;
    }
    challenge.stale = ascii_equal(offer.get("stale"), "true");
    std::string algorithm = ascii_lower(offer.get("algorithm"));
    challenge.algorithm_named = !algorithm.empty();
    if (algorithm.ends_with("-sess")) {
        challenge.session = true;
        algorithm.resize(algorithm.size() - 5);
    }
    if (algorithm == "sha-256")
        challenge.hash = crypto::HttpHash::sha256;
    else if (!algorithm.empty() && algorithm != "md5")
        return std::nullopt;
    if (!offer.parameters.contains("qop")) {
        // A "-sess" needs a client nonce, which RFC 2069 does not carry.
        return challenge.session ? std::nullopt : std::optional<Challenge>(std::move(challenge));
    }
    const std::string qop = "," + ascii_lower(offer.get("qop")) + ",";
    std::string listed;
    std::copy_if(qop.begin(), qop.end(), std::back_inserter(listed), [](char c) { return c != ' ' && c != '\t'; });
    if (listed.find(",auth,") != std::string::npos)
        challenge.quality = Challenge::Quality::auth;
    else if (listed.find(",auth-int,") != std::string::npos)
        challenge.quality = Challenge::Quality::auth_int;
    else
        return std::nullopt;
    return challenge;
}

void append_quoted(SecretBytes& out, std::string_view name, std::string_view value) {
    out.append(name);
    out.append("=\"");
    std::string escaped;
    for (const char c : value) {
        if (c == '"' || c == '\\') escaped += '\\';
        escaped += c;
    }
    out.append(escaped);
    out.append("\"");
}

std::string_view name_of(const Challenge& challenge) {
    if (challenge.hash == crypto::HttpHash::sha256) return challenge.session ? "SHA-256-sess" : "SHA-256";
    return challenge.session ? "MD5-sess" : "MD5";
}

std::string eight_digits(std::uint32_t count) {
    static constexpr std::string_view k_digits = "0123456789abcdef";
    std::string text(8, '0');
    for (std::size_t i = 8; i-- != 0; count >>= 4U) text[i] = k_digits[count & 15U];
    return text;
}

Result<SecretBytes> digest(const Challenge& challenge, const Credentials& credentials, const Request& request,
                           std::uint32_t count, std::string_view client_nonce) {
    const auto hash = [&](std::initializer_list<ByteView> fields) { return crypto::http_hash(challenge.hash, fields); };
    const bool integrity = challenge.quality == Challenge::Quality::auth_int;
    const std::string target = request.url.target();
    const ByteView nonce = bytes_of(challenge.nonce);
    const ByteView password = credentials.password ? credentials.password->view() : ByteView();
    auto secret = hash({bytes_of(credentials.user), bytes_of(challenge.realm), password});
    if (!secret) return secret.error();
    if (challenge.session) secret = hash({secret->view(), nonce, bytes_of(client_nonce)});
    if (!secret) return secret.error();
    const auto body = hash({bytes_of(request.body)});
    if (!body) return body.error();
    const auto act = integrity ? hash({bytes_of(request.method), bytes_of(target), body->view()})
                               : hash({bytes_of(request.method), bytes_of(target)});
    if (!act) return act.error();
    const std::string nc = eight_digits(count);
    const std::string_view qop = integrity ? "auth-int" : "auth";
    const auto response =
        challenge.quality == Challenge::Quality::none
            ? hash({secret->view(), nonce, act->view()})
            : hash({secret->view(), nonce, bytes_of(nc), bytes_of(client_nonce), bytes_of(qop), act->view()});
    if (!response) return response.error();

    SecretBytes value;
    append_quoted(value, "Digest username", credentials.user);
    append_quoted(value, ", realm", challenge.realm);
    append_quoted(value, ", nonce", challenge.nonce);
    append_quoted(value, ", uri", target);
    append_quoted(value, ", response", response->reveal_text());
    if (challenge.algorithm_named) {
        value.append(", algorithm=");
        value.append(name_of(challenge));
    }
    if (challenge.opaque) append_quoted(value, ", opaque", *challenge.opaque);
    if (challenge.quality != Challenge::Quality::none) {
        value.append(", qop=");
        value.append(qop);
        value.append(", nc=");
        value.append(nc);
        append_quoted(value, ", cnonce", client_nonce);
    }
    return value;
}

std::string_view name_of(AuthScheme scheme) {
    return scheme == AuthScheme::digest ? "Digest" : "Basic";
}

}  // namespace

std::vector<Challenge> challenges_of(const Response& answer) {
    std::vector<Challenge> challenges;
    for (const auto& [name, value] : answer.headers) {
        if (name != "www-authenticate") continue;
        for (const Offer& offer : OfferReader(value).all())
            if (auto challenge = known(offer); challenge && challenges.size() < k_most_challenges)
                challenges.push_back(std::move(*challenge));
    }
    return challenges;
}

Result<SecretBytes> authorization(const Challenge& challenge, const Credentials& credentials, const Request& request,
                                  std::uint32_t count, std::string_view client_nonce) {
    if (challenge.scheme == AuthScheme::digest) return digest(challenge, credentials, request, count, client_nonce);
    SecretBytes pair;
    pair.append(credentials.user);
    pair.append(":");
    if (credentials.password) pair.append(credentials.password->view());
    SecretBytes value;
    value.append("Basic ");
    crypto::append_base64(value, pair.view());
    return value;
}

HttpAuthentication::HttpAuthentication(std::optional<Credentials> credentials, std::vector<AuthScheme> order)
    : credentials_(std::move(credentials)), order_(std::move(order)) {}

Result<std::uint32_t> HttpAuthentication::sign(Request& request) {
    if (!credentials_ || !asked_) return std::uint32_t{0};
    constexpr std::size_t k_client_nonce = 16;
    auto value = authorization(*asked_, *credentials_, request, uses_ + 1, to_hex(crypto::random(k_client_nonce)));
    if (!value) return value.error();
    request.authorization = std::make_shared<const SecretBytes>(std::move(*value));
    return ++uses_;
}

Result<void> HttpAuthentication::learn(const Response& answer, std::uint32_t use) {
    const auto unauthorized = [](std::string message) {
        return Error(ErrorKind::unauthorized, "httpUnauthorized", std::move(message));
    };
    if (!credentials_) return unauthorized("it asks for a user and a password (401), and none is configured");
    const auto offered = challenges_of(answer);
    const Challenge* best = nullptr;
    for (const AuthScheme scheme : order_) {
        for (const Challenge& each : offered) {
            if (each.scheme != scheme) continue;
            // RFC 7616 3.7 goes by the server's order; MD5 is never taken where there is better.
            const bool better = best == nullptr || (best->hash == crypto::HttpHash::md5 && each.hash != best->hash);
            if (better) best = &each;
        }
        if (best != nullptr) break;
    }
    const bool was_digest = asked_ && asked_->scheme == AuthScheme::digest;
    asked_.reset();
    if (best == nullptr) {
        std::string names;
        for (const AuthScheme scheme : order_) names += (names.empty() ? "" : " or ") + std::string(name_of(scheme));
        return unauthorized("it refuses us (401) and does not offer " + names);
    }
    // A nonce that was used before may have run out, said or not; a fresh one that is refused is a wrong password.
    if (use != 0 && !(was_digest && (use > 1 || best->stale)))
        return unauthorized("it refuses the user or the password (401)");
    asked_ = *best;
    uses_ = 0;
    return {};
}

}  // namespace connector::net
