#include "daemon/net/http_message.hpp"

#include "core/crypto/encoding.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace connector::net {
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace {

constexpr std::size_t k_head_limit = 32U * 1024U;
constexpr unsigned k_most_interim = 8;

bool is_token(std::string_view text) noexcept {
    static constexpr std::string_view k_marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               k_marks.find(c) != std::string_view::npos;
    });
}

// RFC 9110 5.5 without obs-text: what we send is ASCII.
bool is_value(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

bool is_target(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

Error unwritable(std::string_view what) {
    return Error(ErrorKind::internal, "internal", "a request's " + std::string(what) + " cannot be written");
}

void append_field(SecretBytes& head, std::string_view name, std::string_view value) {
    head.append(name);
    head.append(": ");
    head.append(value);
    head.append("\r\n");
}

}  // namespace

Result<SecretBytes> write_head(const Request& request, std::string_view user_agent) {
    const std::string target = request.url.target();
    if (!is_token(request.method)) return unwritable("method");
    if (!is_target(target)) return unwritable("target");
    SecretBytes head;
    head.append(request.method);
    head.append(" ");
    head.append(target);
    head.append(" HTTP/1.1\r\n");
    append_field(head, "Host", request.url.authority());
    append_field(head, "User-Agent", user_agent);
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name) || !is_value(value)) return unwritable("header " + printable(name, 64));
        append_field(head, name, value);
    }
    if (request.bearer) {
        if (!is_target(request.bearer->reveal_text())) return unwritable("token");
        head.append("Authorization: Bearer ");
        head.append(request.bearer->view());
        head.append("\r\n");
    } else if (request.authorization) {
        if (!is_value(request.authorization->reveal_text())) return unwritable("authorization");
        append_field(head, "Authorization", request.authorization->reveal_text());
    }
    if (!request.body.empty()) {
        if (!is_value(request.content_type)) return unwritable("content type");
        append_field(head, "Content-Type", request.content_type);
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
        append_field(head, "Content-Length", std::to_string(request.body.size()));
    head.append("\r\n");
    return head;
}

Result<SecretBytes> write_connect(const Url& origin, const Proxy& proxy, std::string_view user_agent) {
    const bool literal = origin.host.find(':') != std::string::npos;
    const std::string target = (literal ? "[" + origin.host + "]" : origin.host) + ":" + std::to_string(origin.port);
    if (!is_target(target)) return unwritable("target");
    SecretBytes head;
    head.append("CONNECT ");
    head.append(target);
    head.append(" HTTP/1.1\r\n");
    append_field(head, "Host", target);
    append_field(head, "User-Agent", user_agent);
    if (!proxy.user.empty()) {
        SecretBytes pair;
        pair.append(proxy.user);
        pair.append(":");
        if (proxy.password) pair.append(proxy.password->view());
        head.append("Proxy-Authorization: Basic ");
        crypto::append_base64(head, pair.view());
        head.append("\r\n");
    }
    head.append("\r\n");
    return head;
}

struct AnswerReader::State {
    Kind kind;
    std::size_t body_limit;
    std::optional<http::response_parser<http::string_body>> parser;
    beast::flat_buffer pending;  // octets that the parser did not take yet
    unsigned interim = 0;

    State(Kind given_kind, std::size_t limit) : kind(given_kind), body_limit(limit) { begin(); }

    void begin() {
        parser.emplace();
        parser->eager(true);
        parser->header_limit(k_head_limit);
        parser->body_limit(body_limit);
        if (kind != Kind::plain) parser->skip(true);
    }
};

AnswerReader::AnswerReader(Kind kind, std::size_t body_limit) : state_(std::make_unique<State>(kind, body_limit)) {}
AnswerReader::~AnswerReader() = default;

Result<bool> AnswerReader::feed(std::string_view octets) {
    State& state = *state_;
    received_ = received_ || !octets.empty();
    const auto room = state.pending.prepare(octets.size());
    std::copy(octets.begin(), octets.end(), static_cast<char*>(room.data()));
    state.pending.commit(octets.size());
    while (state.pending.size() != 0) {
        beast::error_code code;
        const std::size_t used = state.parser->put(state.pending.cdata(), code);
        state.pending.consume(used);
        if (code == http::error::body_limit)
            return Error(ErrorKind::invalid, "answerTooLarge",
                         "the answer is larger than " + std::to_string(state.body_limit) + " octets");
        if (code && code != http::error::need_more)
            return Error(ErrorKind::invalid, "answerInvalid", "the answer is not HTTP: " + printable(code.message()));
        if (state.parser->is_done()) {
            // RFC 9110 15.2: interim answers stand before the real one; 101 was not asked for and is none of them.
            const unsigned status = state.parser->get().result_int();
            if (status / 100 != 1 || status == 101) return true;
            if (++state.interim > k_most_interim)
                return Error(ErrorKind::invalid, "answerInvalid", "the answer is not HTTP: too many interim answers");
            state.begin();
            continue;
        }
        if (used == 0) {
            if (state.pending.size() > k_head_limit && !state.parser->is_header_done())
                return Error(ErrorKind::invalid, "answerInvalid", "the answer is not HTTP: its head is too large");
            return false;
        }
    }
    return false;
}

bool AnswerReader::end() noexcept {
    beast::error_code code;
    if (!state_->parser->is_header_done() || !state_->parser->need_eof()) return false;
    state_->parser->put_eof(code);
    return !code && state_->parser->is_done();
}

bool AnswerReader::reusable() const noexcept {
    return state_->pending.size() == 0 && state_->parser->is_done() && state_->parser->keep_alive() &&
           !state_->parser->need_eof();
}

Response AnswerReader::take() {
    auto& message = state_->parser->get();
    Response response;
    response.status = message.result_int();
    for (const auto& field : message)
        response.headers.emplace_back(ascii_lower({field.name_string().data(), field.name_string().size()}),
                                      std::string(field.value().data(), field.value().size()));
    response.body = std::move(message.body());
    return response;
}

std::string_view Response::header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return {};
}

std::optional<UtcTime> Response::date() const {
    const auto time = from_http_date(header("date"));
    if (!time) return std::nullopt;
    return *time;
}

std::optional<std::chrono::seconds> Response::retry_after(std::chrono::seconds most) const {
    const std::string_view text = header("retry-after");
    if (text.empty()) return std::nullopt;
    const auto bounded = [most](std::chrono::seconds wait) { return std::clamp(wait, std::chrono::seconds(0), most); };
    if (std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        long value = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
        return read.ec == std::errc() ? bounded(std::chrono::seconds(value)) : most;
    }
    const auto until = from_http_date(text);
    const auto said = date();
    if (!until || !said) return std::nullopt;
    return bounded(*until - *said);
}

std::string Response::media_type() const {
    std::string_view text = header("content-type");
    text = text.substr(0, text.find(';'));
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return ascii_lower(text);
}

}  // namespace connector::net
