// Service: a short conversation of the command line with the management service: an io_context of its own, one TLS
// client, one call at a time, waited for. Refuses: what [management] does not allow. Main thread; blocking.
#pragma once

#include "config/settings.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/system_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace connector::cli {

class Service {
public:
    // kind: misconfigured. `identity`: the connector's certificate for mutual TLS.
    [[nodiscard]] static Result<std::unique_ptr<Service>> open(const config::Settings& settings,
                                                               std::optional<net::TlsIdentity> identity);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    [[nodiscard]] net::HttpClient& http() noexcept { return *http_; }
    [[nodiscard]] net::Resolver& resolver() noexcept { return resolver_; }
    [[nodiscard]] ports::Clock& clock() noexcept { return clock_; }
    [[nodiscard]] const net::Url& base() const noexcept { return base_; }

    template <class T>
    [[nodiscard]] Result<T> wait(ports::Async<T> call) {
        std::optional<Result<T>> answer;
        std::exception_ptr failure;
        boost::asio::co_spawn(context_, std::move(call), [&](std::exception_ptr thrown, Result<T> given) {
            failure = std::move(thrown);
            answer.emplace(std::move(given));
        });
        context_.restart();
        while (!answer && context_.run_one() != 0) {
        }
        if (failure) std::rethrow_exception(failure);
        if (!answer) return Error(ErrorKind::internal, "internal", "a call to the service did not end");
        return std::move(*answer);
    }

private:
    explicit Service(net::Url base);

    boost::asio::io_context context_;
    daemon::SystemClock clock_;
    net::SystemResolver resolver_;
    net::Url base_;
    std::unique_ptr<net::TlsHttpClient> http_;
};

}  // namespace connector::cli
