// Proving a request's recipient and person: reads the device certificate on the pool, asks the register, and lets
// trust/ judge. Done at intake and again at the moment of wrapping. cc-io.
#pragma once

#include "core/engine/context.hpp"
#include "core/trust/person.hpp"

#include <optional>
#include <variant>

namespace connector::engine {

struct Proved {
    trust::Recipient recipient;
    trust::Person person;
    std::optional<trust::Pin> pin;
    std::optional<trust::Pin> pin_seen;  // what was pinned when it was proved
    bool uses_window = false;
    bool new_recipient = false;
    std::vector<std::string> notes;
    std::uint32_t most_devices = 0;
    bool key_alone = false;
};
using Proof = std::variant<Proved, trust::Hold, Error>;

// For the commit that keeps what was wrapped.
[[nodiscard]] ports::Addressee addressee(const trust::Recipient& recipient);

// How many accounts have approved this order for this key; with `about`, only those who were shown that very text.
// The ledger's error where it cannot be told.
[[nodiscard]] boost::asio::awaitable<Result<std::size_t>> approvals(Context& context,
                                                                    const request::RequestRecord& record, Sha256 key,
                                                                    std::optional<std::string> about);

// `wrapping`: keys are about to be wrapped; the directory is asked anew.
[[nodiscard]] boost::asio::awaitable<Proof> prove(Context& context, const request::RequestRecord& record,
                                                  bool wrapping);

}  // namespace connector::engine
