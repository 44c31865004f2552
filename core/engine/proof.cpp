#include "core/engine/proof.hpp"

#include "core/engine/directory.hpp"
#include "core/engine/revocation.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace connector::engine {
namespace {

struct ReadCertificate {
    Result<CertificateFacts> facts;
    bool directly_issued = false;
    std::optional<Result<trust::SignedBinding>> statement;
    std::optional<trust::Revocation> revocation;
};

Result<trust::SignedBinding> read_statement(const Ports& ports, const Rules& rules, const Bytes& binding) {
    if (binding.empty()) return trust::binding_refused("missing; whose the device is has to be stated and signed");
    const auto content = ports.crypto.verify_attached(binding, rules.recipients.statement_signers);
    if (!content) return trust::binding_refused(content.error().message);
    const auto signer = ports.crypto.inspect(content->signer_certificate);
    if (!signer) return trust::binding_refused("its signer: " + signer.error().message);
    if (ports.statements == nullptr) return Error(ErrorKind::internal, "internal", "nobody reads statements");
    auto statement = ports.statements->read(content->content);
    if (!statement) return trust::binding_refused("in the statement: " + statement.error().message);
    return trust::SignedBinding{std::move(*statement), to_text(signer->subject), signer->not_before, signer->not_after};
}

// Whether the device's pinned key has signed the new certificate. What was blocked here vouches for nothing any more.
Result<void> judge_key_change(const ports::Crypto& crypto, const request::CertificateRequest& request,
                              const trust::RegisterView& known, const ports::RevocationLists* lists, UtcTime now) {
    if (known.pinned_key_blocked)
        return Error(ErrorKind::refused, "recipientUntrusted", "the previous key is blocked here");
    const auto signer = crypto.verify_detached(request.device.key_change_proof, request.device.recipient_certificate,
                                               known.pin->spki_sha256);
    if (!signer) return signer.error();
    if (lists == nullptr) return {};
    // Where lists are asked, a key counts by its certificate: the very one that was pinned with it, not revoked.
    const bool known_by_it =
        known.pin->certificate_sha256 == Sha256() || crypto.sha256(*signer) == known.pin->certificate_sha256;
    if (!known_by_it || lists->look_up(*signer, now).state != trust::Revocation::State::good)
        return Error(ErrorKind::refused, "recipientUntrusted",
                     "the previous certificate is another than the pinned one, revoked, or on no list");
    return {};
}

}  // namespace

ports::Addressee addressee(const trust::Recipient& recipient) {
    return {recipient.device(), recipient.user(), recipient.user_principal_name(),
            recipient.certificate().key.spki_sha256};
}

boost::asio::awaitable<Result<std::size_t>> approvals(Context& context, const request::RequestRecord& record,
                                                      Sha256 key, std::optional<std::string> about) {
    auto asking = context.ports.ledger.votes(record.request.id, context.now());
    const auto votes = co_await std::move(asking);
    if (!votes) {
        context.ledger_failed(votes.error(), "looking for approvals");
        co_return votes.error();
    }
    std::set<std::string> accounts;
    const auto shown = about ? std::optional(context.ports.crypto.sha256(bytes_of(*about))) : std::nullopt;
    for (const auto& vote : *votes) {
        const bool same = vote.order_hash == record.order_hash && vote.spki_sha256 == key;
        if (same && (!shown || vote.about == *shown)) accounts.insert(vote.by);
    }
    co_return accounts.size();
}

boost::asio::awaitable<Proof> prove(Context& context, const request::RequestRecord& record, bool wrapping) {
    const auto& request = record.request;
    // As it stands now, to the end of this proof: a reload brings other rules in the midst of it.
    const Rules rules = context.rules;
    const bool stated = rules.recipients.binding == trust::Binding::statement;
    const auto lists = context.ports.revocation == nullptr ? nullptr : context.ports.revocation->current();
    auto read = [&ports = context.ports, &request, &rules, stated, lists, now = context.valid_now()] {
        const auto& crypto = ports.crypto;
        const auto& issuers = rules.recipients.issuers;
        ReadCertificate result{crypto.inspect(request.device.recipient_certificate), false, std::nullopt, std::nullopt};
        if (result.facts && lists) result.revocation = lists->look_up(request.device.recipient_certificate, now);
        if (result.facts && stated) result.statement = read_statement(ports, rules, request.device.binding);
        if (result.facts)
            result.directly_issued = std::any_of(issuers.begin(), issuers.end(), [&](const Bytes& issuer) {
                return crypto.issued_by(request.device.recipient_certificate, issuer);
            });
        return result;
    };
    auto reading = context.ports.offload.run(std::move(read));
    auto certificate = co_await std::move(reading);
    if (!certificate.facts) {
        co_return Error(ErrorKind::refused, "recipientUntrusted",
                        "/device/recipientCertificate: " + certificate.facts.error().message);
    }
    auto looking = context.ports.ledger.look_up(request.device.id, request.user.id, request.user.user_principal_name,
                                                certificate.facts->key.spki_sha256, context.valid_now());
    auto known = co_await std::move(looking);
    if (!known) {
        context.ledger_failed(known.error(), "looking up a recipient");
        co_return known.error();
    }
    const auto* const revocation = certificate.revocation ? &*certificate.revocation : nullptr;
    if (revocation != nullptr || asks_directory(rules)) {
        // An unfit certificate is refused as that, also while a list or the directory is away, and nobody is looked up
        // for it.
        auto fault = trust::judge_certificate(request, *certificate.facts, certificate.directly_issued,
                                              rules.recipients, *known, context.valid_now(), revocation);
        if (fault && fault->kind == ErrorKind::unavailable) co_return list_away(*revocation);
        if (fault) co_return std::move(*fault);
    }
    std::optional<trust::DirectoryView> view;
    if (asks_directory(rules)) {
        auto asking = ask_directory(context, rules, record, wrapping);
        auto answer = co_await std::move(asking);
        if (!answer) co_return answer.error();
        view = std::move(*answer);
    }
    std::optional<Result<void>> key_change;
    // The other bindings prove a new key by themselves.
    const auto binding = rules.recipients.binding;
    const bool by_pin = binding == trust::Binding::register_ || binding == trust::Binding::service;
    const bool new_key = by_pin && known->pin && trust::key_known(*known->pin) &&
                         known->pin->spki_sha256 != certificate.facts->key.spki_sha256;
    if (new_key && !request.device.key_change_proof.empty()) {
        auto job = [&crypto = context.ports.crypto, &request, &view_of = *known, lists, now = context.valid_now()] {
            return judge_key_change(crypto, request, view_of, lists.get(), now);
        };
        auto judging = context.ports.offload.run(std::move(job));
        key_change = co_await std::move(judging);
    }
    const auto* const directory = view ? &*view : nullptr;
    trust::Evidence evidence;
    evidence.directory = directory;
    if (certificate.statement) evidence.statement = &*certificate.statement;
    if (key_change) evidence.key_change = &*key_change;
    evidence.revocation = revocation;
    auto verdict = trust::prove_recipient(request, *certificate.facts, certificate.directly_issued, rules.recipients,
                                          *known, context.valid_now(), evidence);
    if (auto* error = std::get_if<Error>(&verdict.answer)) co_return std::move(*error);
    if (auto* hold = std::get_if<trust::Hold>(&verdict.answer)) co_return std::move(*hold);
    auto& recipient = std::get<trust::Recipient>(verdict.answer);
    auto person = trust::prove_person(request, recipient, rules.policy.identity, rules.recipients.user_identity,
                                      directory, context.valid_now());
    if (!person) co_return person.error();
    if (trust::is_named(*person, request.user, rules.protected_users)) {
        auto counting = approvals(context, record, certificate.facts->key.spki_sha256, std::nullopt);
        const auto given = co_await std::move(counting);
        if (!given) co_return given.error();
        if (*given < rules.approvers)
            co_return trust::Hold{request::HeldReason::approval,
                                  person->user_principal_name() +
                                      " is a protected user: everything waits for a person's word; key " +
                                      certificate.facts->key.spki_sha256.hex()};
    }
    Proved proved{std::move(recipient), std::move(*person),    std::move(verdict.pin),   known->pin,
                  verdict.uses_window,  verdict.new_recipient, std::move(verdict.notes), verdict.most_devices,
                  verdict.key_alone};
    co_return std::move(proved);
}

}  // namespace connector::engine
