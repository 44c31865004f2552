#!/usr/bin/python3
"""A certificate in somebody's name, for logging on, or out of a template of one's choice: AT-13 to 17, 19, 21, 23, 26, 44, 46, 52."""
import unittest
from typing import Any

from harness import Attack, Attacked, Json
from est_ca import EstCa

CHIEF = "chief@corp.example"
SID = "S-1-5-21-1004336348-1177238915-682003330-500"
CLIENT_AUTH, MAIL, ANY, SMART_CARD = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0", "1.3.6.1.4.1.311.20.2.2"
AGENT, PKINIT, RECOVERY, KRA = "1.3.6.1.4.1.311.20.2.1", "1.3.6.1.5.2.3.4", "1.3.6.1.4.1.311.10.3.4.1", "1.3.6.1.4.1.311.21.6"
SAN, SECOND = "/profile/subjectAltNames/0/value", "/profile/subjectAltNames/1"
NOT_HERS = "… not what the device certificate proves for carla@corp.example"


def asking(what: str, says: str, number: str, code: str = "policyRefused", event: str = "PKCS-1060", **profile: Any) -> Attack:
    return Attack(number, what, code, event, says, order="issue", evil=("rewrite", lambda room: {"set": {f"profile/{key}": value for key, value in profile.items()}}))


def claiming(what: str, says: str, number: str, code: str = "policyRefused", event: str = "PKCS-1060", **members: Any) -> Attack:
    """`members` with __ for /."""
    return Attack(number, what, code, event, says, order="issue",
                  evil=("rewrite", lambda room: {"set": {key.replace("__", "/"): value for key, value in members.items()}}))


def beside(kind: str, value: str) -> list[Json]:
    return [{"type": "email", "value": "{{EmailAddress}}"}, {"type": kind, "value": value}]


def purposes(what: str, oid: str) -> Attack:
    return asking(what, f"/profile/extendedKeyUsage: …{oid}…", "17", extendedKeyUsage=[MAIL, oid])


class Names(Attacked):
    """identity = "certificate", as in a shop whose device CA authenticates people. The order is the victim's own; the service rewrites it."""
    attacks = [
        Attack("13", "another person's mailbox", "policyRefused", "PKCS-1060", f"{SAN}: {CHIEF} is not a mailbox that …", order="issue",
               evil=("foreign-name", lambda room: {"mail": CHIEF})),
        asking("another's mailbox as E in the subject", f"/profile/subject: {CHIEF} is not a mailbox that …", "13", subject=f"CN=Carla Chief,E={CHIEF}"),
        asking("another's mailbox as E by its OID", f"/profile/subject: {CHIEF} is not …", "13", subject=f"CN=Carla Chief,1.2.840.113549.1.9.1={CHIEF}"),
        asking("the boss's name", '/profile/subject: CN is "Bea Boss", which …', "13", subject="CN=Bea Boss"),
        asking("the boss's name behind her own", "/profile/subject: CN is …", "13", subject="CN=Carla Chief,CN=Bea Boss"),
        asking("the boss's UID", '/profile/subject: UID is "bea", which …', "13", subject="UID=bea"),
        Attack("14", "a mail address that the proof does not know", "policyRefused", "PKCS-1060", f"/user/mail: used in {SAN}, but{NOT_HERS}", order="issue",
               evil=("wrong-mail", lambda room: {"user": room.mallory.json()})),
        claiming("a display name that the proof does not know", f"/user/displayName: used in /profile/subject, but{NOT_HERS}", "14",
                 profile__subject="CN={{DisplayName}}", user__displayName="Bea Boss"),
        claiming("a DN that the proof does not know", f"/user/onPremisesDistinguishedName: used in /profile/subject, but{NOT_HERS}", "14",
                 profile__subject="{{OnPrem_Distinguished_Name}}", user__onPremisesDistinguishedName="CN=Administrator,DC=corp"),
        Attack("15", "a logon's names", "policyRefused", "PKCS-1060", "/profile/subjectAltNames/0/type: [policy] allowed_san_types does not list upn",
               order="issue", evil=("logon-names", lambda room: {"upn": "administrator@corp.example"})),
        asking("a domain controller's name", f"{SECOND}/type: [policy] allowed_san_types does not list dns", "15",
               subjectAltNames=beside("dns", "dc1.corp.example")),
        claiming("the security identifier's extension", f"/user/onPremisesSecurityIdentifier: used in /profile/includeSecurityIdentifier, but{NOT_HERS}", "15",
                 profile__includeSecurityIdentifier=True, user__onPremisesSecurityIdentifier=SID),
        asking("the security identifier as a URI", f"{SECOND}/type: [policy] allowed_san_types does not list uri", "15",
               subjectAltNames=beside("uri", f"tag:microsoft.com,2022-09-14:sid:{SID}")),
        purposes("client authentication", CLIENT_AUTH), purposes("smart card logon", SMART_CARD), purposes("an enrolment agent", AGENT),
        purposes("a Kerberos client", PKINIT), purposes("file recovery", RECOVERY), purposes("key recovery", KRA), purposes("any purpose", ANY),
        asking("no extended key usage, which would mean any", "/profile/extendedKeyUsage: none is asked for, which would mean any", "17", extendedKeyUsage=[]),
        asking("a key that encrypts", "/profile/keyUsage: [policy] allowed_key_usages does not list keyEncipherment", "19", keyType="rsa2048",
               keyUsage=["digitalSignature", "keyEncipherment"]),
        asking("a key that agrees", "/profile/keyUsage: [policy] allowed_key_usages does not list keyAgreement", "19", keyUsage=["keyAgreement"]),
        asking("a CA's key usage", "/profile/keyUsage: keyCertSign is a certification authority's; …", "19", keyUsage=["keyCertSign"]),
        asking("a hundred years", "/profile/validityDays: …", "17", validityDays=36500),
        claiming("a device that is called like the boss", "/profile/subject: /device/name is a device's word and cannot stand in CN, …", "21",
                 profile__subject="CN={{DeviceName}}", device__name="Bea Boss"),
        claiming("a serial number that is the boss", "/device/serialNumber: used in /profile/subject, but not proved by …", "21",
                 profile__subject="O={{SerialNumber}}", device__serialNumber="Bea Boss"),
        Attack("23", "a revocation, ordered of a connector that does none", "unsupported", "MGT-6007", "/kind: certificate.revoke …", order="issue",
               evil=("revoke", lambda room: {"serialNumber": next(iter(room.certificates()))})),
        Attack("23", "the revocation of the issuing CA itself", "unsupported", "MGT-6007", "/kind: certificate.revoke …",
               evil=("revoke", lambda room: {"issuer": "CN=Lab Issuing CA Root", "serialNumber": "01"})),
        Attack("26", "a renewal over somebody else's certificate, of a connector that does none", "unsupported", "MGT-6007", "/kind: pkcs.renew …", order="issue",
               evil=("rewrite", lambda room: {"set": {"kind": "pkcs.renew", "previous": {"issuer": "CN=Lab Issuing CA",
                                                                                        "serialNumber": next(iter(room.certificates()))}}})),
        Attack("46", "an Apple profile with a mail host of the service's choice", "unsupported", "PKCS-1052", "/delivery/format: …", order="issue",
               evil=("rewrite", lambda room: {"set": {"delivery": {"format": "appleProfile", "apple": {
                   "payloadIdentifier": "x", "displayName": "<plist>", "scope": "user", "mail": {"incomingMailServerHostName": "evil.example"}}}}})),
        Attack("52", "a Windows package for a Linux machine", "unsupported", "MGT-6007", "/delivery/format: …", order="issue",
               evil=("rewrite", lambda room: {"set": {"delivery": {"format": "windowsCsp"}, "device/platform": "linux"}})),
        Attack("52", "a format that nobody knows", "unsupported", "MGT-6007", "/delivery/format: …", evil=("rewrite", lambda room: {
            "set": {"delivery": {"format": "plain"}}})),
    ]


class Ciphers(Attacked):
    """pkcs12_legacy = "never"; and a device that reads AES by its platform's table."""
    config = {"delivery": {"pkcs12_legacy": "never"}}
    attacks = [
        Attack("52", "an outdated cipher where the operator wants none", "policyRefused", "IMP-2052", "/delivery/pkcs12: …", evil=("rewrite", lambda room: {
            "set": {"delivery": {"format": "cms", "pkcs12": "legacy3des"}}})),
    ]


class Wide(Attacked):
    """Every type of alternative name allowed: what is in them is judged all the same."""
    config = {"policy": {"allowed_san_types": ["email", "upn", "uri", "dns"]}}
    attacks = [
        asking(what, f"{SECOND}/value: …", "15", subjectAltNames=beside("uri", value)) for what, value in (
            ("the security identifier as Microsoft writes it", f"tag:microsoft.com,2022-09-14:sid:{SID}"),
            ("the security identifier in capitals", f"TAG:Microsoft.COM,2022-09-14:SID:{SID}"),
            ("the security identifier percent-encoded", f"tag:%6Dicrosoft.com,2022-09-14%3Asid:{SID}"),
            ("a device's URI", "urn:device:d-1"), ("a mailbox as a URI", f"mailto:{CHIEF}"))
    ] + [
        asking("the administrator's UPN", f"{SECOND}/value: administrator@corp.example is not the user principal name …", "15",
               subjectAltNames=beside("upn", "administrator@corp.example")),
        claiming("the security identifier by its variable", f"/user/onPremisesSecurityIdentifier: used in {SECOND}/value, but{NOT_HERS}", "15",
                 profile__subjectAltNames=beside("uri", "{{OnPremisesSecurityIdentifier}}"), user__onPremisesSecurityIdentifier=SID),
    ]


class Domains(Attacked):
    """identity = "service": its word about people is taken, and still no mailbox outside the operator's domains is certified."""
    config = {"policy": {"identity": "service"}}
    attacks = [
        claiming(what, "/… …", "16", user__mail=mail) for what, mail in (
            ("a domain that only ends like ours", "carla@evilcorp.example"), ("a domain below ours", "carla@sub.corp.example"),
            ("a domain that ours is a part of", "carla@corp.example.evil.example"), ("a letter that looks like ours", "carla@c\u043erp.example"),
            ("an internationalised mailbox of another domain", "c\u00e4rla@evil.example"))
    ] + [
        claiming(what, "/… …", "16", code="invalidRequest", event="PKCS-1052", user__mail=mail) for what, mail in (
            ("a trailing dot", "carla@corp.example."), ("another mailbox in a quoted local part", '"carla@corp.example,chief"@evil.example'))
    ] + [
        asking("a literal mailbox of another domain", f"{SAN}: …", "16", subjectAltNames=[{"type": "email", "value": "carla@evilcorp.example"}]),
        asking("two mailboxes in one name", f"{SAN}: …", "16", "invalidRequest", "PKCS-1052",
               subjectAltNames=[{"type": "email", "value": "carla@corp.example,x@evil.example"}]),
    ]


def template(what: str, name: Any, code: str = "authorityMisconfigured", event: str = "PKCS-1052", authority: str = "est", says: str = "…") -> Attack:
    return Attack("44", f"{what} at {authority}", code, event, says, order="issue",
                  evil=("rewrite", lambda room: {"set": {"profile/authority": authority, "profile/template": name}}))


class Templates(Attacked):
    """The authority hears nothing of what the service says beside the alias: not one octet, where the alias is not the operator's."""
    attacks = [attack for authority in ("est", "corp") for attack in (
        template("an alias that nobody configured", "domain-controller", authority=authority),
        template("a path", "../../auth/token/create", authority=authority),
        template("a second attribute", "smime-signing;SAN:upn=administrator@corp.example", authority=authority),
        template("a query", "smime-signing?x=1", authority=authority),
        template("a line break", "smime-signing\r\nSAN:upn=administrator@corp.example", "invalidRequest", "MGT-6007", authority, "/profile/template: a control character"),
        template("a NUL", "smime-signing\0x", "invalidRequest", "MGT-6007", authority, "/profile/template: a control character"),
        template("another case", "SMIME-SIGNING", authority=authority))
    ] + [template("a path as the authority's name", "smime-signing", authority="../est")]

    @classmethod
    def prepare(cls) -> None:
        cls.ca = cls.enterClassContext(EstCa(cls.lab.directory / "est"))
        cls.connector.configure({"authority": {"est": cls.ca.authority()}})

    def run_attack(self, attack: Attack) -> None:
        since = len(self.ca.calls())
        super().run_attack(attack)
        self.assertEqual(self.ca.calls(since), [], "something reached the authority")


if __name__ == "__main__":
    unittest.main()
