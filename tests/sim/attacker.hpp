// Who has taken the management service: he sends any order and gives any answer, as the seed decides. He knows what
// the service stores and what it was sent, has an enrolled device of each user whose orders he takes, a certification
// authority that nobody trusts, and no private key of anybody else.
// World has one where the scenario's `attacks` is not 0. Once the faults stop he lies no more, so that what he began
// comes to an end. One thread.
#pragma once

#include "core/ports/management_api.hpp"
#include "tests/sim/people.hpp"
#include "tests/sim/random.hpp"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sim {

class World;

class Attacker {
public:
    Attacker(World& world, Random random);

    // Every name that arts() may give.
    [[nodiscard]] static std::vector<std::string_view> all_arts();
    // What he has done with this order; empty: he left it alone.
    [[nodiscard]] const std::vector<std::string_view>& arts(const RequestId& id) const;
    [[nodiscard]] bool took(const RequestId& id) const { return !arts(id).empty(); }
    // How long a lease of this order lasts was not what he said.
    [[nodiscard]] bool lied_about_lease(const RequestId& id) const { return took(id) || misdated_.contains(id); }
    [[nodiscard]] bool lies() const;

    // An order comes in: he takes it or not.
    void take(request::CertificateRequest& order);
    // An order that he took is leased again: under the same id, another.
    void change(request::CertificateRequest& order);
    // What he answers about orders that he took; others are answered as they are.
    void answer_lease(ports::LeaseAnswer& answer);
    void answer_renewal(const RequestId& id, ports::RenewedLease& lease);
    void answer_result(ports::ResultOutcome& outcome);
    void answer_history(const RequestId& id, const UserId& user, ports::ImportedHistory& history);

private:
    template <class Thing>
    struct Art {
        std::string_view name;
        void (*practise)(Attacker& self, Thing& thing);
    };
    struct History {
        const UserId& user;
        ports::ImportedHistory& answer;
    };
    static const std::vector<Art<request::CertificateRequest>>& order_arts();
    static const std::vector<Art<request::Profile>>& profile_arts();
    static const std::vector<Art<History>>& history_arts();
    static const std::vector<Art<ports::LeaseAnswer>>& lease_arts();
    static const std::vector<Art<ports::ResultOutcome>>& result_arts();
    template <class Thing>
    void practise(const std::vector<Art<Thing>>& arts, const RequestId& id, Thing& thing);
    void note(const RequestId& id, std::string_view art);
    void corrupt(request::CertificateRequest& order);
    // Another's user and device, with a certificate in their names over a key of his own.
    void pass_for_another(request::CertificateRequest& order, Bytes issuer);

    [[nodiscard]] const Holder& another(const request::CertificateRequest& order);
    [[nodiscard]] const Holder& anybody();
    [[nodiscard]] Bytes forged(CertificateFacts facts, Bytes issuer);
    [[nodiscard]] CertificateFacts facts_for(const std::string& device, const std::string& user);
    // A record about `user` with a key of his own: anybody can wrap a password for the import key.
    [[nodiscard]] trust::ImportedRecord of_his_own(const request::User& user);

    World& world_;
    Random random_;
    Bytes ca_;
    Bytes signer_;
    std::map<RequestId, std::vector<std::string_view>> arts_;
    std::set<RequestId> misdated_;
    std::uint64_t made_ = 0;
};

template <class Thing>
void Attacker::practise(const std::vector<Art<Thing>>& arts, const RequestId& id, Thing& thing) {
    const auto& art = arts[random_.below(arts.size())];
    art.practise(*this, thing);
    note(id, art.name);
}

}  // namespace connector::sim
