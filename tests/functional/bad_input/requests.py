"""Requests that no honest service sends: of the wrong form, of unknown kinds, beyond the policy, in another's name."""
from __future__ import annotations

import base64
from typing import Any

from adversary import GONE, pki

from .table import UNREADABLE, Orders, Row, Table, field_row

SIGNING = "smime-signing"
CLIENT_AUTH, MAIL, ANY_EKU, SMART_CARD = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0", "1.3.6.1.4.1.311.20.2.2"
SID = "S-1-5-21-1004336348-1177238915-682003330-512"
CARLA = "carla@corp.example"
NASTY = 'Al, O=Evil+C=XX; "q" #1 = <x> \\2C'
ID = "not 1 to 128 of A-Z a-z 0-9 . _ : @ + -"
TIME = "not a time of the form 2026-11-23T12:00:00Z"
DAYS = "not a whole number from 1 to 36500"
BASE64 = "not base64 (standard alphabet, padded, no line breaks)"


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def certificate_with_line_break(room: Orders) -> dict[str, Any]:
    text = base64.b64encode(pki.cert_der(room.phone.certificate)).decode()
    return {"device/recipientCertificate": text[:64] + "\n" + text[64:]}


FORM = Table("A field of the wrong form", "invalidRequest", UNREADABLE, [
    field_row("kind", 7, "not a string"), field_row("kind", ["pkcs.issue"], "not a string"), field_row("createdAt", None, "missing"),
    field_row("createdAt", "yesterday", TIME), field_row("createdAt", "2026-01-01T00:00:00", TIME), field_row("createdAt", "2026-02-30T00:00:00Z", TIME),
    field_row("user", GONE, "missing"), field_row("user", None, "missing"), field_row("user", "alice", "not an object"), field_row("user", [], "not an object"),
    field_row("user/id", GONE, "missing"), field_row("user/id", 7, "not a string"), field_row("user/id", "", "empty"), field_row("user/id", "a b", ID),
    field_row("user/id", "a/../b", ID), field_row("user/id", "x" * 129, ID), field_row("user/userPrincipalName", GONE, "missing"),
    field_row("user/userPrincipalName", "", "empty"), field_row("user/userPrincipalName", 7, "not a string"), field_row("user/mail", {}, "not a string"),
    field_row("user/otherMails", "alice@corp.example", "not a list of strings"), field_row("user/otherMails", [7], "not a list of strings"),
    field_row("user/displayName", "x" * 4097, "longer than 4096 octets"), field_row("user/displayName", "bell \x07", "a control character"),
    field_row("user/displayName", "nul \x00 here", "a control character"), field_row("user/givenName", "line\nline", "a control character"),
    field_row("user/onPremisesSecurityIdentifier", "S-1-5-21-x", "not a security identifier (S-1-5-21-...)"),
    field_row("device", GONE, "missing"), field_row("device", 1, "not an object"), field_row("device/id", GONE, "missing"),
    field_row("device/id", "d" * 129, ID), field_row("device/id", "d\u00e9", ID), field_row("device/platform", GONE, "missing"),
    field_row("device/recipientCertificate", GONE, "missing"), field_row("device/recipientCertificate", "no base64!", BASE64),
    Row("`/device/recipientCertificate` with a line break", certificate_with_line_break, "/device/recipientCertificate: a control character"),
    field_row("device/recipientCertificate", base64.b64encode(bytes(6200)).decode(), "longer than 8192 octets"),
    field_row("device/binding", 1, "not a string"), field_row("device/keyChangeProof", "%%%%", BASE64),
    field_row("profile", GONE, "missing"), field_row("profile", "smime", "not an object"), field_row("profile/authority", GONE, "missing"),
    field_row("profile/authority", 1, "not a string"), field_row("profile/template", {}, "not a string"), field_row("profile/subject", GONE, "missing"),
    field_row("profile/subject", 7, "not a string"), field_row("profile/keyType", GONE, "missing"), field_row("profile/keyType", 2048, "not a string"),
    field_row("profile/keyUsage", "digitalSignature", "not a list of strings"),
    field_row("profile/keyUsage", ["everything"], '"everything" is not a key usage of RFC 5280'), field_row("profile/keyUsage", [], "empty"),
    field_row("profile/extendedKeyUsage", ["clientAuth"], "not dotted OIDs"), field_row("profile/extendedKeyUsage", MAIL, "not a list of strings"),
    field_row("profile/validityDays", "365", DAYS), field_row("profile/validityDays", 0, DAYS), field_row("profile/validityDays", -1, DAYS),
    field_row("profile/validityDays", 1.5, DAYS), field_row("profile/validityDays", 1e300, DAYS),
    field_row("profile/renewalThresholdPercent", 101, "not a whole number from 1 to 99"),
    field_row("profile/renewalThresholdPercent", -20, "not a whole number from 1 to 99"),
    field_row("profile/includeSecurityIdentifier", "no", "neither true nor false"), field_row("profile/subjectAltNames", {}, "not a list of objects"),
    field_row("profile/subjectAltNames", ["alice"], "not a list of objects"),
    field_row("profile/subjectAltNames", [{"type": "email", "value": "{{EmailAddress}}"}] * 21, "more than 20", what="21 `/profile/subjectAltNames`"),
    field_row("profile/subjectAltNames", [{"type": "ip", "value": "127.0.0.1"}], "neither email, upn, dns nor uri", at="/profile/subjectAltNames/0/type"),
    field_row("profile/subjectAltNames", [{"type": "email"}], "missing", at="/profile/subjectAltNames/0/value"),
    field_row("profile/subjectAltNames", [{"type": "email", "value": ""}], "empty", at="/profile/subjectAltNames/0/value"),
    field_row("delivery", "cms", "not an object"), field_row("delivery/format", 1, "not a string"),
    field_row("delivery/pkcs12", "rc4", "neither auto, aes256 nor legacy3des"),
    field_row("extra", nested(20), "nested deeper than 16", at="/extra" + "/0" * 13, what="nesting of 20"),
    field_row("extra", nested(900), "nested deeper than 16", at="/extra" + "/0" * 13, what="nesting of 900"),
    field_row("k" * 5000, 1, "a key over 4 KiB", at="…", what="a key of 5,000 characters"),
], note="A field that the contract does not know is ignored, and `null` is the same as left out. An element without a usable `id` cannot be answered: "
        "it is skipped, with the event MGT-6006.")

UNKNOWN = Table("What is not known here", "unsupported", UNREADABLE, [
    field_row("kind", "pkcs.mint", "pkcs.mint is not supported; pkcs.issue, pkcs.renew, …"), field_row("kind", "PKCS.ISSUE", "PKCS.ISSUE is not supported; …"),
    field_row("device/platform", "toaster", "toaster is not supported; ios, macos, android, windows or linux is"),
    field_row("profile/keyType", "rsa1024", "rsa1024 is not supported; rsa2048, rsa3072, rsa4096, ecP256 or ecP384 is"),
    field_row("profile/keyType", "ed25519", "ed25519 is not supported; …"),
    field_row("delivery/format", "zip", "zip is not supported; cms is, on windows windowsCsp, on ios and macos appleProfile"),
    field_row("delivery/format", "windowsCsp", "windowsCsp for ios is not supported; cms is, for any platform"),
])

def not_asked(kind: str) -> str:
    return f"/kind: {kind} was not asked for; [connector] kinds does not list it"


OLD = {"issuer": "CN=Lab Issuing CA", "serialNumber": "4f1c"}
NOT_ASKED = Table("A kind that was not asked for", "unsupported", UNREADABLE, [
    Row("`pkcs.renew`", {"kind": "pkcs.renew", "previous": OLD}, not_asked("pkcs.renew")),
    Row("`certificate.revoke`", {"kind": "certificate.revoke", "authority": "corp", "reason": "superseded", **OLD}, not_asked("certificate.revoke")),
])

IMPORTS_FORM = Table("An order for imports of the wrong form", "invalidRequest", UNREADABLE, [
    field_row("purpose", "everything", "neither smimeEncryption, smimeSigning, unassigned nor wifi"), field_row("purpose", GONE, "missing"),
    field_row("thumbprints", "all", "not a list of strings"), field_row("thumbprints", ["zz" * 20], "not 20 octets in hex"),
    field_row("thumbprints", ["ab"], "not 20 octets in hex"),
    field_row("delivery/format", "raw", "raw is not supported; …", code="unsupported"),
], base="deliver")

NO_IMPORTS = Table("A user without imports", "importNotFound", "IMP-2052", [
    Row("no record", {}, "the store has no smimeEncryption certificate for this user"),
    Row("a thumbprint that nobody has", {"thumbprints": ["ab" * 20]},
        "/thumbprints: the store has none of these as a smimeEncryption certificate for this user"),
    Row("another purpose", {"purpose": "wifi"}, "the store has no wifi certificate for this user"),
], base="deliver")

AUTHORITIES = Table("An authority or a template that is not configured", "authorityMisconfigured", "PKCS-1052", [
    field_row("profile/authority", "elsewhere", "no [authority.elsewhere] is configured"), field_row("profile/authority", "CORP", "no [authority.CORP] is configured"),
    field_row("profile/template", "domain-controller", 'authority "corp" has no template "domain-controller"'),
    field_row("profile/template", "../../" + SIGNING, f'authority "corp" has no template "../../{SIGNING}"'),
])


def subject(text: str, why: str) -> Row:
    return Row(f"`{text}`" if len(text) < 50 else f"`{text[:20]}…`", {"profile/subject": text}, f"/profile/subject: {why}")


BESIDE = "an attribute is missing beside a separator"
SUBJECTS = Table("A subject template that cannot be read or filled", "invalidRequest", "PKCS-1052", [
    subject("CN=A;O=B", "CN: ; must be written \\;"), subject("CN=A+CN=B", "CN stands twice in one RDN"),
    subject("CN=#0c0141", "CN: #hex values are not taken, write the value as text"), subject('CN="A', "CN: a quoted value without its closing quote"),
    subject('CN="A" B', "CN: text after a quoted value"), subject("CN=A\\00B", "CN holds a control character or is not UTF-8"),
    subject("CN=A\\", "CN: a backslash that escapes nothing"), subject("CN=", "CN has no value"), subject("=A", 'unknown attribute name ""'),
    subject("CN", '"CN" is not attribute=value (in a value \\, and \\+ are data)'), subject("Nope=A", 'unknown attribute name "Nope"'),
    subject("CN=A,", BESIDE), subject(",CN=A", BESIDE), subject("CN=A++O=B", BESIDE),
    subject("1.2.3.999999999999999999999999999x=A", "unknown attribute name …"), subject("CN={{Nope}}", "{{Nope}} is not a variable"),
    subject("CN={{GivenName}", "a {{ without its }}"), subject("CN={{IMEI}}", "{{IMEI}} has no value (device.imei)"), subject("CN={{}}", "{{}} is not a variable"),
    subject("OU={{OnPrem_Distinguished_Name}}", "{{OnPrem_Distinguished_Name}} stands for a whole subject and nothing else"),
    subject("C=DEU", "C is longer than 2 characters"), subject("CN=" + "x" * 65, "CN is longer than 64 characters"),
    subject("E=no mailbox", 'emailAddress: "no mailbox" is not a mailbox: it has no @'),
], note="In a template `+ ; , = \"` and a leading `#` are syntax; in the value of a variable they are data and never add an attribute or a name.")

PROVED = "the device certificate proves for alice@corp.example"
NOT_PROVED = f"not what {PROVED}"


def unproved(what: str, display_name: str) -> Row:
    return Row(f"`CN={{{{DisplayName}}}}`, {what}", {"profile/subject": "CN={{DisplayName}}", "user/displayName": display_name},
               f"/user/displayName: used in /profile/subject, but {NOT_PROVED}")


def named(what: str, text: str, says: str, **user: str) -> Row:
    return Row(what, {"profile/subject": text, **{key.replace("__", "/"): value for key, value in user.items()}}, says)


def san(what: str, *values: str, at: str, says: str) -> Row:
    return Row(what, {"profile/subject": "", "profile/subjectAltNames": [{"type": "email", "value": each} for each in values]}, f"{at}: {says}")


def not_a_mailbox(mailbox: str) -> str:
    return f"{mailbox} is not a mailbox that {PROVED}"


NAMES = Table("A name that is not the recipient's", "policyRefused", "PKCS-1060", [
    unproved("a value full of syntax", NASTY), unproved("another's name", "Carla Chief"), unproved("an attribute behind a comma", "Alice Smith,O=Evil"),
    unproved("an attribute behind a plus", "Alice Smith+UID=carla"), unproved("a value in hex", "#0c0141"),
    named("CN: another's name", "CN=Carla Chief", '/profile/subject: CN is "Carla Chief", which the device certificate does not prove for …'),
    named("CN: another's mailbox", f"CN={CARLA}", f"/profile/subject: {not_a_mailbox(CARLA)}"),
    named("CN: own name and another's", "CN=Alice Smith (Carla Chief)", '/profile/subject: CN is "Alice Smith (Carla Chief)", which …'),
    named("two CNs, one another's", "CN=Alice Smith,CN=Carla Chief", '/profile/subject: CN is "Carla Chief", which …'),
    named("UID", "UID=carla", '/profile/subject: UID is "carla", which …'), named("GN", "GN=Carla", '/profile/subject: givenName is "Carla", which …'),
    named("E", f"CN=Alice Smith,E={CARLA}", f"/profile/subject: {not_a_mailbox(CARLA)}"),
    named("E by its OID", f"CN=Alice Smith,1.2.840.113549.1.9.1={CARLA}", f"/profile/subject: {not_a_mailbox(CARLA)}"),
    named("O that is a mailbox", f"CN=Alice Smith,O={CARLA}", f"/profile/subject: {not_a_mailbox(CARLA)}"),
    named("givenName claimed", "CN={{GivenName}} {{SurName}}", f"/user/givenName: used in /profile/subject, but {NOT_PROVED}", user__givenName="Carla"),
    named("mail claimed", "CN={{GivenName}} {{SurName}}", f"/user/mail: used in /profile/subjectAltNames/0/value, but {NOT_PROVED}", user__mail=CARLA),
    san("SAN: another's mailbox", CARLA, at="/profile/subjectAltNames/0/value", says=not_a_mailbox(CARLA)),
    san("SAN: the second is another's", "{{EmailAddress}}", CARLA, at="/profile/subjectAltNames/1/value", says=not_a_mailbox(CARLA)),
    san("SAN: a foreign domain", "alice@evil.example", at="/profile/subjectAltNames/0/value", says=not_a_mailbox("alice@evil.example")),
    named("CN: the device's name", "CN={{DeviceName}}", "/profile/subject: /device/name is a device's word and cannot stand in CN, a person's name",
          device__name="Carla Chief"),
    named("CN: the device's name beside the person's", "CN=Alice Smith {{DeviceName}}", "/profile/subject: /device/name is a device's word and …",
          device__name="x"),
    named("O: the device's serial number", "O={{SerialNumber}}", "/device/serialNumber: used in /profile/subject, but not proved by the device certificate",
          device__serialNumber="1"),
    named("the whole subject claimed", "{{OnPrem_Distinguished_Name}}", f"/user/onPremisesDistinguishedName: used in /profile/subject, but {NOT_PROVED}",
          user__onPremisesDistinguishedName="CN=Carla Chief,DC=corp"),
    san("no name at all", at="/profile/subjectAltNames", says="emailProtection needs an email name"),
])


def asked(what: str, says: str, **profile: Any) -> Row:
    return Row(what, {f"profile/{key}": value for key, value in profile.items()}, f"/profile/{says}")


def beside_mail(kind: str, value: str, says: str, what: str = "", **more: Any) -> Row:
    return Row(what or f"SAN {kind} `{value}`",
               {"profile/subjectAltNames": [{"type": "email", "value": "{{EmailAddress}}"}, {"type": kind, "value": value}], **more}, says)


def lists_no(kind: str) -> str:
    return f"/profile/subjectAltNames/1/type: [policy] allowed_san_types does not list {kind}"


POLICY = Table("Beyond the policy", "policyRefused", "PKCS-1060", [
    beside_mail("dns", "dc1.corp.example", lists_no("dns")), beside_mail("uri", "urn:device:d-1", lists_no("uri")),
    beside_mail("upn", "administrator@corp.example", lists_no("upn")), beside_mail("upn", "{{UserPrincipalName}}", lists_no("upn")),
    asked("clientAuth", f"extendedKeyUsage: [policy] allowed_extended_key_usages does not list {CLIENT_AUTH}", extendedKeyUsage=[MAIL, CLIENT_AUTH]),
    asked("smart card logon", f"extendedKeyUsage: [policy] allowed_extended_key_usages does not list {SMART_CARD}", extendedKeyUsage=[MAIL, SMART_CARD]),
    asked("any extended key usage", f"extendedKeyUsage: {ANY_EKU} is any purpose; no policy lets it pass", extendedKeyUsage=[ANY_EKU]),
    asked("no extended key usage", "extendedKeyUsage: none is asked for, which would mean any", extendedKeyUsage=[]),
    asked("keyAgreement", "keyUsage: [policy] allowed_key_usages does not list keyAgreement", keyUsage=["digitalSignature", "keyAgreement"]),
    asked("keyEncipherment", "keyUsage: [policy] allowed_key_usages does not list keyEncipherment", keyType="rsa2048", keyUsage=["keyEncipherment"]),
    asked("keyCertSign", "keyUsage: keyCertSign is a certification authority's; no policy lets it pass", keyUsage=["digitalSignature", "keyCertSign"]),
    asked("825 days", "validityDays: 825 days; [policy] max_validity_days is 824", validityDays=825),
    asked("a century", "validityDays: 36500 days; [policy] max_validity_days is 824", validityDays=36500),
    Row("the security identifier", {"profile/includeSecurityIdentifier": True, "user/onPremisesSecurityIdentifier": SID},
        f"/user/onPremisesSecurityIdentifier: used in /profile/includeSecurityIdentifier, but {NOT_PROVED}"),
])

AT = "/profile/subjectAltNames/1/value"
WIDE_CONFIG = {"policy": {"allowed_san_types": ["email", "upn", "uri", "dns"]}, "connector": {"kinds": ["pkcs.issue"]}}
ALL_SAN_TYPES = Table("With every SAN type allowed", "policyRefused", "PKCS-1060", [
    beside_mail("uri", f"tag:microsoft.com,2022-09-14:sid:{SID}", f"{AT}: [policy] allow_security_identifier does not permit it", "the security identifier"),
    beside_mail("uri", f"TAG:Microsoft.COM,2022-09-14:SID:{SID}", f"{AT}: a security identifier in a form that is not Microsoft's", "… in capitals"),
    beside_mail("uri", f"tag:%6Dicrosoft.com,2022-09-14%3Asid:{SID}", f"{AT}: a security identifier in a form that is not Microsoft's", "… percent-encoded"),
    beside_mail("uri", "{{OnPremisesSecurityIdentifier}}", f"/user/onPremisesSecurityIdentifier: used in {AT}, but {NOT_PROVED}", "… by its variable",
                **{"user/onPremisesSecurityIdentifier": SID}),
    beside_mail("uri", "urn:device:d-1", f"{AT}: it names a device"), beside_mail("uri", "URN:Device:d-1", f"{AT}: it names a device"),
    beside_mail("uri", f"mailto:{CARLA}", f"{AT}: {not_a_mailbox(CARLA)}"),
    beside_mail("uri", "mailto:carla%40corp.example", f"{AT}: {not_a_mailbox(CARLA)}"),
    beside_mail("upn", "administrator@corp.example", f"{AT}: administrator@corp.example is not the user principal name that the device certificate proves"),
], config=WIDE_CONFIG)
ALL_SAN_TYPES_FORM = Table("With every SAN type allowed: names that are none", "invalidRequest", "PKCS-1052", [
    beside_mail("dns", "dc 1.corp.example", f'{AT}: "dc 1.corp.example" is not a domain: a character that no domain has'),
    beside_mail("uri", "no uri", f"{AT}: not a URI with a scheme"),
], config=WIDE_CONFIG)


CERTIFICATE = "/device/recipientCertificate"
LIES = [
    Table("A service that lies about people and devices", "recipientUnbound", "KEY-4002", [
        Row("another's phone", {}, "/user/userPrincipalName: the device certificate names mallory@corp.example, not alice@corp.example",
            evil=("wrong-recipient", lambda room: {"device": room.mallorys_phone.json()})),
        Row("the right device id over another's certificate", {}, f'{CERTIFICATE}: it names the device "d-mallory-…", not /device/id', "recipientUntrusted",
            ("wrong-recipient-certificate", lambda room: {"device": room.mallorys_phone.json()})),
        Row("another's name over one's own phone", {}, "/user/userPrincipalName: the device certificate names alice@corp.example, not mallory@corp.example",
            evil=("wrong-user", lambda room: {"user": room.mallory.json()})),
        Row("the user claimed", {"user/userPrincipalName": "administrator@corp.example"},
            "/user/userPrincipalName: the device certificate names alice@corp.example, not administrator@corp.example"),
    ]),
    Table("A service that asks for more than it should", "policyRefused", "PKCS-1060", [
        Row("another's mail", {}, f"/user/mail: used in /profile/subjectAltNames/0/value, but {NOT_PROVED}",
            evil=("wrong-mail", lambda room: {"user": room.mallory.json()})),
        Row("the chief's mailbox", {}, f"/profile/subjectAltNames/0/value: {not_a_mailbox('chief@corp.example')}",
            evil=("foreign-name", lambda room: {"mail": "chief@corp.example"})),
        Row("a logon's extended key usage", {}, f"/profile/extendedKeyUsage: [policy] allowed_extended_key_usages does not list {SMART_CARD}",
            evil=("logon-eku", lambda room: {})),
        Row("a logon's names", {}, "/profile/subjectAltNames/0/type: [policy] allowed_san_types does not list upn", evil=("logon-names", lambda room: {})),
    ]),
]


def flawed(flaw: str, base: str = "issue") -> Any:
    return lambda room: {"device": room.lab.device(room.alice, flaw=flaw, key_kind="ecP256").json()}


def own(room: Any) -> dict[str, Any]:
    return {CERTIFICATE[1:]: base64.b64encode(pki.cert_der(room.held().certificate)).decode()}


def own_key(room: Any) -> dict[str, Any]:
    certified = pki.issue_device(room.lab.pki, room.phone.id, room.alice.upn, room.held().certificate.public_key(), given_name="Alice", surname="Smith")
    return {CERTIFICATE[1:]: base64.b64encode(pki.cert_der(certified)).decode()}


def octets(change: Any) -> Any:
    return lambda room: {CERTIFICATE[1:]: base64.b64encode(change(pki.cert_der(room.phone.certificate))).decode()}


ISSUER, ONE_URI = "no certificate of [recipients] ca_file is its direct issuer", "it does not name its device by exactly one URI urn:device:…"
ONE_NAME, OTHER = "it does not name its device by exactly one name: it has several common names", 'it names the device "d-other", not /device/id'


def device(flaw: str, why: str, what: str = "") -> Row:
    return Row(what or flaw.replace("-", " "), flawed(flaw), f"{CERTIFICATE}: {why}")


UNTRUSTED = [
    device("expired", "it expired at …"), device("not-yet-valid", "it is not valid before …"), device("foreign-ca", ISSUER, "of a foreign CA"),
    device("sub-ca", ISSUER, "of a CA below the device CA"), device("other-device", OTHER, "for another device"), device("two-uris", ONE_URI, "for two devices"),
    device("two-names", ONE_NAME, "for two devices, in URIs and common names"), device("two-cns", ONE_NAME, "two common names"),
    device("uri-prefix", 'it names the device "…x", not /device/id', "a device id that only begins like it"), device("uri-suffix", ONE_URI, "a URI that only ends like it"),
    device("no-name", ONE_URI, "for no device"), device("rsa1024", "RSA with 1024 bits; 2048 to 4096 are taken", "RSA-1024"),
    device("sha1", "it is signed with …, which can be forged; the device's authority has to sign with SHA-256 or better", "signed with SHA-1"),
    device("smime", "it is a mail certificate (emailProtection)", "an S/MIME certificate"),
    device("client-and-smime", "it is a mail certificate (emailProtection)", "for clients and S/MIME"),
    device("any-eku", "it is for any purpose (anyExtendedKeyUsage)", "for any purpose"), device("no-eku", "it has none of [recipients] required_eku", "no extended key usage"),
    device("is-ca", "it is a certification authority", "a CA"), device("sign-only", "its keyUsage lacks keyAgreement", "for signing only"),
    Row("junk", octets(lambda der: b"junk"), f"{CERTIFICATE}: certificate: not DER, or octets after it"),
    Row("octets after it", octets(lambda der: der + b"\0"), f"{CERTIFICATE}: certificate: not DER, or octets after it"),
    Row("half of it", octets(lambda der: der[:len(der) // 2]), f"{CERTIFICATE}: certificate: not DER, or octets after it"),
    Row("the id of another device beside it", {"device/id": "d-other"}, f'{CERTIFICATE}: it names the device "d-alice-…", not /device/id'),
    Row("an S/MIME certificate of our own making", own, f"{CERTIFICATE}: it is a mail certificate (emailProtection)"),
    Row("a good one over a key of our own making", own_key, f"{CERTIFICATE}: its key was made or certified by this connector"),
]
UNBOUND = [
    Row("of another user", flawed("other-user"), "/user/userPrincipalName: the device certificate names mallory@corp.example, not alice@corp.example", "recipientUnbound"),
    Row("of no user", flawed("no-user"), "/user/userPrincipalName: the device certificate does not name its user by exactly one UPN", "recipientUnbound"),
]
DEVICES = Table("A device certificate", "recipientUntrusted", "KEY-4002", [*UNTRUSTED, *UNBOUND])
DEVICES_FOR_IMPORTS = Table("A device certificate, when imports are ordered", "recipientUntrusted", "KEY-4002", [*UNTRUSTED, *UNBOUND], base="deliver")

TABLES = [FORM, UNKNOWN, NOT_ASKED, IMPORTS_FORM, NO_IMPORTS, AUTHORITIES, SUBJECTS, NAMES, POLICY, *LIES, DEVICES, DEVICES_FOR_IMPORTS]
KINDS = Table('With `kinds = ["pkcs.issue"]`', "unsupported", UNREADABLE, [
    Row("`pfx.deliver`", {}, not_asked("pfx.deliver")),
    # Somebody else's: the service itself ends the open requests of whom a withdrawal names.
    Row("`pfx.withdraw`", lambda room: {"kind": "pfx.withdraw", "reason": "unenrolled", "user": room.mallory.json(), "device": room.mallorys_phone.json()},
        not_asked("pfx.withdraw")),
], base="deliver", config=WIDE_CONFIG)
WIDE_TABLES = [ALL_SAN_TYPES, ALL_SAN_TYPES_FORM, KINDS]
