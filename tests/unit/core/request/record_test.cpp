#include "core/request/record.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace connector::request {
namespace {

using samples::at;

std::vector<CertificateRequest> one_of_each_kind() {
    std::vector<CertificateRequest> requests;
    const auto base = samples::issue_request();
    auto profile = samples::profile();
    profile.extended_key_usage.emplace_back(eku::k_client_auth);
    profile.include_security_identifier = true;
    const Delivery apple{DeliveryFormat::apple_profile, Pkcs12Choice::legacy3des, R"({"scope":"user"})", ""};
    const Order orders[] = {Issue{samples::profile(), {}},
                            Renew{profile, {"5d0c9a", "CN=Corp Issuing CA,O=Corp"}, apple},
                            DeliverImported{Purpose::wifi, {std::string(40, 'a'), std::string(40, 'b')}, {}},
                            Withdraw{"unenrolled"}, Revoke{"corp", "CN=CA", "5d0c9a", "keyCompromise"}};
    for (const auto& order : orders) {
        requests.push_back(base);
        requests.back().order = order;
    }
    auto& bare = requests.back();
    bare.user = User();
    bare.device = Device();
    bare.created_at = at("1960-01-01T00:00:00Z");
    return requests;
}

Package package() {
    Package package;
    package.certificates = {{{1, 2, 3}, at("2027-01-01T00:00:00Z")}, {{}, std::nullopt}};
    package.chain = {{4, 5}, {6}};
    package.omitted = {{"aa", "importInvalid", "no MAC"}};
    package.format = DeliveryFormat::windows_csp;
    package.envelope = Bytes(1000, 0x5A);
    return package;
}

TEST(RequestCodec, reads_back_what_it_wrote) {
    for (const auto& request : one_of_each_kind()) {
        const Bytes octets = encode(request);
        const auto read = decode_request(octets);
        ASSERT_TRUE(read) << to_string(request.kind());
        EXPECT_EQ(encode(*read), octets);
        EXPECT_EQ(read->kind(), request.kind());
        EXPECT_EQ(read->id, request.id);
        EXPECT_EQ(read->created_at, request.created_at);
    }
}

TEST(RequestCodec, keeps_every_field) {
    auto original = one_of_each_kind()[1];
    original.device.binding = {1};
    original.device.key_change_proof = {2};
    const auto read = decode_request(encode(original)).value();
    const auto& renew = std::get<Renew>(read.order);
    EXPECT_EQ(read.user.other_mails, original.user.other_mails);
    EXPECT_EQ(read.user.proxy_addresses, original.user.proxy_addresses);
    EXPECT_EQ(read.user.on_premises_security_identifier, original.user.on_premises_security_identifier);
    EXPECT_EQ(read.device.platform, Platform::ios);
    EXPECT_EQ(read.device.os_version, "17.5");
    EXPECT_EQ(read.device.recipient_certificate, original.device.recipient_certificate);
    EXPECT_EQ(read.device.binding, Bytes{1});
    EXPECT_EQ(read.device.key_change_proof, Bytes{2});
    EXPECT_EQ(renew.profile.subject, samples::profile().subject);
    EXPECT_EQ(renew.profile.subject_alt_names.at(0).value, "{{EmailAddress}}");
    EXPECT_EQ(renew.profile.extended_key_usage.size(), 2U);
    EXPECT_EQ(renew.profile.validity_days, 365U);
    EXPECT_TRUE(renew.profile.include_security_identifier);
    EXPECT_EQ(renew.previous.serial_number, "5d0c9a");
    EXPECT_EQ(renew.delivery.format, DeliveryFormat::apple_profile);
    EXPECT_EQ(renew.delivery.pkcs12, Pkcs12Choice::legacy3des);
    EXPECT_EQ(renew.delivery.apple, R"({"scope":"user"})");
}

TEST(PackageCodec, reads_back_what_it_wrote) {
    const Bytes octets = encode(package());
    const auto read = decode_package(octets);
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), octets);
    EXPECT_EQ(read->certificates.at(0).renew_after, at("2027-01-01T00:00:00Z"));
    EXPECT_EQ(read->certificates.at(1).renew_after, std::nullopt);
    EXPECT_EQ(read->chain, package().chain);
    EXPECT_EQ(read->omitted.at(0).message, "no MAC");
    EXPECT_EQ(read->format, DeliveryFormat::windows_csp);
    EXPECT_EQ(read->envelope, package().envelope);
}

TEST(RequestCodec, octets_cut_short_or_drawn_out_are_an_integrity_fault) {
    for (const auto& request : one_of_each_kind()) {
        const Bytes octets = encode(request);
        for (std::size_t size = 0; size < octets.size(); ++size) {
            const auto read = decode_request(ByteView(octets).first(size));
            ASSERT_FALSE(read) << "cut to " << size;
            EXPECT_EQ(read.error().kind, ErrorKind::integrity);
        }
        Bytes longer = octets;
        longer.push_back(0);
        EXPECT_FALSE(decode_request(longer));
        Bytes other_version = octets;
        other_version[0] = 2;
        EXPECT_FALSE(decode_request(other_version));
    }
}

// One value has one encoding: what decodes at all is what would be encoded.
TEST(RequestCodec, an_altered_octet_is_refused_or_another_value) {
    for (const auto& request : one_of_each_kind()) {
        const Bytes octets = encode(request);
        std::size_t refused = 0;
        for (std::size_t i = 0; i < octets.size(); ++i) {
            for (const std::uint8_t flip : Bytes{0x01, 0x02, 0x80, 0xFF}) {
                Bytes altered = octets;
                altered[i] ^= flip;
                const auto read = decode_request(altered);
                if (read) {
                    EXPECT_EQ(encode(*read), altered) << "octet " << i;
                } else {
                    ++refused;
                }
            }
        }
        EXPECT_GT(refused, octets.size());
    }
}

TEST(RequestCodec, a_false_count_costs_nothing) {
    Bytes octets{1};
    octets.insert(octets.end(), 8, 0xFF);
    EXPECT_FALSE(decode_request(octets));
    EXPECT_FALSE(decode_package(octets));
}

TEST(OrderOctets, change_with_every_field_of_the_order) {
    using Edit = std::function<void(CertificateRequest&)>;
    const std::vector<Edit> changes = {
        [](auto& r) { r.user.id = *UserId::parse("u-bob"); },
        [](auto& r) { r.user.user_principal_name += "x"; },
        [](auto& r) { r.user.mail = "bob@corp.example"; },
        [](auto& r) { r.user.mail.reset(); },
        [](auto& r) { r.user.mail = ""; },
        [](auto& r) { r.user.other_mails.clear(); },
        [](auto& r) { r.user.proxy_addresses.push_back(""); },
        [](auto& r) { r.user.display_name = "Bob"; },
        [](auto& r) { r.user.given_name = "Bob"; },
        [](auto& r) { r.user.surname = "Bob"; },
        [](auto& r) { r.user.on_premises_sam_account_name.reset(); },
        [](auto& r) { r.user.on_premises_distinguished_name.reset(); },
        [](auto& r) { r.user.on_premises_security_identifier.reset(); },
        [](auto& r) { r.device.id = *DeviceId::parse("d-2"); },
        [](auto& r) { r.device.platform = Platform::macos; },
        [](auto& r) { r.device.os_version = "18"; },
        [](auto& r) { r.device.name = "other"; },
        [](auto& r) { r.device.serial_number.reset(); },
        [](auto& r) { r.device.imei.reset(); },
        [](auto& r) { r.device.azure_ad_device_id.reset(); },
        [](auto& r) { r.device.recipient_certificate.back() ^= 1; },
        [](auto& r) { r.device.binding = {1}; },
        [](auto& r) { r.device.key_change_proof = {1}; },
        [](auto& r) { samples::profile_of(r).authority = "other"; },
        [](auto& r) { samples::profile_of(r).template_alias.reset(); },
        [](auto& r) { samples::profile_of(r).subject += ",C=CH"; },
        [](auto& r) { samples::profile_of(r).subject_alt_names[0].type = SanType::upn; },
        [](auto& r) { samples::profile_of(r).subject_alt_names[0].value = "x@corp.example"; },
        [](auto& r) { samples::profile_of(r).key_type = KeyType::ec_p256; },
        [](auto& r) { samples::profile_of(r).key_usage = KeyUsage(KeyUsage::k_non_repudiation); },
        [](auto& r) { samples::profile_of(r).extended_key_usage.clear(); },
        [](auto& r) { samples::profile_of(r).validity_days.reset(); },
        [](auto& r) { samples::profile_of(r).renewal_threshold_percent = 30; },
        [](auto& r) { samples::profile_of(r).include_security_identifier = true; },
        [](auto& r) { std::get<Issue>(r.order).delivery.format = DeliveryFormat::apple_profile; },
        [](auto& r) { std::get<Issue>(r.order).delivery.pkcs12 = Pkcs12Choice::aes256; },
        [](auto& r) { std::get<Issue>(r.order).delivery.apple = "{}"; },
        [](auto& r) { std::get<Issue>(r.order).delivery.windows = "{}"; },
        [](auto& r) {
            r.order = Renew{samples::profile(), {"01", "CN=CA"}, {}};
        },
        [](auto& r) {
            r.order = Renew{samples::profile(), {"02", "CN=CA"}, {}};
        },
        [](auto& r) {
            r.order = Renew{samples::profile(), {"02", "CN=CB"}, {}};
        },
        [](auto& r) { r.order = DeliverImported{}; },
        [](auto& r) {
            r.order = DeliverImported{Purpose::smime_signing, {}, {}};
        },
        [](auto& r) {
            r.order = DeliverImported{Purpose::smime_signing, {"aa"}, {}};
        },
        [](auto& r) { r.order = Withdraw{"unenrolled"}; },
        [](auto& r) { r.order = Withdraw{"unassigned"}; },
        [](auto& r) {
            r.order = Revoke{"corp", "CN=CA", "01", "superseded"};
        },
        [](auto& r) {
            r.order = Revoke{"corp", "CN=CA", "02", "superseded"};
        },
        [](auto& r) {
            r.order = Revoke{"corp", "CN=CA", "02", "unspecified"};
        },
    };
    std::set<Bytes> orders{order_octets(samples::issue_request())};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto request = samples::issue_request();
        changes[i](request);
        EXPECT_TRUE(orders.insert(order_octets(request)).second) << "change " << i << " is not seen";
    }
}

TEST(OrderOctets, are_the_same_for_another_lease_of_the_order) {
    auto request = samples::issue_request();
    const Bytes before = order_octets(request);
    request.id = *RequestId::parse("r-2");
    request.created_at += std::chrono::hours{1};
    EXPECT_EQ(order_octets(request), before);
}

TEST(OrderOctets, nothing_shifts_from_one_field_into_the_next) {
    auto left = samples::issue_request();
    auto right = left;
    left.user.given_name = "AB";
    left.user.surname = "C";
    right.user.given_name = "A";
    right.user.surname = "BC";
    EXPECT_NE(order_octets(left), order_octets(right));
    left = right = samples::issue_request();
    left.user.other_mails = {"a", "b"};
    left.user.proxy_addresses = {};
    right.user.other_mails = {"a"};
    right.user.proxy_addresses = {"b"};
    EXPECT_NE(order_octets(left), order_octets(right));
}

TEST(SealingContext, is_bound_to_record_field_and_order) {
    RequestRecord record;
    record.request = samples::issue_request();
    std::set<Bytes> contexts{sealing_context(record, "key"), sealing_context(record, "package")};
    record.request.id = *RequestId::parse("r-2");
    contexts.insert(sealing_context(record, "key"));
    record.request.device.recipient_certificate.push_back(0);
    contexts.insert(sealing_context(record, "key"));
    EXPECT_EQ(contexts.size(), 4U);
    // What the record learns on its way must not lose it its key.
    const Bytes before = sealing_context(record, "key");
    record.stage = Stage::at_authority;
    record.version = 7;
    record.lease.attempt = 3;
    record.authority_request_id = "42";
    EXPECT_EQ(sealing_context(record, "key"), before);
}

TEST(Words, of_stages_and_holds) {
    std::set<std::string_view> words;
    for (const auto stage :
         {Stage::accepted, Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued, Stage::packaged,
          Stage::refused, Stage::held, Stage::abandoned, Stage::revoking, Stage::closed}) {
        EXPECT_EQ(parse_stage(to_string(stage)), stage);
        words.insert(to_string(stage));
    }
    EXPECT_EQ(words.size(), 11U);
    EXPECT_FALSE(parse_stage("unknown"));
    for (const auto reason : {HeldReason::new_recipient, HeldReason::key_change, HeldReason::user_change,
                              HeldReason::too_many_devices, HeldReason::limit, HeldReason::approval}) {
        EXPECT_EQ(parse_held_reason(to_string(reason)), reason);
        words.insert(to_string(reason));
    }
    EXPECT_EQ(words.size(), 17U);
    EXPECT_FALSE(parse_held_reason(""));
}

}  // namespace
}  // namespace connector::request
