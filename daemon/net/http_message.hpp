// The pure half of the HTTP client: heads written by hand into secret memory, answers read by Beast's parser.
// Nothing here waits. For daemon/net's own .cpp files.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"
#include "daemon/net/http_client.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace connector::net {

// Octets asked of a connection at once.
inline constexpr std::size_t k_read_size = 16U * 1024U;

// The request's head, in secret memory since a Bearer token may stand in it. kind: internal, where a field cannot be
// written (RFC 9110 5.5).
[[nodiscard]] Result<SecretBytes> write_head(const Request& request, std::string_view user_agent);
// CONNECT host:port (RFC 9110 9.3.6).
[[nodiscard]] Result<SecretBytes> write_connect(const Url& origin, const Proxy& proxy, std::string_view user_agent);

// Reads one answer out of octets as they come; 1xx answers are passed over.
class AnswerReader {
public:
    enum class Kind { plain, head, connect };  // head, connect: no body follows a head
    AnswerReader(Kind kind, std::size_t body_limit);
    ~AnswerReader();
    AnswerReader(const AnswerReader&) = delete;
    AnswerReader& operator=(const AnswerReader&) = delete;

    // True once the answer is whole. kind invalid: answerInvalid, answerTooLarge.
    [[nodiscard]] Result<bool> feed(std::string_view octets);
    // The peer closed in good order: true where that ends the answer.
    [[nodiscard]] bool end() noexcept;
    [[nodiscard]] bool received_anything() const noexcept { return received_; }
    // Only once whole. The connection may be used again: nothing stands behind the answer, and both sides keep it.
    [[nodiscard]] bool reusable() const noexcept;
    [[nodiscard]] Response take();

private:
    struct State;
    std::unique_ptr<State> state_;
    bool received_ = false;
};

}  // namespace connector::net
