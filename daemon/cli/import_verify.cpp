// import verify: opens each stored record as the connector would, where the import key is.
#include "core/crypto/openssl_crypto.hpp"
#include "core/text.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct Verdict {
    bool usable = false;
    importer::SignatureState signature = importer::SignatureState::none;
    std::string code;
    std::string reason;
    std::vector<std::string> notes;
};

Verdict unusable(const importer::CheckedSignature& signature, const Error& error) {
    return {false, signature.state, error.code, error.message, {}};
}

Verdict judge_record(const trust::ImportedRecord& record, const StoredRecords& stored,
                     const trust::ImporterRules& rules, UtcTime now) {
    const crypto::OpenSslCrypto crypto;
    const auto signature = importer::check_signature(crypto, record, stored.trusted());
    const bool adopted = importer::is_adopted(stored.list(), record);
    // As the connector: nothing is opened that the signature does not allow.
    if (const auto against = importer::against_rule(signature, rules.signatures, adopted); !against.empty())
        return unusable(signature, Error(ErrorKind::refused, "importUnsigned", against));
    const auto opened = importer::open_stored(crypto, stored.opener(), stored.keys(), record, now);
    if (!opened) return unusable(signature, opened.error());
    if (signature.statement && rules.signatures != trust::SignatureRule::off) {
        if (const auto same = importer::check_statement(*signature.statement, opened->opened); !same)
            return unusable(signature, same.error());
    }
    Verdict verdict;
    verdict.usable = true;
    verdict.signature = signature.state;
    const auto& mailboxes = opened->opened.mailboxes;
    const bool by_name = std::any_of(mailboxes.begin(), mailboxes.end(), [&](const std::string& mailbox) {
        return ascii_equal(mailbox, record.user_principal_name);
    });
    if (!by_name && !mailboxes.empty()) {
        std::string all;
        for (const auto& mailbox : mailboxes) all += (all.empty() ? "" : ", ") + mailbox;
        verdict.notes.push_back("is for " + all + ": delivered where that is proved to be the user's address");
    }
    for (const std::string& reason : importer::reasons_to_upgrade(record, *opened))
        verdict.notes.push_back(reason + "; see import upgrade");
    return verdict;
}

int verify(const Invocation& call, const RecordChoice& choice) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto stored = StoredRecords::open(*settings, choice);
    if (!stored) return call.fail(stored.error());
    const auto& list = (*stored)->list();
    json::array answers;
    std::size_t bad = 0;
    Table table({"thumbprint", "usable", "signed", "user", "purpose", "why, or what to know"});
    table.keep_whole(1);
    {
        Progress progress(call.environment, list.size());
        for (std::size_t i = 0; i < list.size(); ++i) {
            progress.show(i, bad);
            if (!choice.holds(list[i].record)) continue;
            const auto record = (*stored)->read(i);
            if (!record && !(*stored)->concerns_one(record.error())) {
                progress.clear();
                return call.fail(record.error());
            }
            Verdict verdict;
            if (record) {
                verdict = judge_record(*record, **stored, settings->importer.rules, call.environment.now());
            } else {
                verdict.code = record.error().code;
                verdict.reason = record.error().message;
            }
            if (!verdict.usable) ++bad;
            std::string say = verdict.reason;
            json::array notes;
            for (const std::string& note : verdict.notes) {
                say += (say.empty() ? "" : "; ") + note;
                notes.push_back(json::value(note));
            }
            auto row = record_json(list[i].record);
            row["usable"] = verdict.usable;
            row["signed"] = std::string(importer::to_string(verdict.signature));
            row["code"] = verdict.code.empty() ? json::value() : json::value(verdict.code);
            row["reason"] = verdict.reason.empty() ? json::value() : json::value(verdict.reason);
            row["notes"] = std::move(notes);
            answers.push_back(std::move(row));
            table.add({list[i].record.thumbprint, verdict.usable ? "yes" : "NO",
                       std::string(importer::to_string(verdict.signature)), list[i].record.user_principal_name,
                       std::string(request::to_string(list[i].record.purpose)), say});
        }
    }
    const std::size_t looked_at = answers.size();
    if (call.json) {
        json::object answer;
        answer["certificates"] = std::move(answers);
        answer["unusable"] = bad;
        call.terminal.json(answer);
    } else if (table.empty()) {
        call.terminal.line("no imported certificate");
    } else {
        table.print(call.terminal);
        call.terminal.line(std::to_string(looked_at) + " opened, " + std::to_string(bad) + " of them unusable");
    }
    return bad == 0 ? k_done : k_fault_found;
}

}  // namespace

void add_import_verify_command(CLI::App& import_group, Chosen& chosen) {
    auto choice = std::make_shared<RecordChoice>();
    auto* command = add_command(import_group, "verify",
                                "opens each stored record with the import key, as the connector would; exit 3 if one "
                                "is unusable",
                                "pfx-connector import verify\n"
                                "pfx-connector import verify --user alice@corp.example --json");
    add_record_options(*command, *choice);
    chosen.on(command, [choice](const Invocation& call) { return verify(call, *choice); });
}

}  // namespace connector::cli
