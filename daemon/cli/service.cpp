#include "daemon/cli/service.hpp"

#include "config/credentials.hpp"

namespace connector::cli {
namespace {

Result<std::optional<net::Proxy>> proxy_of(const config::Management& management) {
    std::optional<net::Proxy> none;
    if (management.proxy.empty()) return none;
    auto proxy = net::parse_proxy(management.proxy);
    if (!proxy) return proxy.error();
    proxy->user = management.proxy_user;
    proxy->no_proxy = management.no_proxy;
    if (management.proxy_password) {
        auto password = config::read_password(*management.proxy_password);
        if (!password) return password.error();
        proxy->password = std::make_shared<const SecretBytes>(std::move(*password));
    }
    return std::optional<net::Proxy>(std::move(*proxy));
}

}  // namespace

Service::Service(net::Url base) : context_(1), clock_(context_.get_executor()), base_(std::move(base)) {}

Service::~Service() {
    // The client goes while its io_context still stands; what it has posted is run off.
    http_.reset();
    context_.restart();
    (void)context_.poll();
}

Result<std::unique_ptr<Service>> Service::open(const config::Settings& settings,
                                               std::optional<net::TlsIdentity> identity) {
    auto base = net::parse_url(settings.management.url);
    if (!base) return base.error();
    const std::string anchors = settings.management.ca_system ? "system" : settings.management.ca_file.string();
    auto tls = net::TlsContext::make(anchors, std::move(identity));
    if (!tls) return tls.error();
    auto proxy = proxy_of(settings.management);
    if (!proxy) return proxy.error();
    std::unique_ptr<Service> service(new Service(std::move(*base)));
    service->http_ = std::make_unique<net::TlsHttpClient>(service->clock_, service->resolver_, std::move(*tls),
                                                          std::move(*proxy), "pfx-connector/" CONNECTOR_VERSION);
    return service;
}

}  // namespace connector::cli
