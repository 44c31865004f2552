#include "core/trust/importer.hpp"

#include "core/request/mailbox.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace connector::trust {
namespace {

constexpr std::string_view k_form = "pfx-connector-import-v1";

Error unsigned_record(const std::string& why) {
    return Error(ErrorKind::refused, "importUnsigned", why);
}
Error invalid_record(const std::string& why) {
    return Error(ErrorKind::refused, "importInvalid", why);
}

template <class T>
void sort_unique(std::vector<T>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

// "" is no element, not one empty one.
std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> parts;
    while (!line.empty()) {
        const auto comma = line.find(',');
        parts.push_back(line.substr(0, comma));
        line = comma == std::string_view::npos ? std::string_view() : line.substr(comma + 1);
        if (comma != std::string_view::npos && line.empty()) parts.emplace_back();
    }
    return parts;
}

std::vector<std::string> lower_case(const std::vector<std::string>& mailboxes) {
    std::vector<std::string> lower;
    lower.reserve(mailboxes.size());
    for (const auto& mailbox : mailboxes) lower.push_back(ascii_lower(mailbox));
    sort_unique(lower);
    return lower;
}

bool is_line(std::string_view text) {
    return !text.empty() && !has_control(text);
}

bool holds(const std::vector<std::string>& list, std::string_view value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

Result<void> check_address(const CertificateFacts& certificate, const Person& person, const ImporterRules& rules) {
    if (rules.address == AddressRule::off) return {};
    const auto mailboxes = mailboxes_of(certificate);
    if (mailboxes.empty()) {
        for (const auto& name : certificate.alternative_names)
            if (name.form == NameForm::upn && ascii_equal(name.value, person.user_principal_name())) return {};
        return invalid_record("the certificate names neither a mailbox nor the user principal name of the user");
    }
    const bool fits = std::any_of(mailboxes.begin(), mailboxes.end(), [&](const std::string& mailbox) {
        if (person.has_mailbox(mailbox)) return true;
        return rules.address == AddressRule::domain &&
               request::domain_allowed(std::string_view(mailbox).substr(mailbox.find('@') + 1), rules.mail_domains);
    });
    if (!fits) return invalid_record("the certificate's address is not one of the user's");
    return {};
}

}  // namespace

std::string to_lines(const ImporterStatement& statement) {
    const auto joined = [](const std::vector<std::string>& list) {
        std::string text;
        for (const auto& element : list) text += (text.empty() ? "" : ",") + element;
        return text;
    };
    auto mailboxes = statement.mailboxes;
    sort_unique(mailboxes);
    std::vector<std::string> history;
    for (const auto& certificate : statement.history) history.push_back(certificate.hex());
    sort_unique(history);
    std::string lines;
    for (const auto& line :
         {std::string(k_form), ascii_lower(statement.user_principal_name), std::string(to_string(statement.purpose)),
          statement.certificate.hex(), statement.blob.hex(), joined(mailboxes), joined(history),
          std::to_string(statement.sequence), to_rfc3339(statement.signed_at)})
        lines += line + "\n";
    return lines;
}

Result<ImporterStatement> parse_statement(ByteView content) {
    constexpr std::size_t k_lines = 9;
    const auto wrong = [](const std::string& what) {
        return unsigned_record("what the importer signed is not a statement: " + what);
    };
    std::vector<std::string_view> lines;
    for (std::string_view rest = text_of(content); !rest.empty();) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) return wrong("its last line has no end");
        if (lines.size() == k_lines) return wrong("it has more than nine lines");
        lines.push_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    if (lines.size() != k_lines) return wrong("it has fewer than nine lines");
    if (lines[0] != k_form) return wrong("its first line is not " + std::string(k_form));

    ImporterStatement statement;
    if (!is_line(lines[1])) return wrong("the user");
    statement.user_principal_name = lines[1];
    const auto purpose = request::parse_purpose(lines[2]);
    const auto certificate = Sha256::from_hex_text(lines[3]);
    const auto blob = Sha256::from_hex_text(lines[4]);
    if (!purpose) return wrong("the purpose");
    if (!certificate) return wrong("the certificate's SHA-256");
    if (!blob) return wrong("the blob's SHA-256");
    statement.purpose = *purpose;
    statement.certificate = *certificate;
    statement.blob = *blob;
    for (const auto mailbox : split(lines[5])) {
        if (!is_line(mailbox)) return wrong("the mailboxes");
        statement.mailboxes.emplace_back(mailbox);
    }
    for (const auto entry : split(lines[6])) {
        const auto known = Sha256::from_hex_text(entry);
        if (!known) return wrong("the history");
        statement.history.push_back(*known);
    }
    const auto* const end = lines[7].data() + lines[7].size();
    const auto [last, fault] = std::from_chars(lines[7].data(), end, statement.sequence);
    if (fault != std::errc() || last != end) return wrong("the sequence");
    const auto signed_at = from_rfc3339(lines[8]);
    if (!signed_at) return wrong("the signing time");
    statement.signed_at = *signed_at;
    // One statement has one form: case, order, leading zeros and fractions are settled by writing it again.
    if (to_lines(statement) != text_of(content)) return wrong("not in its canonical form");
    return statement;
}

Result<void> check_owner(const ImportedRecord& record, const Person& person) {
    if (ascii_equal(record.user_principal_name, person.user_principal_name()) ||
        person.has_mailbox(record.user_principal_name))
        return {};
    return invalid_record("the record is another user's");
}

Result<void> check_sealed(const ImporterStatement& statement, const ImportedRecord& record, const Sha256& blob_sha256) {
    if (!ascii_equal(statement.user_principal_name, record.user_principal_name))
        return unsigned_record("the importer signed this for another user");
    if (statement.purpose != record.purpose)
        return unsigned_record("the importer signed this as " + std::string(to_string(statement.purpose)));
    if (statement.blob != blob_sha256) return unsigned_record("the importer signed another PFX");
    return {};
}

Result<void> check_opened(const ImporterStatement* statement, const ImportedRecord& record,
                          const CertificateFacts& certificate, const Person& person, const ImporterRules& rules) {
    if (statement == nullptr && rules.signatures == SignatureRule::required)
        return unsigned_record("the record has no importer's signature");
    if (statement != nullptr) {
        if (statement->certificate != certificate.sha256)
            return unsigned_record("the importer signed another certificate");
        if (lower_case(statement->mailboxes) != mailboxes_of(certificate))
            return unsigned_record("the importer signed other mailboxes than the certificate's");
    }
    if (auto owner = check_owner(record, person); !owner) return owner;
    if (auto address = check_address(certificate, person, rules); !address) return address;
    return check_purpose(certificate, record.purpose);
}

Result<void> check_purpose(const CertificateFacts& certificate, request::Purpose purpose) {
    using request::Purpose;
    if (certificate.is_ca) return invalid_record("the certificate is a certification authority's");
    // RFC 8550 4.4.2: without the extension every usage is given.
    const auto may = [&](std::uint16_t usages) {
        return !certificate.key_usage || certificate.key_usage->any_of(usages);
    };
    const bool for_mail =
        !certificate.extended_key_usage || holds(*certificate.extended_key_usage, eku::k_email_protection);
    switch (purpose) {
        case Purpose::smime_encryption:
            if (!may(KeyUsage::k_key_encipherment | KeyUsage::k_key_agreement))
                return invalid_record("smimeEncryption needs keyEncipherment or keyAgreement");
            if (!for_mail) return invalid_record("smimeEncryption needs emailProtection");
            return {};
        case Purpose::smime_signing:
            if (!may(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation))
                return invalid_record("smimeSigning needs digitalSignature or nonRepudiation");
            if (!for_mail) return invalid_record("smimeSigning needs emailProtection");
            return {};
        case Purpose::wifi:
            if (!certificate.extended_key_usage || !holds(*certificate.extended_key_usage, eku::k_client_auth))
                return invalid_record("wifi needs clientAuth");
            return {};
        case Purpose::unassigned: return {};
    }
    return invalid_record("a purpose that is none");
}

std::vector<std::string> mailboxes_of(const CertificateFacts& certificate) {
    std::vector<std::string> mailboxes;
    const auto add = [&](std::string_view text) {
        if (const auto mailbox = request::parse_mailbox(text)) mailboxes.push_back(ascii_lower(mailbox->text()));
    };
    for (const auto& name : certificate.alternative_names)
        if (name.form == NameForm::email || name.form == NameForm::smtp_utf8) add(name.value);
    for (const auto& rdn : certificate.subject.rdns)
        for (const auto& attribute : rdn)
            if (attribute.type == oid::k_email_address) add(attribute.value);
    sort_unique(mailboxes);
    return mailboxes;
}

}  // namespace connector::trust
