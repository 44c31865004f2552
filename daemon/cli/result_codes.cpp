#include "daemon/cli/result_codes.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>

namespace connector::cli {
namespace {

constexpr auto k_codes = std::to_array<ResultCode>({
    {"invalidRequest",
     "A field of the order is missing, wrong or too large, a variable in it has no value, or the "
     "order was changed under its id.",
     "no",
     "The message begins with a JSON pointer to the field. A fault of the service (or of a template "
     "typed into it): mend it there and order anew."},
    {"unsupported", "The order wants a kind, a format, a key type, a platform or a padding that is not known here.",
     "no", "Choose one of what the message names."},
    {"policyRefused", "The order goes beyond [policy], or names what nobody proves.", "no",
     "Right as it is, unless the policy is narrower than was meant: the message names the `[policy]` "
     "key or the name that nobody proves. `doctor --trust` shows what a wider one would let through."},
    {"recipientUntrusted", "The device's certificate is not of a CA of [recipients] ca_file, or is not fit to receive.",
     "no",
     "The device needs another certificate from a CA of `[recipients] ca_file`. If it has the right "
     "one, the service sent a wrong one: look who could."},
    {"recipientUnbound", "Nothing proves that the device is this user's.", "no",
     "Device certificate and user do not belong together. A mistake in the enrolment of the device, "
     "or somebody tries another's name."},
    {"recipientChanged", "A known device came with a new key or a new user, and nobody approved it in time.", "yes",
     "`requests list --stage held`, then `requests approve` in time; or order anew and approve."},
    {"approvalNeeded", "The order waited for a person until its time was over.", "yes", "As for recipientChanged."},
    {"limitReached", "The order waited above a limit of [limits] until its time was over.", "yes",
     "`limits show`; raise the limit in `[limits]` if the work is honest, then order anew."},
    {"authorityMisconfigured", "The authority or its template is not configured here, or it refuses our credential.",
     "yes",
     "Write the authority or the template into the configuration under exactly this name, or mend the "
     "credential; then order anew."},
    {"authorityRejected", "The authority said no.", "no",
     "The authority's own log says why; the message repeats its answer."},
    {"authorityUnreachable", "The authority could not be reached until the order's time was over.", "yes",
     "`doctor` shows which step fails; order anew when it works."},
    {"certificateMismatch", "The authority answered with a certificate that is not what was ordered.", "no",
     "The authority does not do what its template should. Its certificate was revoked where the authority allows that; "
     "mend the "
     "template."},
    {"importNotFound", "The store has no record of this user and purpose.", "no",
     "`import list --user UPN`; add what is missing with `import add`."},
    {"importUndecryptable",
     "A stored record's password or file does not open, or names an import key that is not configured "
     "here.",
     "where a key is missing here",
     "With a key named in it: configure `[import.NAME]`. Else `import verify --user UPN`, and import "
     "the file again."},
    {"importUnsigned", "A stored record is not signed by a trusted importer.", "no",
     "`import verify`, then `import adopt` after a look, or import again with a signer of `[importer] "
     "signers`."},
    {"importInvalid",
     "A stored record, or a file that is to be imported, is not fit: no MAC, beyond the limits of "
     "cost and size, two identities, a key that is not its certificate's, a purpose that cannot work, "
     "another person's address.",
     "no",
     "The message names what is wrong with the record or its file: export it anew, `import add "
     "--replace`."},
    {"withdrawn", "The service withdrew the order.", "no", "Nothing: the service withdrew the order."},
    {"abandoned", "An operator gave the order up.", "no", "Nothing: an operator ended it."},
    {"notIssuedHere", "A revocation was asked for that is not ours to make.", "no",
     "Only what this connector issued for this user and device can be revoked here; ask the "
     "authority."},
    {"internal", "A fault of the connector's own.", "mostly",
     "`requests show ID`, then the log around that time; a fault of the connector or of its storage."},
});

}  // namespace

std::span<const ResultCode> result_codes() noexcept {
    return k_codes;
}

const ResultCode* find_result_code(std::string_view code) noexcept {
    const auto* found = std::find_if(k_codes.begin(), k_codes.end(),
                                     [code](const ResultCode& known) { return ascii_equal(known.code, code); });
    return found == k_codes.end() ? nullptr : found;
}

}  // namespace connector::cli
