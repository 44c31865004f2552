// audit: the chain of decisions, checked with the sealing key against the head that the database remembers.
#include "config/credentials.hpp"
#include "daemon/audit_log.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/keys/sealer.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

// {sequence, link}, or nothing before the first line.
Result<std::optional<daemon::AuditHead>> head_of(const json::value& answer) {
    std::optional<daemon::AuditHead> head;
    const auto* object = answer.if_object();
    if (object == nullptr) return head;
    const auto* sequence = object->if_contains("sequence");
    const auto* link = object->if_contains("link");
    const bool readable = sequence != nullptr && sequence->is_number() && link != nullptr && link->is_string();
    const auto digest = readable ? Sha256::from_hex_text(std::string_view(link->get_string())) : std::nullopt;
    if (!digest) return Error(ErrorKind::internal, "internal", "the audit log's anchor cannot be read");
    head = daemon::AuditHead{sequence->to_number<std::uint64_t>(), *digest};
    return head;
}

json::array to_json(const std::vector<daemon::AuditFinding>& findings) {
    json::array rows;
    for (const auto& finding : findings) {
        json::object row;
        row["file"] = finding.file.string();
        row["line"] = finding.line;
        row["sequence"] = finding.sequence;
        row["text"] = finding.text;
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string place_of(const daemon::AuditFinding& finding) {
    return finding.file.string() + ":" + (finding.line == 0 ? std::string("end") : std::to_string(finding.line)) +
           ": " + finding.text;
}

int verify(const Invocation& call) {
    const auto settings = call.settings(config::Need::control);
    if (!settings) return k_usage;
    if (!settings->sealing.key)
        return call.fail(
            Error(ErrorKind::misconfigured, "notConfigured", "sealing.key is needed: the chain is keyed by it"));
    const auto key = config::read_sealing_key(*settings->sealing.key);
    if (!key) return call.fail(key.error());
    const auto sealer = keys::KeyedSealer::make(*key);
    if (!sealer) return call.fail(sealer.error());
    // The anchor first: lines that are added meanwhile only put the file ahead of it.
    const control::Answer told = call.environment.call(*settings, "audit.anchor", {});
    if (told.exit_code != k_done) {
        call.terminal.error(told.error);
        return told.exit_code;
    }
    const auto anchor = head_of(told.result);
    if (!anchor) return call.fail(anchor.error());
    const auto report = daemon::verify_audit(daemon::audit_files(settings->audit.file), **sealer, *anchor);
    if (!report) return call.fail(report.error());
    if (call.json) {
        json::object answer;
        answer["intact"] = report->intact();
        answer["lines"] = report->lines;
        answer["firstSequence"] = report->first_sequence;
        answer["lastSequence"] = report->head.sequence;
        answer["link"] = report->head.link.hex();
        answer["findings"] = to_json(report->findings);
        answer["notes"] = to_json(report->notes);
        call.terminal.json(answer);
    } else {
        for (const auto& note : report->notes) call.terminal.line("note: " + place_of(note));
        for (const auto& finding : report->findings) call.terminal.error(place_of(finding));
        call.terminal.line(std::to_string(report->lines) + " lines, numbers " + std::to_string(report->first_sequence) +
                           " to " + std::to_string(report->head.sequence) +
                           (report->intact() ? ": unbroken" : ": NOT what was written"));
    }
    return report->intact() ? k_done : k_fault_found;
}

}  // namespace

void add_audit_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "audit", "the audit log");
    chosen.on(add_command(*group, "verify",
                          "checks every line's link, and the last against the database; exit 3 where it is broken",
                          "pfx-connector audit verify"),
              verify);
}

}  // namespace connector::cli
