// pkcs.issue: key and CSR; the check of what the authority gave, and the package.
#include "core/engine/order.hpp"
#include "core/engine/worker.hpp"

#include "core/request/policy.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace connector::engine {
namespace {

namespace asio = boost::asio;

Error unsupported_format(request::DeliveryFormat format) {
    return Error(ErrorKind::refused, "unsupported",
                 "/delivery/format: " + std::string(to_string(format)) + " is not supported by this connector");
}

// What a certificate's check found out, and what packing needs from it.
struct Checked {
    CertificateFacts leaf;
    std::vector<Bytes> issuers;  // up to and with the root
    bool issuer_known = false;
};

}  // namespace

Worker::Going Worker::admit() {
    const auto& profile = *record_.request.profile();
    const auto* issuer = authority();
    if (issuer == nullptr || !issuer->has_template(profile.template_alias)) {
        const bool unknown = issuer == nullptr;
        Error missing(ErrorKind::misconfigured, "authorityMisconfigured",
                      unknown ? "/profile/authority: no [authority." + profile.authority + "] is configured"
                              : "/profile/template: authority \"" + profile.authority + "\" has no template \"" +
                                    profile.template_alias.value_or("") + "\"");
        context_.ports.events.raise(about(event::k_authority_unknown, record_).with("reason", missing.message));
        auto failing = fail(std::move(missing));
        co_return co_await std::move(failing);
    }
    const auto& delivery = *record_.request.delivery();
    if (delivery.format != request::DeliveryFormat::cms) {
        auto failing = fail(unsupported_format(delivery.format));
        co_return co_await std::move(failing);
    }
    const auto style = request::choose_style(delivery.pkcs12, record_.request.device.platform,
                                             record_.request.device.os_version, context_.rules.legacy_pkcs12);
    if (!style) {
        Error error = style.error();
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    auto proving = proved("intake");
    auto proof = co_await std::move(proving);
    if (!proof) co_return false;
    auto plan = request::plan_certificate(record_.request, proof->person, context_.rules.policy);
    if (!plan) {
        Error error = plan.error();
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }

    struct Made {
        Error fault{ErrorKind::internal, "internal", "no key was made"};
        bool good = false;
        Bytes sealed_key;
        Bytes csr;
        Sha256 spki;
    };
    auto job = [&crypto = context_.ports.crypto, &sealer = context_.ports.sealer, key_type = plan->key_type,
                csr = plan->csr, binding = request::sealing_context(record_, "key")] {
        Made made;
        auto key = crypto.generate(key_type, csr);
        if (!key) {
            made.fault = key.error();
            return made;
        }
        auto sealed = sealer.seal(key->pkcs8.view(), binding);
        if (!sealed) {
            made.fault = sealed.error();
            return made;
        }
        made.sealed_key = std::move(*sealed);
        made.csr = std::move(key->csr);
        made.spki = key->spki_sha256;
        made.good = true;
        return made;
    };
    auto generating = context_.ports.offload.run(std::move(job));
    auto made = co_await std::move(generating);
    if (!made.good) {
        auto failing = fail(std::move(made.fault));
        co_return co_await std::move(failing);
    }

    constexpr std::size_t k_nonce_size = 16;
    request::Keyed keyed{std::move(made.sealed_key), std::move(made.csr), context_.ports.crypto.random(k_nonce_size),
                         made.spki};
    ports::Commit commit;
    commit.charges = request::issue_charges(context_.rules.limits,
                                            trust::one_spelling_of_person(proof->person.user_principal_name()),
                                            record_.request.id.text());
    if (proof->new_recipient)
        commit.charges.push_back(
            request::new_recipient_charge(context_.rules.limits, proof->recipient.certificate().key.spki_sha256.hex()));
    commit.pin = proof->pin;
    commit.pin_seen = proof->pin_seen;
    commit.uses_window = proof->uses_window;
    commit.most_devices = proof->most_devices;
    commit.key_alone = proof->key_alone;
    commit.generated_key = made.spki;
    request::Outcome outcome(std::move(keyed));
    auto saving = save_with(std::move(outcome), std::move(commit));
    const bool going = co_await std::move(saving);
    if (going) {
        unsent_ = true;
        note(*proof);
        context_.ports.events.raise(about(event::k_key_generated, record_).with("key", made.spki.hex()));
    }
    co_return going;
}

Worker::Going Worker::pack() {
    const Bytes certificate = record_.certificate;
    auto* issuer = authority();
    auto proving = proved("wrapping");
    auto proof = co_await std::move(proving);
    if (!proof || stopped()) co_return false;
    auto plan = request::plan_certificate(record_.request, proof->person, context_.rules.policy);
    if (!plan || issuer == nullptr) {
        Error error =
            plan ? Error(ErrorKind::misconfigured, "authorityMisconfigured", "the authority is no longer configured")
                 : plan.error();
        auto failing = fail(std::move(error), certificate);
        co_return co_await std::move(failing);
    }

    struct Work {
        bool foreign = false;  // not of this authority, or for another key: no matter of the template
        Result<Checked> checked{Error(ErrorKind::internal, "internal", "not checked")};
        Result<ports::Pfx> pfx{Error(ErrorKind::internal, "internal", "not packed")};
        bool no_chain = false;
    };
    const auto style = request::choose_style(record_.request.delivery()->pkcs12, record_.request.device.platform,
                                             record_.request.device.os_version, context_.rules.legacy_pkcs12);
    auto job = [kind = record_.request.kind(), flags = context_.stopping.flags, &crypto = context_.ports.crypto,
                &sealer = context_.ports.sealer, &record = record_, &plan = *plan, policy = context_.rules.policy,
                traits = issuer->traits(), now = context_.now(), pfx_style = style ? *style : ports::PfxStyle::aes256] {
        auto work = std::make_shared<Work>();
        const auto mismatch = [&](const Error& error, bool foreign = true) {
            work->foreign = foreign;
            work->checked = Error(ErrorKind::refused, "certificateMismatch", error.message);
        };
        auto leaf = crypto.inspect(record.certificate);
        if (!leaf) {
            mismatch(leaf.error());
            return work;
        }
        auto chain = crypto.verify_chain(record.certificate, record.chain, traits.anchors, now);
        if (!chain || chain->issuers.empty()) {
            work->no_chain = true;
            mismatch(chain ? Error(ErrorKind::refused, "certificateMismatch", "the certificate has no issuer")
                           : chain.error());
            return work;
        }
        const auto& direct = chain->issuers.front();
        // By one of them or below it. A CA's certificate that was made anew is the same CA.
        const auto same_ca = [&crypto](const Bytes& one, const Bytes& other) {
            if (one == other) return true;
            const auto left = crypto.inspect(one);
            const auto right = crypto.inspect(other);
            return left && right && left->key.spki_sha256 == right->key.spki_sha256 &&
                   to_text(left->subject) == to_text(right->subject);
        };
        const bool ours = std::any_of(chain->issuers.begin(), chain->issuers.end(), [&](const Bytes& one) {
            return std::any_of(traits.issuing.begin(), traits.issuing.end(),
                               [&](const Bytes& configured) { return same_ca(one, configured); });
        });
        if (!traits.issuing.empty() && !ours) {
            mismatch(Error(ErrorKind::refused, "", "issued by another CA than the configured one"));
            return work;
        }
        auto direct_facts = crypto.inspect(direct);
        if (!direct_facts) {
            mismatch(direct_facts.error());
            return work;
        }
        if (auto right =
                request::check_issued(plan, record.spki_sha256.value_or(Sha256{}), *leaf, *direct_facts, policy, now);
            !right) {
            mismatch(right.error(), leaf->key.spki_sha256 != record.spki_sha256);
            return work;
        }
        if (flags->stopped(kind)) {
            work->checked = Error(ErrorKind::cancelled, "kindStopped", "stopped before its key was opened");
            return work;
        }
        auto pkcs8 = sealer.open(record.sealed_key, request::sealing_context(record, "key"));
        if (!pkcs8) {
            work->checked = pkcs8.error();
            return work;
        }
        const std::vector<Bytes> without_root(chain->issuers.begin(), std::prev(chain->issuers.end()));
        work->pfx = crypto.pack(*pkcs8, record.certificate, without_root, pfx_style);
        Checked checked{std::move(*leaf), std::move(chain->issuers)};
        work->checked = std::move(checked);
        return work;
    };
    auto running = context_.ports.offload.run(std::move(job));
    auto work = co_await std::move(running);
    if (!work->checked && work->checked.error().code == "kindStopped") co_return false;
    if (!work->checked) {
        if (work->no_chain && !issuers_asked_) {
            auto completing = complete_chain(*issuer);
            co_return co_await std::move(completing);
        }
        const Error error = work->checked.error();
        const auto tell = [&](std::string_view id) {
            context_.ports.events.raise(
                about(id, record_).with("authority", issuer->name()).with("reason", error.message));
        };
        if (error.code == "certificateMismatch") tell(event::k_certificate_mismatch);
        if (work->foreign) tell(event::k_authority_mismatch);
        auto failing = fail(error, certificate);
        co_return co_await std::move(failing);
    }
    if (!work->pfx) {
        auto failing = fail(work->pfx.error(), certificate);
        co_return co_await std::move(failing);
    }
    const CertificateFacts leaf = work->checked->leaf;

    request::Package package;
    package.certificates.push_back(
        request::DeliveredCertificate{certificate, request::renew_after(leaf, plan->renewal_threshold_percent)});
    package.chain = work->checked->issuers;
    std::vector<ports::PackedIdentity> identities;
    ports::PackedIdentity identity{leaf.thumbprint, leaf.sha256, std::move(*work->pfx)};
    identities.push_back(std::move(identity));
    auto wrapping = wrap(proof->recipient, "pkcs", std::move(identities), std::move(package));
    auto wrapped = co_await std::move(wrapping);
    if (!wrapped) {
        if (stopped()) co_return false;
        auto failing = fail(wrapped.error(), certificate);
        co_return co_await std::move(failing);
    }
    context_.ports.events.raise(about(event::k_issued, record_)
                                    .with("authority", issuer->name())
                                    .with("serial", leaf.serial_number)
                                    .with("certificate", leaf.sha256.hex()));
    note_wrapped(proof->recipient, *wrapped);

    ports::Commit commit;
    commit.issued = registered(issuer->name(), leaf, record_, context_.now());
    commit.pin = proof->pin;
    commit.pin_seen = proof->pin_seen;
    commit.most_devices = proof->most_devices;
    commit.key_alone = proof->key_alone;
    commit.wrapped_for = addressee(proof->recipient);
    request::Packed packed{std::move(wrapped->sealed), certificate};
    request::Outcome outcome(std::move(packed));
    auto saving = save_with(std::move(outcome), std::move(commit));
    co_return co_await std::move(saving);
}

Worker::Going Worker::complete_chain(ports::Authority& issuer) {
    if (unsaved_) {
        // Before anything else is asked of the network: nothing else has the certificate.
        request::IssuedHere here{record_.certificate, record_.chain};
        auto saving = save(request::Outcome(std::move(here)));
        const bool saved = co_await std::move(saving);
        if (!saved) co_return false;
        unsaved_ = false;
    }
    auto entering = enter(issuer.name());
    const bool entered = co_await std::move(entering);
    if (!entered || left_stopped(issuer.name())) co_return false;
    auto asking = issuer.issuers(record_.request.profile()->template_alias);
    auto given = co_await std::move(asking);
    came_back(issuer.name(), given ? std::nullopt : std::optional<Error>(given.error()));
    if (!given) {
        // Whatever is wrong there, the certificate is here: time alone gives it up.
        Error error(ErrorKind::unavailable, "authorityUnreachable",
                    "the certificate is here, its issuer is not: " + given.error().message);
        error.retry_after = given.error().retry_after;
        auto failing = fail(std::move(error));
        co_await std::move(failing);
        co_return false;
    }
    issuers_asked_ = true;
    record_.chain.insert(record_.chain.end(), given->begin(), given->end());
    co_return true;
}

}  // namespace connector::engine
