// One honest request and the certificates that go with it. Each test changes one thing and says what must come of it.
#pragma once

#include "core/request/policy.hpp"
#include "core/trust/importer.hpp"
#include "core/trust/person.hpp"
#include "core/trust/recipient.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace connector::samples {

inline UtcTime at(std::string_view text) {
    return from_rfc3339(text).value();
}
inline UtcTime now() {
    return at("2026-11-23T12:00:00Z");
}

template <class Digest>
Digest filled(std::uint8_t octet) {
    Digest digest;
    digest.octets.fill(octet);
    return digest;
}

inline request::User alice() {
    request::User user;
    user.id = *UserId::parse("u-alice");
    user.user_principal_name = "alice@corp.example";
    user.mail = "alice@corp.example";
    user.other_mails = {"a.smith@corp.example"};
    user.proxy_addresses = {"SMTP:alice@corp.example", "smtp:alice.smith@corp.example", "x500:/o=Corp/cn=alice"};
    user.display_name = "Smith, Alice + Co";
    user.given_name = "Alice";
    user.surname = "Smith";
    user.on_premises_sam_account_name = "asmith";
    user.on_premises_distinguished_name = "CN=Alice Smith,OU=People,DC=corp,DC=example";
    user.on_premises_security_identifier = "S-1-5-21-1-2-3-1104";
    return user;
}

inline request::Device phone() {
    request::Device device;
    device.id = *DeviceId::parse("d-phone-1");
    device.platform = request::Platform::ios;
    device.os_version = "17.5";
    device.name = "Alice's phone";
    device.serial_number = "F2LXK1AB0D8";
    device.imei = "356938035643809";
    device.azure_ad_device_id = "11111111-2222-3333-4444-555555555555";
    device.recipient_certificate = {0x30, 0x03, 0x02, 0x01, 0x01};
    return device;
}

inline request::Profile profile() {
    request::Profile profile;
    profile.authority = "corp";
    profile.template_alias = "smime-signing";
    profile.subject = "CN={{GivenName}} {{SurName}},O=Corp";
    profile.subject_alt_names = {{request::SanType::email, "{{EmailAddress}}"}};
    profile.validity_days = 365;
    return profile;
}

inline request::CertificateRequest issue_request() {
    return {*RequestId::parse("r-1"), at("2026-11-23T11:59:00Z"), alice(), phone(), request::Issue{profile(), {}}};
}
inline request::Profile& profile_of(request::CertificateRequest& request) {
    return std::get<request::Issue>(request.order).profile;
}

// The phone's certificate as its own authority made it: it names device and user.
inline CertificateFacts phone_certificate() {
    CertificateFacts facts;
    facts.der = phone().recipient_certificate;
    facts.sha256 = filled<Sha256>(0x51);
    facts.key = {KeyAlgorithm::rsa, 2048, true, "", filled<Sha256>(0xA1)};
    facts.subject = parse_name("CN=d-phone-1,GN=Alice,SN=Smith").value();
    facts.issuer = parse_name("CN=Corp Device CA,O=Corp").value();
    facts.not_before = at("2026-01-01T00:00:00Z");
    facts.not_after = at("2027-12-31T00:00:00Z");
    facts.alternative_names = {{NameForm::uri, "urn:device:d-phone-1"}, {NameForm::upn, "alice@corp.example"}};
    facts.key_usage = KeyUsage(KeyUsage::k_digital_signature | KeyUsage::k_key_encipherment);
    facts.extended_key_usage = std::vector<std::string>{std::string(eku::k_client_auth)};
    facts.serial_fit = true;
    facts.signature_strong = true;
    return facts;
}

inline trust::RecipientRules recipient_rules() {
    trust::RecipientRules rules;
    rules.required_eku = {std::string(eku::k_client_auth)};
    return rules;
}

inline request::PolicyRules policy_rules() {
    request::PolicyRules rules;
    rules.allowed_mail_domains = {"corp.example"};
    return rules;
}

// A person by the way every Person comes about: a proved recipient, then the proof of the person.
inline trust::Person prove(const request::CertificateRequest& request, trust::IdentitySource source,
                           const CertificateFacts& certificate = phone_certificate()) {
    const auto verdict = trust::prove_recipient(request, certificate, true, recipient_rules(), {}, now());
    return trust::prove_person(request, std::get<trust::Recipient>(verdict.answer), source,
                               trust::UserIdentity::san_upn)
        .value();
}

inline std::string fault_of(const Error& error) {
    return error.code + " " + error.message;
}
template <class T>
std::string fault_of(const Result<T>& result) {
    return result ? std::string("accepted") : fault_of(result.error());
}

inline bool begins_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}
inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace connector::samples
