#include "daemon/cli/service.hpp"

#include "daemon/connection.hpp"

namespace connector::cli {
Service::Service(net::Url base) : context_(1), clock_(context_.get_executor()), base_(std::move(base)) {}

Service::~Service() {
    // The client goes while its io_context still stands; what it has posted is run off.
    http_.reset();
    context_.restart();
    (void)context_.poll();
}

Result<std::unique_ptr<Service>> Service::open(const config::Settings& settings,
                                               std::optional<net::TlsIdentity> identity) {
    auto connection = daemon::connection_of(settings.management, std::move(identity));
    if (!connection) return connection.error();
    std::unique_ptr<Service> service(new Service(std::move(connection->service)));
    service->http_ =
        std::make_unique<net::TlsHttpClient>(service->clock_, service->resolver_, std::move(connection->tls),
                                             std::move(connection->proxy), "pfx-connector/" CONNECTOR_VERSION);
    return service;
}

}  // namespace connector::cli
