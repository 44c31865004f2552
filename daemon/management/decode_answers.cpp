// Every answer of the service but the lease's.
#include "core/printable.hpp"
#include "daemon/management/fields.hpp"
#include "daemon/management/json.hpp"
#include "daemon/management/wire.hpp"

#include <algorithm>
#include <array>

namespace connector::management {
namespace {

constexpr std::size_t k_most_accepted = 1000;

Error not_ours(const Error& error) {
    return Error(ErrorKind::invalid, "answerInvalid", printable("the answer is not of the API: " + error.message, 500));
}

// One element of a list, or nothing where it is no object in good form.
std::optional<boost::json::value> element(std::string_view text) {
    auto value = json::parse_strict(text, json::k_element_depth, json::Texts::plain);
    if (!value || !value->is_object()) return std::nullopt;
    return std::move(*value);
}

trust::ImportedRecord read_record(const Fields& fields, bool with_secrets) {
    trust::ImportedRecord record;
    record.id = fields.word("id");
    if (!is_usable_id(record.id)) fields.raise("id", k_not_an_id);
    record.thumbprint = fields.hex("thumbprint", 20);
    const auto purpose = request::parse_purpose(fields.word("intendedPurpose"));
    if (!purpose) fields.raise("intendedPurpose", "not a purpose of the API");
    if (purpose) record.purpose = *purpose;
    record.user_principal_name = fields.word("userPrincipalName");
    record.start = fields.time("startDateTime");
    record.expiration = fields.time("expirationDateTime");
    record.provider_name = fields.word("providerName");
    record.key_name = fields.word("keyName");
    record.padding_scheme = fields.word("paddingScheme");
    record.pfx = with_secrets ? fields.octets("encryptedPfxBlob") : fields.maybe_octets("encryptedPfxBlob");
    record.wrapped_password =
        with_secrets ? fields.octets("encryptedPfxPassword") : fields.maybe_octets("encryptedPfxPassword");
    record.importer_signature = fields.maybe_octets("importerSignature");
    record.etag = fields.maybe_text("@odata.etag").value_or("");
    return record;
}

// A record that cannot be read, by its thumbprint if that much can, else with its id in the message.
request::Omitted omitted_record(std::string_view text, const std::string& why) {
    request::Omitted omitted{{}, "importInvalid", why};
    const auto members = json::split_object(text);
    if (!members) return omitted;
    if (const auto parsed = Thumbprint::from_hex_text(json::find_text(*members, "thumbprint").value_or("")))
        omitted.thumbprint = parsed->hex();
    const std::string id = json::find_text(*members, "id").value_or("");
    if (omitted.thumbprint.empty() && is_usable_id(id)) omitted.message += " (record " + id + ")";
    return omitted;
}

std::variant<trust::ImportedRecord, request::Omitted> read_stored(std::string_view text, bool with_secrets) {
    Fault fault;
    const auto value = json::parse_strict(text, json::k_element_depth, json::Texts::plain);
    if (!value) {
        fault.raise("importInvalid", "", value.error().message);
    } else if (!value->is_object()) {
        fault.raise("importInvalid", "/", "not an object");
    } else {
        auto record = read_record(Fields(&value->get_object(), "", fault), with_secrets);
        if (!fault) return record;
    }
    return omitted_record(text, fault.error().message);
}

bool is_code(std::string_view text) noexcept {
    if (text.empty() || text.size() > 64 || text[0] < 'a' || text[0] > 'z') return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    });
}

bool is_outcome(std::string_view word) noexcept {
    static constexpr std::array<std::string_view, 5> k_outcomes{"accepted", "duplicate", "superseded", "cancelled",
                                                                "rejected"};
    return std::find(k_outcomes.begin(), k_outcomes.end(), word) != k_outcomes.end();
}

}  // namespace

Result<ports::RenewAnswer> decode_renewed(std::string_view body) {
    const auto list = json::only_list(body, "renewed");
    if (!list) return list.error();
    ports::RenewAnswer answer;
    for (const std::string_view text : list->elements) {
        const auto value = element(text);
        if (!value) continue;
        Fault fault;
        const Fields fields(&value->get_object(), "", fault);
        ports::RenewedLease lease;
        lease.id = fields.id<LeaseId>("leaseId");
        lease.expires_at = fields.time("leaseExpiresAt");
        if (!fault) answer.renewed.push_back(std::move(lease));
    }
    Fault fault;
    for (const std::string& text : Fields(&list->rest, "", fault).texts("lost", k_most_accepted))
        if (auto id = LeaseId::parse(text)) answer.lost.push_back(std::move(*id));
    if (fault) return not_ours(fault.error());
    return answer;
}

Result<std::vector<ports::ResultOutcome>> decode_outcomes(std::string_view body) {
    const auto list = json::only_list(body, "outcomes");
    if (!list) return list.error();
    std::vector<ports::ResultOutcome> outcomes;
    for (const std::string_view text : list->elements) {
        const auto value = element(text);
        if (!value) continue;
        Fault fault;
        const Fields fields(&value->get_object(), "", fault);
        ports::ResultOutcome outcome;
        outcome.request = fields.id<RequestId>("requestId");
        outcome.outcome = fields.word("outcome");
        outcome.detail = printable(fields.maybe_text("detail").value_or(""), 500);
        for (const std::string& one : fields.texts("accepted", k_most_accepted)) {
            const auto digest = Sha256::from_hex_text(one);
            if (!digest) fields.raise("accepted", "not SHA-256 in hex");
            if (digest) outcome.accepted.push_back(*digest);
        }
        if (!fault && is_outcome(outcome.outcome)) outcomes.push_back(std::move(outcome));
    }
    return outcomes;
}

Result<ImportedPage> decode_imported_page(std::string_view body, bool with_secrets) {
    const auto list = json::only_list(body, "value");
    if (!list) return list.error();
    ImportedPage page;
    Fault fault;
    page.next_link = Fields(&list->rest, "", fault).maybe_text("nextLink");
    if (fault) return not_ours(fault.error());
    for (const std::string_view text : list->elements) {
        auto stored = read_stored(text, with_secrets);
        if (auto* record = std::get_if<trust::ImportedRecord>(&stored)) {
            page.records.push_back(std::move(*record));
        } else {
            page.unreadable.push_back(std::move(std::get<request::Omitted>(stored)));
        }
    }
    return page;
}

Result<trust::ImportedRecord> decode_imported_record(std::string_view body, bool with_secrets) {
    const auto object = json::whole_object(body, json::Texts::plain);
    if (!object) return object.error();
    Fault fault;
    auto record = read_record(Fields(&*object, "", fault), with_secrets);
    if (fault) return not_ours(fault.error());
    return record;
}

Result<Enrolment> decode_enrolment(std::string_view body) {
    const auto object = json::whole_object(body, json::Texts::pem);
    if (!object) return object.error();
    Fault fault;
    const Fields fields(&*object, "", fault);
    Enrolment enrolment;
    enrolment.id = fields.id<ConnectorId>("connectorId");
    enrolment.certificate = fields.word("certificate");
    enrolment.chain = fields.texts("chain", 10);
    enrolment.renew_after = fields.maybe_time("renewAfter");
    if (fault) return not_ours(fault.error());
    return enrolment;
}

Problem decode_problem(std::string_view body) {
    Problem problem;
    const auto object = json::whole_object(body, json::Texts::plain);
    if (!object) return problem;
    Fault fault;
    const Fields fields(&*object, "", fault);
    if (const auto code = fields.maybe_text("code"); code && is_code(*code)) problem.code = *code;
    auto detail = fields.maybe_text("detail");
    if (!detail) detail = fields.maybe_text("title");
    problem.detail = printable(detail.value_or(""), 400);
    return problem;
}

Result<std::vector<KnownConnector>> decode_connectors(std::string_view body) {
    const auto object = json::whole_object(body, json::Texts::plain);
    if (!object) return object.error();
    Fault fault;
    const Fields fields(&*object, "", fault);
    std::vector<KnownConnector> connectors;
    for (const Fields& entry : fields.objects("connectors", k_most_accepted)) {
        KnownConnector connector;
        connector.id = entry.id<ConnectorId>("id").text();
        connector.name = printable(entry.text("name"), 128);
        connector.enrolled_at = entry.maybe_time("enrolledAt");
        connector.approved = entry.maybe_boolean("approved").value_or(true);
        connectors.push_back(std::move(connector));
    }
    if (fault) return not_ours(fault.error());
    return connectors;
}

}  // namespace connector::management
