// What is said between this process, the keeper of its parsers, and a parser. Both ends are the same program on the
// same machine: plain numbers in the machine's order. What a parser says is believed of nothing but its own file, and a
// refusal has no words of its own: a parser that a hostile file has taken over could put a key into them.
//
//   control socket (one, to the keeper):   Order + a socket      -> the keeper starts a parser on that socket
//   that socket (one for each file):       <- ready              the parser has locked itself in
//                                          -> Sizes, password, PFX
//                                          <- opened | refused   or, from the keeper when the parser has gone: ended
#pragma once

#include "core/ports/pfx_opener.hpp"
#include "core/secret.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

namespace connector::parser {

struct Limits {
    // Two million iterations of the slowest derivation take two seconds on a slow machine, twice that with two readings
    // of a password.
    std::chrono::seconds processor{20};
    std::chrono::milliseconds wall{std::chrono::seconds{45}};
    std::size_t memory = 64UL * 1024 * 1024;  // beyond what it has when it begins
};

struct Order {
    std::uint64_t processor_seconds = 0;
    std::uint64_t wall_milliseconds = 0;
    std::uint64_t memory = 0;
};
struct Sizes {
    std::uint32_t password = 0;
    std::uint32_t pfx = 0;
};

enum class Word : std::uint8_t { ready = 1, opened, refused, ended };

enum class End : std::uint8_t {
    exited,       // number: its exit code
    signalled,    // number: the signal
    too_late,     // killed when its time was over
    not_started,  // number: errno of fork()
};
struct Ended {
    End how = End::exited;
    std::uint8_t number = 0;
};
static_assert(sizeof(Ended) == 2);
// A parser's own exit codes.
inline constexpr int k_exit_not_confined = 70;
inline constexpr int k_exit_out_of_memory = 71;
inline constexpr int k_exit_hung_up = 72;

struct OpenedSizes {
    std::uint32_t pkcs8 = 0;
    std::uint32_t certificate = 0;
    std::uint8_t weak_encryption = 0;
    std::uint8_t issuers = 0;  // so many std::uint32_t follow, then the octets
};
// `refused` has one octet: crypto::PfxFault, or this.
inline constexpr std::uint8_t k_no_fault_of_the_file = 0xFF;

inline constexpr std::size_t k_largest_password = 1024;
inline constexpr std::size_t k_largest_pkcs8 = 16UL * 1024;
inline constexpr std::size_t k_largest_certificate = 64UL * 1024;
inline constexpr std::size_t k_most_issuers = 20;

// A connected stream socket. Reads and writes whole pieces; where there is a deadline (steady clock), never longer.
class Channel {
public:
    using Deadline = std::chrono::steady_clock::time_point;
    enum class Result { done, hung_up, late };

    // Does not own `descriptor`. Without a deadline nothing but read() and write() is called.
    explicit Channel(int descriptor, std::optional<Deadline> deadline = {})
        : descriptor_(descriptor), deadline_(deadline) {}
    [[nodiscard]] Result read(void* octets, std::size_t size);
    [[nodiscard]] Result write(const void* octets, std::size_t size);

private:
    [[nodiscard]] Result wait(short events) const;
    int descriptor_;
    std::optional<Deadline> deadline_;
};

[[nodiscard]] bool send_file(Channel& channel, ByteView pfx, const SecretBytes& password);
[[nodiscard]] bool send_identity(Channel& channel, const ports::Identity& identity);

// What came instead of an identity. Garbage: what no parser of ours says.
struct Garbage {};
struct HungUp {};
struct Late {};
struct Refused {
    std::uint8_t fault = 0;
};
using Answer = std::variant<ports::Identity, Refused, Ended, Garbage, HungUp, Late>;
// Nothing is taken into memory before its size is within the limits above.
[[nodiscard]] Answer read_answer(Channel& channel);
// nullopt: ready.
[[nodiscard]] std::optional<Answer> read_ready(Channel& channel);

}  // namespace connector::parser
