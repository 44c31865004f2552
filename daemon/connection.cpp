#include "daemon/connection.hpp"

#include "config/credentials.hpp"

#include <string>
#include <utility>

namespace connector::daemon {
namespace {

Result<std::optional<net::Proxy>> proxy_of(const config::Management& management) {
    if (management.proxy.empty()) return std::optional<net::Proxy>();
    auto proxy = net::parse_proxy(management.proxy);
    if (!proxy) return proxy.error().in("[management] proxy");
    proxy->user = management.proxy_user;
    proxy->no_proxy = management.no_proxy;
    if (management.proxy_password) {
        auto password = config::read_password(*management.proxy_password);
        if (!password) return password.error().in("[management] proxy_password");
        proxy->password = std::make_shared<const SecretBytes>(std::move(*password));
    }
    return std::optional<net::Proxy>(std::move(*proxy));
}

}  // namespace

Result<Connection> connection_of(const config::Management& management, std::optional<net::TlsIdentity> identity) {
    auto service = net::parse_url(management.url);
    if (!service) return service.error().in("[management] url");
    auto proxy = proxy_of(management);
    if (!proxy) return proxy.error();
    const std::string anchors = management.ca_system ? "system" : management.ca_file.string();
    auto tls = net::TlsContext::make(anchors, std::move(identity));
    if (!tls) return tls.error();
    return Connection{std::move(*service), std::move(*tls), std::move(*proxy)};
}

}  // namespace connector::daemon
