// Names to addresses by the system's getaddrinfo, off the I/O thread.
// A look-up cannot be stopped: it runs on a detached thread ("cc-resolver") that owns all it touches, one for each name
// that is asked for at present, eight at most. The waiter can be cancelled at any moment and has the deadline.
// Owned by the app, used on cc-io; it must go before the io_context does.
#pragma once

#include "core/ports/async.hpp"

#include <boost/asio/ip/address.hpp>

#include <memory>
#include <string>
#include <vector>

namespace connector::net {

class Resolver {
public:
    virtual ~Resolver() = default;
    // At least one address, in getaddrinfo's order (RFC 6724), without repeats. An address literal gives itself.
    // kind: unavailable, code dnsFailed.
    [[nodiscard]] virtual ports::Async<std::vector<boost::asio::ip::address>> resolve(std::string host) = 0;
};

class SystemResolver final : public Resolver {
public:
    SystemResolver();
    ~SystemResolver() override;
    SystemResolver(const SystemResolver&) = delete;
    SystemResolver& operator=(const SystemResolver&) = delete;

    [[nodiscard]] ports::Async<std::vector<boost::asio::ip::address>> resolve(std::string host) override;

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
};

}  // namespace connector::net
