#include "tests/sim/service.hpp"

#include "tests/sim/world.hpp"

#include <algorithm>
#include <utility>

namespace connector::sim {

using namespace std::chrono_literals;

SimService::SimService(World& world, Random random, std::chrono::seconds lease)
    : world_(world), random_(random), lease_length_(lease) {}

void SimService::add(Order order) {
    order.hash = digest_of("sha256", request::order_octets(order.request));
    orders_.push_back(std::move(order));
}

void SimService::keep_time() {
    const Tick now = world_.timeline.now();
    for (auto& order : orders_) {
        if (order.state == State::coming && now >= order.arrives) {
            order.state = State::queued;
            if (world_.attacker && order.attempt == 0 && order.ordered_again == 0) {
                world_.attacker->take(order.request);
                order.hash = digest_of("sha256", request::order_octets(order.request));
            }
            world_.trace.line("service: order " + order.request.id.text() + " " +
                              std::string(to_string(order.request.kind())));
            if (order.request.kind() == request::Kind::pfx_withdraw) withdraw(order);
        }
        if (order.state == State::leased && now >= order.lease_ends) {
            world_.judge.lease_ran_out(order);
            world_.hit_holders(order, Fault::lease_ran_out);
            world_.trace.line("service: the lease of " + order.request.id.text() + " ran out");
            order.state = State::queued;
        }
    }
}

// "The service ends them at once."
void SimService::withdraw(const Order& by) {
    for (auto& order : orders_) {
        if (&order == &by || order.state == State::ended || order.state == State::coming) continue;
        if (order.request.kind() == request::Kind::pfx_withdraw || order.request.user.id != by.request.user.id ||
            order.request.device.id != by.request.device.id || order.request.created_at > by.request.created_at)
            continue;
        world_.hit_holders(order, Fault::withdrawn);
        order.state = State::cancelled;
    }
}

std::optional<Tick> SimService::next_change() const {
    std::optional<Tick> next;
    for (const auto& order : orders_) {
        if (order.state != State::coming && order.state != State::leased) continue;
        const Tick when = order.state == State::coming ? order.arrives : order.lease_ends;
        if (!next || when < *next) next = when;
    }
    return next;
}

// Whoever has taken the service gives what he likes.
bool SimService::asked_for(const Order& order, const std::vector<request::Kind>& kinds) const {
    return std::find(kinds.begin(), kinds.end(), order.request.kind()) != kinds.end() ||
           (world_.attacker && world_.attacker->took(order.request.id) && !kinds.empty());
}

bool SimService::has_work(const std::vector<request::Kind>& kinds) const {
    return std::any_of(orders_.begin(), orders_.end(),
                       [&](const Order& order) { return order.state == State::queued && asked_for(order, kinds); });
}

std::variant<ports::LeasedRequest, ports::UnreadableRequest> SimService::element(const Order& order,
                                                                                 const LeaseId& lease) const {
    if (order.unreadable)
        return ports::UnreadableRequest{order.request.id, lease,
                                        request::Failure{"invalidRequest", "/profile: no object", false, {}}};
    ports::LeasedRequest leased;
    leased.request = order.request;
    leased.order_hash = order.hash;
    if (order.changes && order.attempt > 1) {
        leased.request.device.platform = request::Platform::android;
        leased.request.user.id = *UserId::parse("another-user");
        leased.order_hash = digest_of("sha256", request::order_octets(leased.request));
    }
    if (world_.attacker && order.attempt > 1) {
        world_.attacker->change(leased.request);
        leased.order_hash = digest_of("sha256", request::order_octets(leased.request));
    }
    leased.lease = {lease, world_.utc(order.lease_ends), order.attempt};
    return leased;
}

ports::LeaseAnswer SimService::lease(std::size_t connector, std::size_t most, const std::vector<request::Kind>& kinds,
                                     const std::string& key) {
    keep_time();
    const Tick now = world_.timeline.now();
    ports::LeaseAnswer answer;
    answer.date = world_.utc(now);
    auto& given = answered_[{connector, key}];
    if (given.empty()) {
        for (std::size_t i = 0; i < orders_.size() && given.size() < most; ++i) {
            auto& order = orders_[i];
            if (order.state != State::queued || !asked_for(order, kinds)) continue;
            if (order.attempt != 0 && !order.holders.contains(connector))
                world_.hit_holders(order, Fault::lease_stolen);
            order.state = State::leased;
            order.holder = connector;
            order.holders.insert(connector);
            order.lease = *LeaseId::parse("lease-" + std::to_string(++last_lease_));
            order.lease_granted = now;
            order.lease_ends = now + lease_length_;
            ++order.attempt;
            given.emplace_back(i, order.lease);
        }
    }
    for (const auto& [index, lease] : given) {
        const auto& order = orders_[index];
        if (order.unreadable) world_.hit_holders(order, Fault::unreadable_element);
        if (order.changes && order.attempt > 1) world_.hit_holders(order, Fault::order_changed);
        answer.requests.push_back(element(order, lease));
    }
    if (world_.attacker) world_.attacker->answer_lease(answer);
    hand_out(answer);
    return answer;
}

void SimService::hand_out(const ports::LeaseAnswer& answer) {
    for (const auto& element : answer.requests) {
        const auto* leased = std::get_if<ports::LeasedRequest>(&element);
        if (leased == nullptr) continue;
        const auto& request = leased->request;
        order_of(request.id)->recipients.insert(request.device.recipient_certificate);
        if (request.kind() == request::Kind::pfx_withdraw) withdrawn_.emplace(request.user.id, request.device.id);
    }
}

ports::RenewAnswer SimService::renew(std::size_t connector, const std::vector<LeaseId>& leases) {
    keep_time();
    const Tick now = world_.timeline.now();
    ports::RenewAnswer answer;
    answer.date = world_.utc(now);
    for (const auto& lease : leases) {
        const auto found = std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) {
            return order.state == State::leased && order.lease == lease && order.holder == connector;
        });
        if (found == orders_.end()) {
            answer.lost.push_back(lease);
            continue;
        }
        found->lease_granted = now;
        found->lease_ends = now + lease_length_;
        answer.renewed.push_back({lease, world_.utc(found->lease_ends)});
        if (world_.attacker) world_.attacker->answer_renewal(found->request.id, answer.renewed.back());
    }
    return answer;
}

std::vector<ports::ResultOutcome> SimService::report(std::size_t connector,
                                                     const std::vector<ports::ResultMessage>& results) {
    keep_time();
    std::vector<ports::ResultOutcome> outcomes;
    for (const auto& message : results) {
        outcomes.push_back(judge(connector, message));
        if (world_.attacker) lie(message, outcomes.back());
    }
    // In any order.
    if (outcomes.size() > 1 && random_.chance(300)) std::reverse(outcomes.begin(), outcomes.end());
    return outcomes;
}

ports::ResultOutcome SimService::judge(std::size_t connector, const ports::ResultMessage& message) {
    world_.judge.result_arrives(message);
    ports::ResultOutcome outcome;
    outcome.request = message.request;
    auto* order = order_of(message.request);
    if (order == nullptr) {
        outcome.outcome = "rejected";
        return outcome;
    }
    std::set<Sha256> named;
    std::set<Bytes> certificates;
    if (message.delivered)
        for (const auto& certificate : message.delivered->certificates) {
            named.insert(digest_of("sha256", certificate.der));
            certificates.insert(certificate.der);
        }
    const std::string status = message.delivered ? "delivered" : message.completed ? "completed" : "failed";
    if (order->state == State::cancelled) {
        outcome.outcome = "cancelled";
        world_.hit_holders(*order, Fault::cancelled_by_service);
    } else if (order->state == State::ended && order->ended_as == "rejected") {
        outcome.outcome = "rejected";
    } else if (order->state == State::ended) {
        const bool same = order->ended_as == status && (status != "delivered" || order->accepted == named);
        outcome.outcome = same ? "duplicate" : "superseded";
        outcome.accepted = order->accepted_list();
        world_.hit_holders(*order, same ? Fault::duplicate_result : Fault::superseded);
    } else {
        order->state = State::ended;
        if (order->rejects) {
            order->ended_as = "rejected";
            outcome.outcome = "rejected";
            world_.hit_holders(*order, Fault::rejected_result);
        } else {
            order->ended_as = status;
            order->code = message.failed ? message.failed->code : "";
            order->accepted = named;
            order->accepted_certificates = certificates;
            outcome.outcome = "accepted";
            outcome.accepted = order->accepted_list();
            world_.judge.accepted(*order, connector, message);
            if (message.failed) order_again(*order);
        }
    }
    world_.trace.line("service: " + message.request.text() + " " + status +
                      (message.failed ? " (" + message.failed->code + ")" : "") + " from c" +
                      std::to_string(connector) + " -> " + outcome.outcome);
    return outcome;
}

void SimService::lie(const ports::ResultMessage& message, ports::ResultOutcome& outcome) {
    auto* order = order_of(outcome.request);
    const std::string truth = outcome.outcome;
    world_.attacker->answer_result(outcome);
    if (order == nullptr || outcome.outcome == truth) return;
    if (message.delivered)
        for (const auto& certificate : message.delivered->certificates) order->lied_about.insert(certificate.der);
    order->accepted_certificates.clear();
    world_.trace.line("service: " + outcome.request.text() + " is answered otherwise");
}

// "Once closed, the same id is a new order."
void SimService::order_again(Order& order) {
    constexpr unsigned k_most = 2;
    const auto again = static_cast<unsigned>(world_.scenario.again);
    if (again == 0 || order.request.profile() == nullptr || order.ordered_again == k_most || !random_.chance(again))
        return;
    ++order.ordered_again;
    order.state = State::coming;
    order.arrives = world_.timeline.now() + std::chrono::seconds{random_.between(0, 60)};
    order.attempt = 0;
    order.ended_as.clear();
    order.code.clear();
}

RequestId SimService::leased_as(const LeaseId& lease) const {
    for (const auto& order : orders_)
        if (order.lease == lease && order.state == State::leased) return order.request.id;
    return {};
}

bool SimService::holds_lease(const LeaseId& lease, const UserId& user) const {
    return std::any_of(orders_.begin(), orders_.end(), [&](const Order& order) {
        return order.lease == lease && order.request.user.id == user && order.state == State::leased;
    });
}

void SimService::take_back(std::size_t index) {
    auto& order = orders_[index];
    if (order.state != State::leased) return;
    world_.trace.line("service: takes the lease of " + order.request.id.text() + " back");
    world_.hit_holders(order, Fault::lease_ran_out);
    order.state = State::queued;
}

void SimService::cancel(std::size_t index) {
    auto& order = orders_[index];
    if (order.state == State::ended || order.state == State::coming) return;
    world_.trace.line("service: cancels " + order.request.id.text());
    world_.hit_holders(order, Fault::cancelled_by_service);
    order.state = State::cancelled;
}

SimService::Order* SimService::order_of(const RequestId& id) {
    const auto found =
        std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) { return order.request.id == id; });
    return found == orders_.end() ? nullptr : &*found;
}

const SimService::Order* SimService::find(const RequestId& id) const {
    const auto found =
        std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) { return order.request.id == id; });
    return found == orders_.end() ? nullptr : &*found;
}

bool SimService::all_over() const {
    return std::all_of(orders_.begin(), orders_.end(), [](const Order& order) {
        return order.state == State::ended || order.state == State::cancelled;
    });
}

}  // namespace connector::sim
