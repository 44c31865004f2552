// Who there is in a world, and the truth about them: users with their devices, the certificates that were imported for
// them, and who holds which private key. The service may say what it likes of them; the judge asks here.
// One thread.
#pragma once

#include "core/trust/importer.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/random.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sim {

// Whom [policy] protected_users names, where it names anybody.
inline constexpr std::string_view k_protected = "user0@example.com";

struct Holder {
    request::User user;
    request::Device device;
    Bytes other_certificate;  // of another key of the same device
};

class People {
public:
    People(Labels& labels, UtcTime now) : labels_(labels), now_(now) {}

    // One more user with a device (the first with the authority that their certificates come from), and up to two
    // certificates imported; some of them do not open.
    void add(Random& dice);
    // The importer's statement on every record. What is not signed any more was not signed by him.
    void sign_imports();

    void give(const Sha256& spki, const std::string& user_principal_name) { keys_.emplace(spki, user_principal_name); }
    // Whose device has the key: his UPN; nullopt: nobody's of these.
    [[nodiscard]] std::optional<std::string> holder_of(const Sha256& spki) const;
    // The user's own device, as both are called here.
    [[nodiscard]] bool is_of(const Sha256& spki, const request::User& user, const DeviceId& device) const;
    // The device and its user as they truly are, or nobody's.
    [[nodiscard]] const Holder* find(const UserId& user) const;
    [[nodiscard]] bool was_imported(ByteView pfx) const;

    [[nodiscard]] const std::vector<Holder>& holders() const noexcept { return holders_; }
    [[nodiscard]] const std::vector<trust::ImportedRecord>& history_of(const UserId& user) const;
    [[nodiscard]] const Bytes& device_ca() const noexcept { return device_ca_; }
    // Empty while nothing is signed.
    [[nodiscard]] const Bytes& importer() const noexcept { return importer_; }

private:
    void make_device_ca();
    [[nodiscard]] Bytes device_certificate(const Holder& holder, const std::string& key);
    [[nodiscard]] trust::ImportedRecord imported(const request::User& user, std::size_t number, bool opens);

    Labels& labels_;
    UtcTime now_;
    Bytes device_ca_;
    Bytes importer_;
    std::vector<Holder> holders_;
    std::map<UserId, std::vector<trust::ImportedRecord>> histories_;
    std::map<Sha256, std::string> keys_;
    std::set<Bytes> blobs_;
};

// A record of the store about `user` as anybody can make it who has the public import key: with a new key for mail in
// the user's name, `name` as its id, and `pfx` as the kind of its label.
[[nodiscard]] trust::ImportedRecord record_about(Labels& labels, const request::User& user, const std::string& name,
                                                 std::string_view pfx, std::uint64_t serial, UtcTime from, UtcTime to);
// What an importer says of a record; `history`: of all that he names with it.
[[nodiscard]] trust::ImporterStatement statement_of(const Labels& labels, const trust::ImportedRecord& record,
                                                    std::vector<Sha256> history, UtcTime now);

// The facts of a device's certificate as the device authority makes them.
[[nodiscard]] CertificateFacts device_facts(const std::string& device, const std::string& user, const Sha256& spki,
                                            UtcTime now);

}  // namespace connector::sim
