#include "core/engine/proof.hpp"

#include "core/engine/directory.hpp"

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
};

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
    const auto& issuers = context.rules.recipients.issuers;
    auto read = [&crypto = context.ports.crypto, &request, &issuers] {
        ReadCertificate result{crypto.inspect(request.device.recipient_certificate)};
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
    std::optional<trust::DirectoryView> view;
    if (asks_directory(context.rules)) {
        // An unfit certificate is refused as that, also while the directory is away, and nobody is looked up for it.
        if (auto fault = trust::judge_certificate(request, *certificate.facts, certificate.directly_issued,
                                                  context.rules.recipients, *known, context.valid_now()))
            co_return std::move(*fault);
        auto asking = ask_directory(context, record, wrapping);
        auto answer = co_await std::move(asking);
        if (!answer) co_return answer.error();
        view = std::move(*answer);
    }
    const auto* const directory = view ? &*view : nullptr;
    auto verdict = trust::prove_recipient(request, *certificate.facts, certificate.directly_issued,
                                          context.rules.recipients, *known, context.valid_now(), directory);
    if (auto* error = std::get_if<Error>(&verdict.answer)) co_return std::move(*error);
    if (auto* hold = std::get_if<trust::Hold>(&verdict.answer)) co_return std::move(*hold);
    auto& recipient = std::get<trust::Recipient>(verdict.answer);
    auto person = trust::prove_person(request, recipient, context.rules.policy.identity,
                                      context.rules.recipients.user_identity, directory, context.valid_now());
    if (!person) co_return person.error();
    if (trust::is_named(*person, request.user, context.rules.protected_users)) {
        auto counting = approvals(context, record, certificate.facts->key.spki_sha256, std::nullopt);
        const auto given = co_await std::move(counting);
        if (!given) co_return given.error();
        if (*given < context.rules.approvers)
            co_return trust::Hold{request::HeldReason::approval,
                                  person->user_principal_name() +
                                      " is a protected user: everything waits for a person's word; key " +
                                      certificate.facts->key.spki_sha256.hex()};
    }
    Proved proved{std::move(recipient), std::move(*person),    std::move(verdict.pin),  known->pin,
                  verdict.uses_window,  verdict.new_recipient, std::move(verdict.notes)};
    co_return std::move(proved);
}

}  // namespace connector::engine
