#include "core/printable.hpp"
#include "daemon/audit_line.hpp"
#include "daemon/audit_log.hpp"

#include <fstream>

namespace connector::daemon {
namespace {

namespace fs = std::filesystem;

class Verification {
public:
    Verification(const ports::Sealer& sealer, const std::optional<AuditHead>& anchor)
        : sealer_(sealer), anchor_(anchor) {}

    Result<void> read(const fs::path& file) {
        file_ = file;
        line_ = 0;
        std::ifstream stream(file, std::ios::binary);
        if (!stream.is_open())
            return Error(ErrorKind::unavailable, "auditUnreadable", printable(file.string()) + " cannot be read");
        for (std::string text; std::getline(stream, text);) {
            ++line_;
            look_at(text);
        }
        if (stream.bad())
            return Error(ErrorKind::unavailable, "auditUnreadable",
                         printable(file.string()) + " cannot be read to its end");
        return {};
    }

    AuditReport finish() {
        if (unread_ != 0)
            note(unread_at_,
                 "the last line is only half there: the process or the machine was stopped while writing it");
        line_ = 0;
        if (anchor_ && anchor_->sequence > report_.head.sequence)
            find(report_.head.sequence, "the end is missing: lines " + std::to_string(report_.head.sequence + 1) +
                                            " to " + std::to_string(anchor_->sequence) + " had been written");
        else if (anchor_ && anchor_->sequence != 0 && !anchor_met_ && anchor_->sequence >= report_.first_sequence)
            find(anchor_->sequence, "line " + std::to_string(anchor_->sequence) + " is not the one that was written");
        return std::move(report_);
    }

private:
    void find(std::uint64_t sequence, std::string text) {
        report_.findings.push_back({file_, line_, sequence, std::move(text)});
    }
    void note(std::uint64_t line, std::string text) { report_.notes.push_back({file_, line, 0, std::move(text)}); }

    void look_at(const std::string& text) {
        const auto line = parse_audit_line(text);
        if (!line) {
            // Told when the next line shows what it was: half a line of a crash, or one that was garbled.
            if (!text.empty()) {
                ++unread_;
                unread_at_ = line_;
            }
            return;
        }
        ++report_.lines;
        const std::uint64_t expected = report_.head.sequence + 1;
        const bool first = report_.lines == 1;
        if (audit_link_of(sealer_, line->previous, line->content) != line->link)
            find(line->sequence, "the line was changed, or was not written by us");
        if (first) {
            report_.first_sequence = line->sequence;
            if (line->sequence != 1)
                find(line->sequence, "the log begins with line " + std::to_string(line->sequence) +
                                         ": what came before is elsewhere, or gone");
            else if (line->previous != Sha256{})
                find(line->sequence, "the first line goes on from another one");
        } else if (line->sequence > expected) {
            find(line->sequence, line->sequence == expected + 1
                                     ? "line " + std::to_string(expected) + " is missing"
                                     : "lines " + std::to_string(expected) + " to " +
                                           std::to_string(line->sequence - 1) + " are missing");
        } else if (line->sequence < expected) {
            find(line->sequence,
                 "the line stands in the wrong place: it comes after line " + std::to_string(report_.head.sequence));
        } else if (line->previous != report_.head.link) {
            find(line->sequence,
                 "it does not go on from line " + std::to_string(report_.head.sequence) + ", which was replaced");
        } else if (unread_ != 0) {
            note(unread_at_, "half a line of a crash; nothing is missing");
        }
        unread_ = 0;
        if (anchor_ && line->sequence == anchor_->sequence && line->link == anchor_->link) anchor_met_ = true;
        // A moved line must not pull the count back with it: those after it are where they belong.
        if (first || line->sequence >= expected) report_.head = {line->sequence, line->link};
    }

    const ports::Sealer& sealer_;
    const std::optional<AuditHead>& anchor_;
    AuditReport report_;
    fs::path file_;
    std::uint64_t line_ = 0;
    std::uint64_t unread_ = 0;
    std::uint64_t unread_at_ = 0;
    bool anchor_met_ = false;
};

}  // namespace

Result<AuditReport> verify_audit(const std::vector<fs::path>& files, const ports::Sealer& sealer,
                                 const std::optional<AuditHead>& anchor) {
    Verification verification(sealer, anchor);
    for (const auto& file : files)
        if (const auto read = verification.read(file); !read) return read.error();
    return verification.finish();
}

}  // namespace connector::daemon
