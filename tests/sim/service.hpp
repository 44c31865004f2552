// The simulated management service: the queue, leases that end, idempotent keys, and the one judge of results.
// It is shared by all connectors of a world and never crashes. What goes wrong between it and a connector is the port's
// business (management.cpp); what it does wrong itself (order changed, lease taken early, unreadable element) is here.
#pragma once

#include "core/ports/management_api.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/random.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::sim {

class World;

class SimService {
public:
    enum class State { coming, queued, leased, ended, cancelled };
    struct Order {
        request::CertificateRequest request;
        Sha256 hash;
        Tick arrives;
        State state = State::coming;
        LeaseId lease;
        std::size_t holder = 0;
        std::set<std::size_t> holders;  // every connector that ever leased it
        Tick lease_granted;
        Tick lease_ends;
        unsigned attempt = 0;
        // What the service does wrong with it.
        bool unreadable = false;
        bool changes = false;  // another content when it is leased again
        bool rejects = false;
        std::set<Bytes> recipients;  // every device certificate that it was ever leased with
        unsigned ordered_again = 0;  // under its id, after it had failed
        // How it ended, as the service judged.
        std::string ended_as;  // delivered, completed, failed, rejected
        std::string code;
        std::set<Sha256> accepted;
        std::set<Bytes> accepted_certificates;
        std::set<Bytes> lied_about;  // the connector was told another thing of them
        std::vector<Sha256> accepted_list() const { return {accepted.begin(), accepted.end()}; }
    };

    SimService(World& world, Random random, std::chrono::seconds lease);

    void add(Order order);
    // Orders come, leases run out, as of now.
    void keep_time();
    // When something may become leasable again; nullopt: nothing is on its way.
    [[nodiscard]] std::optional<Tick> next_change() const;
    [[nodiscard]] bool has_work(const std::vector<request::Kind>& kinds) const;

    [[nodiscard]] ports::LeaseAnswer lease(std::size_t connector, std::size_t most,
                                           const std::vector<request::Kind>& kinds, const std::string& key);
    [[nodiscard]] ports::RenewAnswer renew(std::size_t connector, const std::vector<LeaseId>& leases);
    [[nodiscard]] std::vector<ports::ResultOutcome> report(std::size_t connector,
                                                           const std::vector<ports::ResultMessage>& results);
    [[nodiscard]] bool holds_lease(const LeaseId& lease, const UserId& user) const;
    // The order that is leased so; empty where none is.
    [[nodiscard]] RequestId leased_as(const LeaseId& lease) const;
    // A lease is taken back before its time; an order is withdrawn by somebody.
    void take_back(std::size_t order);
    void cancel(std::size_t order);

    [[nodiscard]] const std::vector<Order>& orders() const noexcept { return orders_; }
    [[nodiscard]] const Order* find(const RequestId& id) const;
    [[nodiscard]] bool all_over() const;
    // A withdrawal for them has been handed out.
    [[nodiscard]] bool withdrew(const UserId& user, const DeviceId& device) const {
        return withdrawn_.contains({user, device});
    }

private:
    [[nodiscard]] Order* order_of(const RequestId& id);
    [[nodiscard]] std::variant<ports::LeasedRequest, ports::UnreadableRequest> element(const Order& order,
                                                                                       const LeaseId& lease) const;
    [[nodiscard]] ports::ResultOutcome judge(std::size_t connector, const ports::ResultMessage& message);
    [[nodiscard]] bool asked_for(const Order& order, const std::vector<request::Kind>& kinds) const;
    void hand_out(const ports::LeaseAnswer& answer);
    void lie(const ports::ResultMessage& message, ports::ResultOutcome& outcome);
    void withdraw(const Order& by);
    void order_again(Order& order);

    World& world_;
    Random random_;
    std::chrono::seconds lease_length_;
    std::vector<Order> orders_;
    std::map<std::pair<std::size_t, std::string>, std::vector<std::pair<std::size_t, LeaseId>>> answered_;
    std::set<std::pair<UserId, DeviceId>> withdrawn_;
    std::uint64_t last_lease_ = 0;
};

}  // namespace connector::sim
