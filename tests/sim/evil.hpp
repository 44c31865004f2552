// The service as the attacker: whatever it likes to order and to answer, decided by the seed, with an honestly enrolled
// accomplice whose device, keys and certificates it has. And the truth that it works against: who holds which key, and
// whose the imported ones are. What it must not reach is one sentence: a key becomes readable to its own person alone,
// and a certificate names nobody but the one whose device it was made for.
// Off unless the scenario's `evil` says in how many thousandths of orders and answers. One thread.
#pragma once

#include "core/ports/management_api.hpp"
#include "tests/sim/random.hpp"

#include <map>
#include <string>
#include <vector>

namespace connector::sim {

class World;

struct Person {
    request::User user;
    request::Device device;
};

class Evil {
public:
    Evil(World& world, Random random) : world_(world), random_(random) {}

    [[nodiscard]] bool on() const noexcept;

    // The truth, written down as it comes about.
    void knows(const Person& person);
    void holds(const Sha256& spki, const std::string& user_principal_name) { holders_[spki] = user_principal_name; }
    void owns(const std::string& key_label, const std::string& user_principal_name) {
        owners_[key_label] = user_principal_name;
    }
    // The accomplice, with certificates of every kind that can be had for keys of one's own.
    [[nodiscard]] Person accomplice();
    // What a person sees who compares: this key is this user's.
    [[nodiscard]] bool is_true(const request::User& user, const Sha256& spki) const;

    // The attack: an order on its way out, an order handed out again under the same id, a history.
    void spoil(request::CertificateRequest& request);
    void swap(request::CertificateRequest& request);
    // That order has been handed out for that device as well: whoever saw it first under this face may serve it so.
    [[nodiscard]] bool handed(const RequestId& id, const Bytes& certificate) const;
    void spoil(const UserId& asked, std::vector<trust::ImportedRecord>& records);

    // The invariant.
    void arrives(const ports::ResultMessage& message);
    void at_the_end();

private:
    [[nodiscard]] const Person& somebody();
    [[nodiscard]] bool strikes();
    void claim(request::CertificateRequest& request, const Person& victim);

    World& world_;
    Random random_;
    std::vector<Person> people_;
    Person mallory_;
    std::vector<Bytes> certificates_;  // over keys that the attacker has
    std::map<RequestId, Bytes> swapped_;
    std::map<Sha256, std::string> holders_;
    std::map<std::string, std::string> owners_;
};

}  // namespace connector::sim
