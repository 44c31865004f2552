// import adopt: a person looks at what records made elsewhere hold, and the importer signs them as they are.
#include "core/crypto/openssl_crypto.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"
#include "daemon/cli/import_stored.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <iostream>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct AdoptOptions {
    RecordChoice choice;
    std::vector<std::string> addresses;
    bool yes = false;
};

struct Candidate {
    std::size_t index = 0;
    trust::ImportedRecord record;
    importer::CheckedSignature signature;
    std::optional<importer::OpenedStored> stored;
    std::string outcome;  // adopted, wouldAdopt, declined, refused
    std::string reason;
};

struct Adopting {
    const Invocation& call;
    const AdoptOptions& options;
    StoredRecords& stored;
    const ports::Signer& signer;
    bool refused = false;
    json::array answers;
};

bool is_his(const std::string& mailbox, const trust::ImportedRecord& record, const AdoptOptions& options) {
    return request::same_mailbox(mailbox, record.user_principal_name) ||
           std::any_of(options.addresses.begin(), options.addresses.end(),
                       [&](const std::string& address) { return request::same_mailbox(mailbox, address); });
}

// What speaks against signing it; "" where nothing does.
std::string against(const Candidate& candidate, const AdoptOptions& options) {
    const auto& mailboxes = candidate.stored->opened.mailboxes;
    if (mailboxes.empty() || std::any_of(mailboxes.begin(), mailboxes.end(), [&](const std::string& mailbox) {
            return is_his(mailbox, candidate.record, options);
        }))
        return {};
    return "the certificate is for " + joined(mailboxes, ", ", "-") + ", not for " +
           candidate.record.user_principal_name + "; if one of these is his too, say so with --user and --address";
}

void show(const Invocation& call, const Candidate& candidate) {
    const auto& record = candidate.record;
    call.terminal.line("");
    call.terminal.heading(record.user_principal_name + ", " + std::string(request::to_string(record.purpose)));
    call.terminal.field("  thumbprint", record.thumbprint);
    if (candidate.stored) {
        const auto& certificate = candidate.stored->opened.certificate;
        call.terminal.field("  subject", to_text(certificate.subject));
        call.terminal.field("  issuer", to_text(certificate.issuer));
        call.terminal.field("  mailboxes", joined(candidate.stored->opened.mailboxes, ", ", "-"));
        call.terminal.field("  valid", to_rfc3339(certificate.not_before) + " to " + to_rfc3339(certificate.not_after));
    }
    call.terminal.field("  import key", record.provider_name + "/" + record.key_name);
    call.terminal.field("  signed", candidate.signature.state == importer::SignatureState::none
                                        ? "by nobody"
                                        : "by nobody who is trusted here: " + candidate.signature.reason);
    if (!candidate.reason.empty()) call.terminal.field("  refused", candidate.reason);
}

bool agreed(const Invocation& call) {
    call.environment.err << "Sign it? [y/N] " << std::flush;
    std::string answer;
    return static_cast<bool>(std::getline(std::cin, answer)) && (answer == "y" || answer == "Y" || answer == "yes");
}

Result<Candidate> look_at(Adopting& work, std::size_t index) {
    Candidate candidate;
    candidate.index = index;
    candidate.record = work.stored.list()[index].record;
    const auto refuse = [&](const std::string& why) {
        candidate.outcome = "refused";
        candidate.reason = why;
        return std::move(candidate);
    };
    auto whole = work.stored.read(index);
    if (!whole) {
        if (!work.stored.concerns_one(whole.error())) return whole.error();
        return refuse(whole.error().message);
    }
    candidate.record = std::move(*whole);
    const crypto::OpenSslCrypto crypto;
    candidate.signature = importer::check_signature(crypto, candidate.record, work.stored.trusted());
    if (candidate.signature.state == importer::SignatureState::good)
        return refuse("it is signed by a trusted importer after all; the service showed it without");
    auto opened = importer::open_stored(crypto, work.stored.opener(), work.stored.keys(), candidate.record,
                                        work.call.environment.now());
    if (!opened) return refuse(opened.error().message);
    candidate.stored = std::move(*opened);
    if (auto why = against(candidate, work.options); !why.empty()) return refuse(why);
    return candidate;
}

void ask(Adopting& work, Candidate& candidate) {
    if (!work.call.json) show(work.call, candidate);
    if (!candidate.outcome.empty()) return;
    if (work.options.yes)
        candidate.outcome = "adopted";
    else if (work.call.json)
        candidate.outcome = "wouldAdopt";
    else
        candidate.outcome = agreed(work.call) ? "adopted" : "declined";
}

// All of one user and purpose, so that each statement names the whole history.
Result<void> sign_all(Adopting& work, std::vector<Candidate>& candidates) {
    std::vector<Sha256> added;
    for (const Candidate& candidate : candidates)
        if (candidate.outcome == "adopted") added.push_back(candidate.stored->opened.certificate.sha256);
    if (added.empty()) return {};
    const auto& first = candidates.front().record;
    std::vector<std::string> signing;
    for (const Candidate& candidate : candidates)
        if (candidate.outcome == "adopted") signing.push_back(candidate.record.id);
    if (const auto whole = work.stored.may_sign_a_list(first.user_principal_name, first.purpose, signing); !whole) {
        for (Candidate& candidate : candidates) {
            if (candidate.outcome != "adopted") continue;
            candidate.outcome = "refused";
            candidate.reason = whole.error().message;
            if (!work.call.json) work.call.terminal.problem(candidate.record.thumbprint + ": " + candidate.reason);
        }
        return {};
    }
    const auto history =
        importer::history_with(work.stored.list(), first.user_principal_name, first.purpose, std::move(added));
    const auto newest = importer::newest_list(work.stored.list(), first.user_principal_name, first.purpose);
    const std::uint64_t sequence = sequence_after(newest ? newest->sequence : 0);
    const crypto::OpenSslCrypto crypto;
    for (Candidate& candidate : candidates) {
        if (candidate.outcome != "adopted") continue;
        if (auto done = importer::sign_record(crypto, candidate.record, candidate.stored->opened, work.signer, history,
                                              sequence, work.call.environment.now());
            !done)
            return done;
        auto kept = work.stored.replace(candidate.record);
        if (kept) continue;
        if (kept.error().kind != ErrorKind::conflict) return kept;
        candidate.outcome = "refused";
        candidate.reason = "it was changed while it was looked at: " + kept.error().message;
        if (!work.call.json) work.call.terminal.problem(candidate.record.thumbprint + ": " + candidate.reason);
    }
    return {};
}

void tell(Adopting& work, const Candidate& candidate) {
    work.refused = work.refused || candidate.outcome == "refused";
    auto row = record_json(candidate.record);
    if (candidate.stored) {
        const auto& certificate = candidate.stored->opened.certificate;
        row["sha256"] = certificate.sha256.hex();
        row["subject"] = to_text(certificate.subject);
        row["issuer"] = to_text(certificate.issuer);
        json::array mailboxes;
        for (const auto& mailbox : candidate.stored->opened.mailboxes) mailboxes.push_back(json::value(mailbox));
        row["mailboxes"] = std::move(mailboxes);
    }
    row["signed"] = std::string(importer::to_string(candidate.signature.state));
    row["outcome"] = candidate.outcome;
    row["reason"] = candidate.reason.empty() ? json::value() : json::value(candidate.reason);
    work.answers.push_back(std::move(row));
}

int adopt(const Invocation& call, const AdoptOptions& options) {
    if (!options.addresses.empty() && options.choice.user.empty())
        return call.fail_usage("--address is one person's: it needs --user");
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto signer = importer_signer(*settings);
    if (!signer) return call.fail(signer.error());
    if (!*signer)
        return call.fail(Error(ErrorKind::misconfigured, "notConfigured",
                               "importer.certificate and importer.key are needed to sign records"));
    const auto stored = StoredRecords::open(*settings, options.choice);
    if (!stored) return call.fail(stored.error());
    if (const auto learned = learn_signatures(call, **stored); !learned) return call.fail(learned.error());
    Adopting work{call, options, **stored, **signer, false, {}};
    std::size_t adopted = 0;
    for (const auto& group : (*stored)->groups()) {
        std::vector<Candidate> candidates;
        for (const std::size_t index : group) {
            const auto& listed = (*stored)->list()[index];
            if (listed.statement || !options.choice.holds(listed.record)) continue;
            auto candidate = look_at(work, index);
            if (!candidate) return call.fail(candidate.error());
            ask(work, *candidate);
            candidates.push_back(std::move(*candidate));
        }
        if (candidates.empty()) continue;
        if (const auto done = sign_all(work, candidates); !done) return call.fail(done.error());
        for (const Candidate& candidate : candidates) {
            if (candidate.outcome == "adopted") ++adopted;
            tell(work, candidate);
        }
    }
    const std::size_t looked_at = work.answers.size();
    if (call.json) {
        json::object answer;
        answer["certificates"] = std::move(work.answers);
        answer["adopted"] = adopted;
        call.terminal.json(answer);
    } else if (looked_at == 0) {
        call.terminal.line("nothing to adopt: a trusted importer signed every record");
    } else {
        call.terminal.line("");
        call.terminal.line(std::to_string(adopted) + " of " + std::to_string(looked_at) + " records signed");
    }
    return work.refused ? k_failed : k_done;
}

}  // namespace

void add_import_adopt_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<AdoptOptions>();
    auto* command = add_command(import_group, "adopt",
                                "opens records that no trusted importer has signed, shows what they hold, and signs "
                                "them as they are; --json without --yes only looks",
                                "pfx-connector import adopt --user alice@corp.example\n"
                                "pfx-connector import adopt --yes --json");
    add_record_options(*command, options->choice);
    command
        ->add_option("--address", options->addresses, "a mailbox that is the user's as well: an alias, a former name")
        ->expected(1)
        ->take_all();
    command->add_flag("--yes", options->yes, "signs without asking");
    chosen.on(command, [options](const Invocation& call) { return adopt(call, *options); });
}

}  // namespace connector::cli
