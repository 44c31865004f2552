#!/usr/bin/python3
"""The main job before one's eyes: mail signed, old mail opened on two devices, two attacks refused.

Started by tests/demo, which builds the program first. Ends with a table of what happened; a step that fails ends it with 1.
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import mail
import pfx
import pki
from device import Device, Held
from lab import Connector, Lab, User

BODY = b"Dear Carla,\n\nthe figures are attached.\n\nAlice\n"


@dataclass
class Story:
    """What is told while it happens, and the table at the end."""
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    colour: bool = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def chapter(self, title: str) -> None:
        print(f"\n\033[1m{title}\033[0m" if self.colour else f"\n{title}", flush=True)

    def tell(self, what: str, how: str, good: bool, why: str = "") -> None:
        mark = "ok" if good else "FAILED"
        self.rows.append((what, how, mark))
        print(f"  {'✓' if good else '✗'} {what} ({how})", flush=True)
        if not good:
            print(why[-2000:], file=sys.stderr)
            raise SystemExit(f"demo: {what}: failed")

    def table(self) -> None:
        self.chapter(f"What happened, in {time.monotonic() - self.began:.0f} seconds")
        widths = [max(len(row[i]) for row in self.rows) for i in range(3)]
        for row in self.rows:
            print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)))


def import_history(lab: Lab, connector: Connector, user: User, story: Story) -> list[pki.Identity]:
    """Three certificates of different years, uploaded with the connector's own tool; the first has long expired."""
    identities = [pki.corporate_certificate(lab.pki, user.upn, year) for year in (2018, 2022, 2025)]
    for identity, form in zip(identities, ("3des", "aes256", "aes256")):
        year = identity.certificate.not_valid_before.year
        file = lab.directory / f"{user.given_name}-{year}.pfx"
        file.write_bytes(pfx.export(identity, f"human password {year}", form))
        password = pki.write(lab.directory / f"{year}.password", f"human password {year}".encode(), private=True)
        done = connector.command("import", "add", file, "--user", user.upn, "--purpose", "smimeEncryption", "--key", "ImportKey1",
                                 "--password-file", password)
        expired = " expired" if identity.certificate.not_valid_after.year <= 2025 else ""
        story.tell(f"imported {user.given_name}'s certificate of {year}{expired}", "pfx-connector import add", done.returncode == 0,
                   done.stdout + done.stderr)
    return identities


def sign_everywhere(lab: Lab, root: Path, people: list[tuple[User, list[Device]]], story: Story) -> Held:
    orders = [(user, device, lab.issue(user, device)) for user, devices in people for device in devices]
    for user, device, order in orders:
        opened = lab.open(device, order)
        story.tell(f"{device.id} got a signing certificate of its own", f"RSA-2048 for {user.upn}", len(opened.identities) == 1)
        message = lab.directory / f"{device.id}.signed.eml"
        mail.sign(opened.identities[0], BODY, message)
        verified = mail.verify(message, root, user.upn)
        story.tell(f"mail signed on {device.id} verifies", "openssl cms -verify -verify_email", verified.good, verified.text)
        changed = message.with_suffix(".changed")
        changed.write_bytes(message.read_bytes().replace(b"figures", b"fingers"))
        story.tell("the same mail with a changed body does not", "openssl cms -verify", not mail.verify(changed, root, user.upn).good)
    return opened.identities[0]


def open_old_mail(lab: Lab, user: User, devices: list[Device], identities: list[pki.Identity], story: Story) -> list[Held]:
    letters = {}
    for identity in identities:
        year = identity.certificate.not_valid_before.year
        certificate = pki.write(lab.directory / f"{year}.crt", pki.cert_pem(identity.certificate))
        letters[year] = lab.directory / f"{year}.encrypted.eml"
        mail.encrypt(certificate, f"A letter of {year}.\n".encode(), letters[year])
    held: list[Held] = []
    for device in devices:
        opened = lab.open(device, lab.deliver(user, device))
        held = opened.identities
        for year, letter in letters.items():
            texts = [text for text in (mail.decrypt(identity, letter) for identity in opened.identities) if text]
            story.tell(f"mail of {year} opens on {device.id}", "openssl cms -decrypt", texts == [f"A letter of {year}.\n".encode()], str(texts))
    return held


def other_programs(lab: Lab, root: Path, user: User, modern: Held, signing: Held, story: Story) -> None:
    nss = mail.Nss(lab.directory / "nss")
    nss.trust(root)
    said = nss.import_pfx(modern)
    story.tell("the delivered PFX opens in NSS", "pk12util", said.good and nss.keys() == 1, said.text)
    place, signed = Path(signing.directory), lab.directory / "signed.p7m"
    mail.run(["openssl", "cms", "-sign", "-binary", "-nodetach", "-signer", place / "certificate.pem", "-inkey", place / "key.pem",
              "-certfile", place / "chain.pem", "-md", "sha256", "-outform", "DER", "-out", signed], stdin=BODY)
    said = nss.verify(signed)
    story.tell("a signature made with the delivered identity is good in NSS", "cmsutil -D", "GoodSignature" in said.text, said.text)
    changed = signed.with_suffix(".changed")
    changed.write_bytes(signed.read_bytes().replace(b"figures", b"fingers"))
    story.tell("with a changed body it is not", "cmsutil -D", "GoodSignature" not in nss.verify(changed).text)
    said = mail.gnutls_info(modern)
    story.tell("the delivered PFX opens in GnuTLS", "certtool --p12-info", said.good and "BEGIN" in said.text, said.text)
    old = Device.create(lab.pki, lab.directory / "devices" / "old-phone", "d-alice-old-phone", user.upn, platform="ios", os_version="16.7",
                        given_name=user.given_name, surname=user.surname)
    legacy = lab.open(old, lab.issue(user, old)).identities[0]
    gpgsm = mail.Gpgsm(lab.directory / "gpgsm")
    try:
        gpgsm.trust(root)
        said = gpgsm.import_pfx(legacy)
        story.tell("the PFX for an old phone is 3DES, and gpgsm 2.2 takes the identity", "chosen for iOS 16",
                   said.good and any("3DES" in each or "Triple" in each for each in legacy.algorithms), said.text + str(legacy.algorithms))
    finally:
        gpgsm.close()


def attacks(lab: Lab, alice: User, bob: User, bobs_phone: Device, connector: Connector, story: Story) -> None:
    error = lab.error(lab.deliver(alice, bobs_phone))
    story.tell("the service asks for Alice's mail keys to Bob's phone: refused", error["code"], error["code"] == "recipientUnbound", str(error))
    error = lab.error(lab.issue(bob, bobs_phone, sans=(("email", "carla.chief@corp.example"),)))
    story.tell("the service asks for a certificate in Carla Chief's name: refused", error["code"], error["code"] == "policyRefused", str(error))
    verified = connector.command("audit", "verify")
    refusals = [line for line in connector.audit() if "recipientUnbound" in line or "policyRefused" in line]
    story.tell("both stand in the audit log, whose chain is whole", "pfx-connector audit verify", verified.returncode == 0 and len(refusals) >= 2,
               verified.stdout + verified.stderr)


def main() -> int:
    story = Story()
    # It stays, so that "where to look next" can be looked at.
    place = Path(tempfile.mkdtemp(prefix="pfx-connector-demo-"))
    with Lab(place / "lab", keep=True) as lab:
        story.chapter("A management service, a device CA, an embedded CA for corp.example, and an enrolled connector")
        with lab.connector(start=False, name="connector") as connector:
            connector.start()
            root = Path(connector.settings["authority"]["corp"]["directory"]) / "root.crt"
            story.tell("the connector is enrolled and ready", "pfx-connector enroll, run", connector.health("/readyz")[0] == 200)
            alice, bob = lab.user("alice"), lab.user("bob", "Brown")
            people = {user.upn: [lab.device(user, f"d-{user.given_name.lower()}-iphone", platform="ios", os_version="18.1"),
                                 lab.device(user, f"d-{user.given_name.lower()}-laptop", platform="windows", os_version="10.0.22631")]
                      for user in (alice, bob)}
            story.chapter("Signing: each device gets a certificate of its own, asked for now")
            signing = sign_everywhere(lab, root, [(alice, people[alice.upn]), (bob, people[bob.upn])], story)
            story.chapter("Encryption: the whole history of Alice's certificates, on each of her devices")
            identities = import_history(lab, connector, alice, story)
            held = open_old_mail(lab, alice, people[alice.upn], identities, story)
            story.chapter("Programs that are not ours")
            other_programs(lab, root, alice, held[-1], signing, story)
            story.chapter("The service lies")
            attacks(lab, alice, bob, people[bob.upn][0], connector, story)
            lab.check_clean()
            connector.wait_until(lambda: not any(json.loads(connector.health("/healthz")[1])["queue"].values()), 15, "an empty queue")
            health = json.loads(connector.health("/healthz")[1])
            story.chapter("The connector's health")
            print(json.dumps(health, indent=2))
            code = connector.terminate()
            story.tell("the connector drained and ended", "SIGTERM", code == 0, connector.tail())
    story.table()
    story.chapter("Where to look next")
    print(f"  {connector.log_file}  what the connector wrote\n  {connector.audit_file}  what it decided\n  {connector.config_file}  how it is configured")
    print("  docs/first-hour.md   how to set it up on your own CA\n  docs/openapi.json  what it says to a management service")
    return 0


if __name__ == "__main__":
    sys.exit(main())
