// pkcs.issue: key and CSR, the authority, the check of what came back, the package; and the revocation of orphans.
#include "core/engine/worker.hpp"

#include "core/request/policy.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace connector::engine {
namespace {

namespace asio = boost::asio;

ports::Submission submission_of(const request::RequestRecord& record) {
    ports::Submission submission;
    submission.csr = record.csr;
    submission.nonce = record.submission_nonce;
    submission.template_alias = record.request.profile()->template_alias;
    submission.validity_days = record.request.profile()->validity_days.value_or(0);
    return submission;
}

// As the register of certificates has it.
ports::IssuedCertificate registered(const std::string& authority, const CertificateFacts& leaf,
                                    const request::RequestRecord& record, UtcTime now) {
    ports::IssuedCertificate entry;
    entry.authority = authority;
    entry.issuer = to_text(leaf.issuer);
    entry.serial_number = leaf.serial_number;
    entry.sha256 = leaf.sha256;
    entry.spki_sha256 = leaf.key.spki_sha256;
    entry.user = record.request.user.id;
    entry.device = record.request.device.id;
    entry.request = record.request.id;
    entry.issued_at = now;
    entry.not_after = leaf.not_after;
    return entry;
}

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

ports::Authority* Worker::authority() const {
    const auto found = context_.ports.authorities.find(record_.request.profile()->authority);
    return found == context_.ports.authorities.end() ? nullptr : found->second;
}

Worker::Going Worker::admit() {
    const auto& profile = *record_.request.profile();
    const auto* issuer = authority();
    if (issuer == nullptr || !issuer->has_template(profile.template_alias)) {
        const bool unknown = issuer == nullptr;
        Error missing(ErrorKind::misconfigured, "authorityMisconfigured",
                      unknown ? "/profile/authority: no [authority." + profile.authority + "] is configured"
                              : "/profile/template: authority \"" + profile.authority + "\" has no template \"" +
                                    profile.template_alias.value_or("") + "\"");
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
    commit.charges =
        request::issue_charges(context_.rules.limits, record_.request.user.id.text(), record_.request.id.text());
    if (proof->new_recipient)
        commit.charges.push_back(
            request::new_recipient_charge(context_.rules.limits, proof->recipient.certificate().key.spki_sha256.hex()));
    commit.pin = proof->pin;
    commit.pin_seen = proof->pin_seen;
    commit.uses_window = proof->uses_window;
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

Worker::Going Worker::submit(bool again) {
    auto* issuer = authority();
    if (issuer == nullptr) {
        Error missing(ErrorKind::misconfigured, "authorityMisconfigured",
                      "/profile/authority: no longer configured: " + record_.request.profile()->authority);
        auto failing = fail(std::move(missing));
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name(), !again);
    const bool entered = co_await std::move(entering);
    if (!entered) co_return false;
    if (again) context_.ports.events.raise(about(event::k_possible_duplicate, record_));
    auto& breaker = context_.breakers.find(issuer->name())->second;
    if (record_.stage != request::Stage::submitting) {
        auto saving = save(request::Outcome(request::SubmissionBegins{}));
        const bool begun = co_await std::move(saving);
        if (!begun) {
            breaker.left();
            co_return false;
        }
    }
    unsent_ = false;
    auto submission = submission_of(record_);
    auto submitting = issuer->submit(std::move(submission));
    auto answer = co_await std::move(submitting);
    auto answering = answered(std::move(answer), again);
    co_return co_await std::move(answering);
}

// A place at the authority. A busy one is waited for a moment, a place is soon free; for a dead one the request is put
// off.
Worker::Going Worker::enter(std::string_view name, bool never_sent) {
    using namespace std::chrono_literals;
    constexpr auto k_longest_look = 500ms;
    auto& clock = context_.ports.clock;
    auto& breaker = context_.breakers.find(name)->second;
    const Tick latest = clock.tick() + 60s;
    Tick::duration between = 20ms;
    auto wait = breaker.enter(clock.tick());
    const bool waits = wait.has_value();
    while (wait && breaker.state() != Breaker::State::down && !context_.status.draining && clock.tick() < latest) {
        co_await clock.wait_until(clock.tick() + between);
        between = std::min<Tick::duration>(between * 2, k_longest_look);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return false;
        wait = breaker.enter(clock.tick());
    }
    if (!wait && waits) {
        // Withdrawn, abandoned or taken back while it waited: then nothing may be sent any more.
        auto reading = context_.ports.ledger.get(record_.request.id);
        const auto there = co_await std::move(reading);
        if (!there) context_.ledger_failed(there.error(), "looking at a request that waited for its authority");
        const bool ours = there && *there && (*there)->version == record_.version;
        if (!ours) breaker.left();
        co_return ours;
    }
    if (!wait) co_return true;
    request::Postponed postponed{context_.status.draining ? 0s : *wait, never_sent};
    request::Outcome outcome(postponed);
    auto saving = save(std::move(outcome));
    co_await std::move(saving);
    co_return false;
}

Worker::Going Worker::find() {
    auto* issuer = authority();
    if (issuer == nullptr || !issuer->traits().finds) {
        // The same CSR again is the best that can be done.
        auto submitting = submit(true);
        co_return co_await std::move(submitting);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered) co_return false;
    auto submission = submission_of(record_);
    auto finding = issuer->find(std::move(submission));
    auto found = co_await std::move(finding);
    if (found && !*found) {
        came_back(issuer->name(), std::nullopt);
        auto saving = save(request::Outcome(request::NeverArrived{}));
        co_return co_await std::move(saving);
    }
    // Not knowing is not "it never arrived": the record stays `submitting` and is looked for again. A no is known.
    const auto not_found = [&found] {
        const Error& error = found.error();
        return error.kind == ErrorKind::refused ? error : Error(ErrorKind::unknown, error.code, error.message);
    };
    Result<ports::AuthorityAnswer> answer =
        found ? Result<ports::AuthorityAnswer>(std::move(**found)) : Result<ports::AuthorityAnswer>(not_found());
    if (found) context_.ports.events.raise(about(event::k_submission_found, record_).with("authority", issuer->name()));
    auto answering = answered(std::move(answer));
    co_return co_await std::move(answering);
}

Worker::Going Worker::poll() {
    auto* issuer = authority();
    if (issuer == nullptr) {
        Error missing(ErrorKind::misconfigured, "authorityMisconfigured",
                      "/profile/authority: no longer configured: " + record_.request.profile()->authority);
        auto failing = fail(std::move(missing));
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered) co_return false;
    // A process that ended in the middle of a poll heard no answer to it.
    const bool again = issuer->traits().polls_by_repeating && record_.deaths != 0;
    if (again) context_.ports.events.raise(about(event::k_possible_duplicate, record_));
    auto polling = issuer->poll(record_.authority_request_id);
    auto answer = co_await std::move(polling);
    auto answering = answered(std::move(answer), again);
    co_return co_await std::move(answering);
}

void Worker::came_back(const std::string& name, const std::optional<Error>& error) {
    auto& breaker = context_.breakers.find(name)->second;
    const auto tell = [&](std::string_view id) {
        Event event(id);
        event.with("authority", name);
        if (error && id != event::k_authority_up) event.with("reason", error->message);
        context_.ports.events.raise(event);
        context_.state_changed.call();
    };
    const bool reached = !error || error->kind == ErrorKind::refused || error->kind == ErrorKind::invalid;
    if (reached) {
        if (breaker.succeeded(context_.now())) tell(event::k_authority_up);
    } else if (error->kind == ErrorKind::cancelled || error->kind == ErrorKind::misconfigured) {
        breaker.left();  // a template that is wrong for one order says nothing of the others
    } else if (error->kind == ErrorKind::unauthorized) {
        if (breaker.park(context_.ports.clock.tick(), context_.now(), context_.rules.retry.credential_probe))
            tell(event::k_authority_refused_us);
    } else if (breaker.failed(context_.ports.clock.tick(), context_.now())) {
        tell(event::k_authority_down);
    }
}

Worker::Going Worker::answered(Result<ports::AuthorityAnswer> answer, bool may_be_there) {
    const std::string name = record_.request.profile()->authority;
    auto& telemetry = context_.ports.telemetry;
    came_back(name, answer ? std::nullopt : std::optional<Error>(answer.error()));
    if (!answer) {
        const auto kind = answer.error().kind;
        telemetry.authority_request(name, to_string(kind));
        if (kind == ErrorKind::refused || kind == ErrorKind::invalid)
            context_.ports.events.raise(about(event::k_authority_rejected, record_)
                                            .with("authority", name)
                                            .with("reason", answer.error().message));
        Error error = answer.error();
        if (error.kind == ErrorKind::unavailable || error.kind == ErrorKind::timed_out ||
            error.kind == ErrorKind::unknown)
            error.code = "authorityUnreachable";
        if (error.kind == ErrorKind::unauthorized || error.kind == ErrorKind::misconfigured)
            error.code = "authorityMisconfigured";
        auto failing = fail(std::move(error), {}, may_be_there);
        co_return co_await std::move(failing);
    }
    if (auto* pending = std::get_if<ports::PendingAnswer>(&*answer)) {
        telemetry.authority_request(name, "pending");
        request::TakenByAuthority taken{std::move(pending->authority_request_id), pending->retry_after};
        context_.ports.events.raise(about(event::k_issue_pending, record_).with("authority", name));
        request::Outcome outcome(std::move(taken));
        auto saving = save(std::move(outcome));
        co_return co_await std::move(saving);
    }
    telemetry.authority_request(name, "issued");
    auto& issued = std::get<ports::IssuedAnswer>(*answer);
    // In memory only: the commit that follows holds certificate, package and the key's end in one.
    request::IssuedHere here{std::move(issued.certificate), std::move(issued.chain)};
    const auto stored = record_;
    record_ = request::after(std::move(record_), request::Outcome(std::move(here)), context_.rules.retry,
                             context_.now(), 0.0);
    auto packing = pack();
    const bool going = co_await std::move(packing);
    if (record_.version == stored.version) {
        auto keeping = keep_issued(stored);
        co_await std::move(keeping);
    }
    co_return going;
}

Worker::Going Worker::pack() {
    const Bytes certificate = record_.certificate;
    const auto* issuer = authority();
    auto proving = proved("wrapping");
    auto proof = co_await std::move(proving);
    if (!proof) co_return false;
    auto plan = request::plan_certificate(record_.request, proof->person, context_.rules.policy);
    if (!plan || issuer == nullptr) {
        Error error =
            plan ? Error(ErrorKind::misconfigured, "authorityMisconfigured", "the authority is no longer configured")
                 : plan.error();
        auto failing = fail(std::move(error), certificate);
        co_return co_await std::move(failing);
    }

    struct Work {
        Result<Checked> checked{Error(ErrorKind::internal, "internal", "not checked")};
        Result<ports::Pfx> pfx{Error(ErrorKind::internal, "internal", "not packed")};
    };
    const auto style = request::choose_style(record_.request.delivery()->pkcs12, record_.request.device.platform,
                                             record_.request.device.os_version, context_.rules.legacy_pkcs12);
    auto job = [&crypto = context_.ports.crypto, &sealer = context_.ports.sealer, &record = record_, &plan = *plan,
                &policy = context_.rules.policy, traits = issuer->traits(), now = context_.now(),
                pfx_style = style ? *style : ports::PfxStyle::aes256] {
        auto work = std::make_shared<Work>();
        const auto mismatch = [&](const Error& error) {
            work->checked = Error(ErrorKind::refused, "certificateMismatch", error.message);
        };
        auto leaf = crypto.inspect(record.certificate);
        if (!leaf) {
            mismatch(leaf.error());
            return work;
        }
        auto chain = crypto.verify_chain(record.certificate, record.chain, traits.anchors, now);
        if (!chain || chain->issuers.empty()) {
            mismatch(chain ? Error(ErrorKind::refused, "certificateMismatch", "the certificate has no issuer")
                           : chain.error());
            return work;
        }
        const auto& direct = chain->issuers.front();
        if (!traits.issuing.empty() &&
            std::find(traits.issuing.begin(), traits.issuing.end(), direct) == traits.issuing.end()) {
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
            mismatch(right.error());
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
    if (!work->checked) {
        const Error error = work->checked.error();
        if (error.code == "certificateMismatch")
            context_.ports.events.raise(about(event::k_certificate_mismatch, record_)
                                            .with("authority", issuer->name())
                                            .with("reason", error.message));
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
    auto sealed = co_await std::move(wrapping);
    if (!sealed) {
        auto failing = fail(sealed.error(), certificate);
        co_return co_await std::move(failing);
    }

    ports::Commit commit;
    commit.issued = registered(issuer->name(), leaf, record_, context_.now());
    commit.pin = proof->pin;
    commit.pin_seen = proof->pin_seen;
    commit.wrapped_for = addressee(proof->recipient);
    request::Packed packed{std::move(*sealed), certificate};
    request::Outcome outcome(std::move(packed));
    auto saving = save_with(std::move(outcome), std::move(commit));
    const bool saved = co_await std::move(saving);
    if (saved) {
        context_.ports.events.raise(about(event::k_issued, record_)
                                        .with("authority", issuer->name())
                                        .with("serial", leaf.serial_number)
                                        .with("certificate", leaf.sha256.hex()));
    }
    co_return saved;
}

Worker::Going Worker::revoke() {
    auto* issuer = record_.request.profile() == nullptr ? nullptr : authority();
    if (issuer == nullptr || !issuer->traits().revokes) {
        // Whoever revokes it by hand finds it in the register, though it may never have been packed.
        ports::Commit commit;
        Event failed = about(event::k_revoke_failed, record_).with("reason", "the authority cannot revoke");
        if (const auto facts = context_.ports.crypto.inspect(record_.certificate);
            facts && record_.request.profile() != nullptr) {
            const auto& name = record_.request.profile()->authority;
            commit.issued = registered(name, *facts, record_, context_.now());
            failed.with("authority", name).with("serial", facts->serial_number);
        }
        context_.ports.events.raise(failed);
        request::Outcome outcome(request::RevokedNow{});
        auto saving = save_with(std::move(outcome), std::move(commit));
        co_return co_await std::move(saving);
    }
    const auto traits = issuer->traits();
    const bool can_ask = traits.finds || (!record_.authority_request_id.empty() && !traits.polls_by_repeating);
    if (record_.certificate.empty() && !can_ask) {
        context_.ports.events.raise(
            about(event::k_revoke_failed, record_)
                .with("authority", issuer->name())
                .with("reason", "the authority cannot be asked whether it issued a certificate"));
        auto saving = save(request::Outcome(request::RevokedNow{}));
        co_return co_await std::move(saving);
    }
    if (record_.certificate.empty()) {
        auto entering = enter(issuer->name());
        const bool entered = co_await std::move(entering);
        if (!entered) co_return false;
        auto submission = submission_of(record_);
        auto looking = look_for_order(*issuer, std::move(submission));
        auto found = co_await std::move(looking);
        came_back(issuer->name(), found ? std::nullopt : std::optional<Error>(found.error()));
        // One that said no has issued nothing.
        const bool never = !found && found.error().kind == ErrorKind::refused;
        if (!found && !never) {
            auto failing = fail(found.error());
            co_return co_await std::move(failing);
        }
        const auto* answer = found && *found ? &**found : nullptr;
        if (const auto* pending = answer == nullptr ? nullptr : std::get_if<ports::PendingAnswer>(answer)) {
            // It may be issued yet; nobody else will look.
            request::Postponed later{std::clamp<std::chrono::seconds>(pending->retry_after, std::chrono::seconds{1},
                                                                      std::chrono::hours{24})};
            request::Outcome outcome(later);
            auto saving = save(std::move(outcome));
            co_await std::move(saving);
            co_return false;
        }
        const auto* issued = answer == nullptr ? nullptr : std::get_if<ports::IssuedAnswer>(answer);
        if (issued == nullptr) {
            auto saving = save(request::Outcome(request::RevokedNow{}));
            co_return co_await std::move(saving);
        }
        record_.certificate = issued->certificate;
    }
    auto facts = context_.ports.crypto.inspect(record_.certificate);
    if (!facts) {
        auto failing = fail(facts.error());
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered) co_return false;
    // Counted before the act; above the limit it waits, and the certificate is listed as a live orphan until then.
    ports::Commit counted;
    counted.record = record_;
    counted.charges = request::revoke_charges(context_.rules.limits, record_.request.id.text());
    // An orphan that was never packed is not in the register yet.
    counted.issued = registered(issuer->name(), *facts, record_, context_.now());
    auto counting = context_.ports.ledger.save(std::move(counted), context_.now());
    const auto version = co_await std::move(counting);
    if (!version) {
        context_.breakers.find(issuer->name())->second.left();
        if (version.error().kind == ErrorKind::throttled) {
            context_.ports.events.raise(about(event::k_limit_reached, record_).with("reason", version.error().message));
            Error over(ErrorKind::throttled, "limitReached", version.error().message);
            over.retry_after = std::chrono::seconds{600};
            auto failing = fail(std::move(over));
            co_await std::move(failing);
        } else {
            context_.ledger_failed(version.error(), "counting a revocation");
        }
        co_return false;
    }
    record_.version = *version;
    ports::Revocation revocation{to_text(facts->issuer), facts->serial_number, record_.certificate,
                                 "cessationOfOperation"};
    auto revoking = issuer->revoke(std::move(revocation));
    auto revoked = co_await std::move(revoking);
    came_back(issuer->name(), revoked ? std::nullopt : std::optional<Error>(revoked.error()));
    if (!revoked) {
        context_.ports.events.raise(about(event::k_revoke_will_retry, record_).with("reason", revoked.error().message));
        auto failing = fail(revoked.error());
        co_return co_await std::move(failing);
    }
    context_.ports.events.raise(about(event::k_revoked, record_)
                                    .with("authority", issuer->name())
                                    .with("serial", facts->serial_number)
                                    .with("reason", "cessationOfOperation"));
    auto marking = context_.ports.ledger.mark_revoked(facts->sha256, "cessationOfOperation", context_.now());
    const auto marked = co_await std::move(marking);
    if (!marked) context_.ledger_failed(marked.error(), "noting a revocation");
    auto saving = save(request::Outcome(request::RevokedNow{}));
    co_return co_await std::move(saving);
}

}  // namespace connector::engine
