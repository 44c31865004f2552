#!/usr/bin/python3
"""The packages: built, looked into, and built again elsewhere to be the same, octet for octet.

    packages.py --build DIR [--again DIR] --into DIR

The .rpm is built and looked into, and nothing more: there is no distribution of that family to install it on here.
"""
import argparse
import gzip
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

OPTIONS = argparse.Namespace()
TOP = Path(__file__).resolve().parents[2]
KINDS = {"DEB": "deb", "RPM": "rpm", "TGZ": "tar.gz"}
FILES = {
    "/usr/sbin/pfx-connector": 0o755,
    "/usr/lib/systemd/system/pfx-connector.service": 0o644,
    "/usr/lib/sysusers.d/pfx-connector.conf": 0o644,
    "/usr/lib/tmpfiles.d/pfx-connector.conf": 0o644,
    "/usr/share/bash-completion/completions/pfx-connector": 0o644,
    "/usr/share/man/man5/connector.toml.5.gz": 0o644,
    "/usr/share/man/man8/pfx-connector.8.gz": 0o644,
    "/usr/share/doc/pfx-connector/copyright": 0o644,
    "/usr/share/doc/pfx-connector/changelog.gz": 0o644,
    "/etc/pfx-connector/connector.toml": 0o644,
}


def output(*command: "str | Path", **more) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def packed(build: Path, into: Path) -> dict[str, Path]:
    """All three of a build directory; kind -> file."""
    into.mkdir(parents=True, exist_ok=True)
    epoch = output("git", "-C", TOP, "log", "-1", "--format=%ct").strip()
    made = {}
    for generator, suffix in KINDS.items():
        for old in into.glob(f"*.{suffix}"):
            old.unlink()
        output("cpack", "-G", generator, "-B", into, "--config", build / "CPackConfig.cmake", cwd=build, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
        [made[suffix]] = into.glob(f"*.{suffix}")
    return made


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.made = packed(OPTIONS.build, OPTIONS.into)
        cls.tree = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-package-")))
        output("dpkg-deb", "-R", cls.made["deb"], cls.tree)

    def text(self, path: str) -> str:
        octets = (self.tree / path.lstrip("/")).read_bytes()
        return (gzip.decompress(octets) if path.endswith(".gz") else octets).decode()

    def test_what_is_in_it(self) -> None:
        with tarfile.open(fileobj=subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(self.made["deb"])], stdout=subprocess.PIPE).stdout, mode="r|") as tar:
            there = {each.name.lstrip("."): each for each in tar if not each.isdir()}
        docs = {each for each in there if each.startswith("/usr/share/doc/pfx-connector/")}
        self.assertEqual(set(there) - docs, {each for each in FILES if not each.startswith("/usr/share/doc/")})
        for path, mode in FILES.items():
            with self.subTest(path):
                self.assertEqual((there[path].mode, there[path].uname, there[path].gname), (mode, "root", "root"))
        self.assertIn("/usr/share/doc/pfx-connector/docs/install.md", docs)
        self.assertEqual({each.mtime for each in there.values()}, {int(output("git", "-C", TOP, "log", "-1", "--format=%ct"))})

    def test_what_it_says_of_itself(self) -> None:
        control = self.text("DEBIAN/control")
        for field, value in (("Package", "pfx-connector"), ("Section", "mail")):
            self.assertRegex(control, rf"(?m)^{field}: {value}$")
        [depends] = re.findall(r"(?m)^Depends: (.*)$", control)
        for library in ("libssl3", "libsqlite3-0", "libldap-2.5-0", "libseccomp2", "libidn2-0", "libcsv3", "libspdlog", "systemd (>= 252)"):
            self.assertIn(library, depends)
        for unwanted in ("libasan", "gtest", "-dev"):
            if not OPTIONS.sanitized:
                self.assertNotIn(unwanted, depends)
        self.assertEqual(self.text("DEBIAN/conffiles").split(), ["/etc/pfx-connector/connector.toml"])
        for script in ("preinst", "postinst", "prerm", "postrm"):
            self.assertNotIn("@", re.sub(r"\$@", "", self.text(f"DEBIAN/{script}")), "not filled in")
            output("sh", "-n", self.tree / "DEBIAN" / script)
        self.assertEqual(int(re.findall(r"-gt (\d+) \]", self.text("DEBIAN/preinst"))[0]), len(list((TOP / "storage/migrations").glob("*.sql"))))

    def test_no_place_of_the_building_machine(self) -> None:
        for path in sorted(self.tree.rglob("*")):
            if path.is_file():
                octets = path.read_bytes()
                octets = gzip.decompress(octets) if path.suffix == ".gz" else octets
                self.assertNotIn(str(TOP).encode() + b"/", octets, path)

    def test_the_manual_is_that_of_the_help(self) -> None:
        page = self.text("/usr/share/man/man8/pfx-connector.8.gz").replace("\\-", "-")
        program = self.tree / "usr/sbin/pfx-connector"
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        script = self.text("/usr/share/bash-completion/completions/pfx-connector")
        paths = re.findall(r"(?m)^        '([^']*)'\) words=", script)
        self.assertGreater(len(paths), 40)
        options = {each for path in paths for each in re.findall(r"--[a-z][a-z-]+", output(program, *path.split(), "--help", env=environment))}
        options -= {"--help-all"}
        self.assertGreater(len(options), 40)
        self.assertEqual({each for each in options if each not in page}, set())
        keys = self.text("/usr/share/man/man5/connector.toml.5.gz").replace("\\-", "-")
        manual = output(program, "config", "manual", env=environment)
        for key in re.findall(r"(?m)^\| `(\w+)` \|(?!.*Not built yet)", manual.split("Not built yet: a file")[0]):
            self.assertIn(f".B {key}\n", keys)
        for name, section in (("pfx-connector", 8), ("connector.toml", 5)):
            with self.subTest(name):
                told = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=self.text(f"/usr/share/man/man{section}/{name}.{section}.gz"),
                                      capture_output=True, text=True, check=False)
                self.assertEqual((told.returncode, told.stdout), (0, ""))

    def test_completion(self) -> None:
        script = self.tree / "usr/share/bash-completion/completions/pfx-connector"
        output("bash", "-n", script)

        def completed(*words: str) -> list[str]:
            line = " ".join(f"'{each}'" for each in words)
            return output("bash", "-c", f"source '{script}'; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _pfx_connector; echo ${{COMPREPLY[@]}}").split()

        self.assertEqual(completed("pfx-connector", "req"), ["requests"])
        self.assertEqual(completed("pfx-connector", "requests", "ab"), ["abandon"])
        self.assertEqual(completed("pfx-connector", "--config", "x", "import", "key", "rot"), ["rotate"])
        self.assertIn("--reason", completed("pfx-connector", "limits", "raise", "--"))

    def test_lintian(self) -> None:
        """Errors only; what is meant is named with its reason."""
        meant = ("no-changelog",  # changelog.gz is the project's own
                 "bogus-mail-host", "mail-address-loops-or-is-a-placeholder", "malformed-contact")
        told = subprocess.run(["lintian", "--fail-on", "error", "--suppress-tags", ",".join(meant), str(self.made["deb"])], capture_output=True, text=True, check=False)
        self.assertEqual([line for line in told.stdout.splitlines() if line.startswith("E:")], [])

    def test_rpm(self) -> None:
        rpm = self.made["rpm"]
        listed = output("rpm", "-qp", "--queryformat", "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]", rpm).splitlines()
        there = {line.split()[0]: line.split()[1:] for line in listed}
        for path, mode in FILES.items():
            with self.subTest(path):
                self.assertEqual(there[path], [f"{0o100000 | mode:o}", "root:root"])
        self.assertEqual(output("rpm", "-qp", "--configfiles", rpm).split(), ["/etc/pfx-connector/connector.toml"])
        scripts = output("rpm", "-qp", "--scripts", rpm)
        for name in ("preinstall", "postinstall", "preuninstall", "postuninstall"):
            self.assertIn(f"{name} scriptlet", scripts)
        requires = output("rpm", "-qp", "--requires", rpm)
        for library in ("libssl.so.3", "libsqlite3.so.0", "systemd >= 252"):
            self.assertIn(library, requires)

    def test_tarball(self) -> None:
        with tarfile.open(self.made["tar.gz"]) as tar:
            files = {"/" + each.name.split("/", 1)[1]: each for each in tar if not each.isdir()}
            self.assertEqual(set(FILES) - set(files), set())
            self.assertEqual([name for name, each in files.items() if each.isfile() and each.size == 0], [])
            program = files["/usr/sbin/pfx-connector"]
            with tar.extractfile(program) as octets:  # the deb's is run; this one is to be the same
                self.assertEqual(hashlib.sha256(octets.read()).hexdigest(),
                                 hashlib.sha256((self.tree / "usr/sbin/pfx-connector").read_bytes()).hexdigest())

    def test_the_same_again(self) -> None:
        if OPTIONS.again is None:
            self.skipTest("no second build was given (--again)")
        again = packed(OPTIONS.again, OPTIONS.into / "again")
        for kind, file in self.made.items():
            with self.subTest(kind):
                self.assertEqual(file.name, again[kind].name)
                self.assertEqual(*(hashlib.sha256(each.read_bytes()).hexdigest() for each in (file, again[kind])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--again", type=lambda text: Path(text).resolve())
    parser.add_argument("--into", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--sanitized", action="store_true", help="a build with sanitizers: not to be installed anywhere")
    OPTIONS, others = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *others], verbosity=2)
