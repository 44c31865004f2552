#!/usr/bin/python3
"""docs/first-hour.md, done as it stands: every block marked `sh`, in order, in one shell, on a machine of its own.

The machine is a mount, process and network namespace: the document's paths and ports are used as they are and nothing of
this one is touched.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from cryptography import x509  # noqa: E402
from lab import find_program  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
DOCUMENT = TOP / "docs" / "first-hour.md"

# $1: the program, $2: the script, $3: where to leave what the test looks at.
MACHINE = r"""
set -e
ip link set lo up
cp -a /etc "$3/etc"
rm -rf "$3/etc/pfx-connector"
mount --bind "$3/etc" /etc
for place in /var/lib /var/log /run /usr/local/sbin; do mount -t tmpfs -o mode=0755 none "$place"; done
install -m 0755 "$1" /usr/local/sbin/pfx-connector
status=0
bash "$2" || status=$?
[ ! -d /var/lib/pfx-connector ] || cp -a /var/lib/pfx-connector "$3/state"
[ ! -d /var/log/pfx-connector ] || cp -a /var/log/pfx-connector "$3/log"
exit $status
"""


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)


class FirstHour(unittest.TestCase):
    def test_from_nothing_to_a_first_delivery(self) -> None:
        if os.geteuid() != 0 or subprocess.run(["unshare", "-mnpf", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("a machine of its own needs root and namespaces")
        place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="pfx-first-hour-")))
        (place / "home").mkdir()
        script = place / "script.sh"
        steps = blocks()
        self.assertGreater(len(steps), 8)
        told = "".join(f"echo '== block {number}' >&2\n{text}" for number, text in enumerate(steps, 1))
        script.write_text(f"set -euo pipefail\ncd {TOP}\n{told}")
        environment = {**os.environ, "HOME": str(place / "home"), "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "NO_COLOR": "1"}
        done = subprocess.run(["unshare", "-mnpf", "--kill-child", "--mount-proc", "bash", "-c", MACHINE, "bash", str(find_program()), str(script),
                               str(place)], capture_output=True, text=True, timeout=300, env=environment, stdin=subprocess.DEVNULL, check=False)
        said = done.stdout[-6000:] + done.stderr[-6000:]
        self.assertEqual(done.returncode, 0, said)

        practice = place / "home" / "practice"
        opened = json.loads((practice / "opened.json").read_text())
        self.assertEqual(opened["package"]["userPrincipalName"], "alice@corp.example")
        self.assertEqual(len(opened["identities"]), 1)
        result = json.loads((practice / "result.json").read_text())
        self.assertEqual(opened["identities"][0]["sha256"], result["certificates"][0]["sha256"])
        root = x509.load_pem_x509_certificate((place / "state" / "ca" / "root.crt").read_bytes())
        self.assertEqual(base64.b64decode(result["chain"][-1]), pki.cert_der(root), "one's own CA")
        self.assertIn("0 faults", done.stdout)
        self.assertNotIn("✗ ", done.stdout.split("who ")[0], "the doctor is content before `run`")
        self.assertIn("PKCS-1050", (place / "log" / "connector.log").read_text())

    def test_what_is_not_run_is_the_build_alone(self) -> None:
        fences = re.findall(r"^```(\w*)$", DOCUMENT.read_text(), re.M)
        self.assertEqual([each for each in fences if each not in ("", "sh")], ["console"])
        self.assertEqual(fences.count(""), len([each for each in fences if each]), "every block says what it is")


class Documents(unittest.TestCase):
    """What is printed from a table is what the repository shows."""

    def test_generated_documents_are_up_to_date(self) -> None:
        for name, command in (("configuration.md", ["config", "manual"]), ("connector.example.toml", ["config", "example"]),
                              ("events.md", ["explain", "events"])):
            with self.subTest(name):
                printed = subprocess.run([str(find_program()), *command], capture_output=True, text=True, check=True, timeout=60).stdout
                self.assertEqual((TOP / "docs" / name).read_text().strip(), printed.strip(),
                                 f"pfx-connector {' '.join(command)} >docs/{name}")

    def test_links_lead_somewhere(self) -> None:
        for document in (TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))):
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
                if "://" not in target:
                    self.assertTrue((document.parent / target).exists(), f"{document.name}: {target}")

    def test_the_readme_is_one_screen(self) -> None:
        lines = (TOP / "README.md").read_text().splitlines()
        self.assertLessEqual(len(lines), 50)


if __name__ == "__main__":
    unittest.main()
