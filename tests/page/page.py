#!/usr/bin/python3
"""The page at / in a real browser (headless Chromium): style, light and dark, a phone; pictures are left for one's own eyes.

    PFX_CONNECTOR=build/asan/daemon/pfx-connector tests/page/page.py [FOLDER]     FOLDER: where the pictures go (build/page)
"""
import os
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from PIL import Image

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "lab"))
from lab import Lab  # noqa: E402

PICTURES = TOP / "build" / "page"
SCHEMES = {"dark": 0, "light": 1}  # Blink's numbers


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector({"recipients": {"binding": "register"}})
        lab, connector = cls.lab, cls.connector
        nora = lab.user("nora")
        lab.issue(nora, lab.device(nora, key_kind="ecP256"), key_type="ecP256")
        connector.wait_until(lambda: connector.command_json("requests", "list", "--stage", "held")["requests"], 30, "a hold")
        phone = lab.device(nora, key_kind="ecP256")
        in_an_hour = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        connector.command("recipients", "window", "--until", in_an_hour, "--max", "2", check=True)
        for _ in range(3):
            lab.delivered(lab.issue(nora, phone, key_type="ecP256"))
        connector.terminate()
        connector.start()  # the ledger remembers what was done

    def picture(self, name: str, width: int, height: int, scheme: str) -> Image.Image:
        file = PICTURES / f"{name}.png"
        file.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="pfx-browser-") as profile:
            done = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
                 f"--window-size={width},{height}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--screenshot={file}",
                 f"http://127.0.0.1:{self.connector.health_port}/"], capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, "HOME": profile})
        self.assertTrue(file.is_file(), done.stderr[-2000:])
        for complaint in ("Content Security Policy", "Refused to"):
            self.assertNotIn(complaint, done.stderr)
        return Image.open(file).convert("RGB")

    def colours(self, image: Image.Image) -> dict[tuple[int, int, int], int]:
        return {colour: count for count, colour in image.getcolors(maxcolors=1 << 24)}

    def test_the_ledger_tells_what_was_done(self) -> None:
        self.connector.wait_until(lambda: "<svg" in self.connector.health("/")[1], 10, "the first look into the ledger")
        self.assertIn("In the last 12 h: 3 ended well, 0 did not.", self.connector.health("/")[1])

    def test_light(self) -> None:
        image = self.picture("light", 900, 1600, "light")
        self.assertEqual(image.getpixel((2, 2)), (0xFF, 0xFF, 0xFF))
        self.assertGreater(self.colours(image).get((0x14, 0x66, 0x2A), 0), 50, "what is good is green besides")

    def test_dark(self) -> None:
        image = self.picture("dark", 900, 1600, "dark")
        self.assertEqual(image.getpixel((2, 2)), (0x16, 0x18, 0x1B))
        self.assertGreater(self.colours(image).get((0x6F, 0xCE, 0x86), 0), 50)

    def test_on_a_phone(self) -> None:
        image = self.picture("phone", 500, 2200, "light")
        # Nothing is cut off on the right: the margin there is empty.
        margin = image.crop((image.width - 4, 0, image.width, image.height))
        self.assertEqual(set(self.colours(margin)), {(0xFF, 0xFF, 0xFF)})

    def test_that_something_is_wrong_is_seen_without_colours(self) -> None:
        self.connector.command("freeze", "pkcs.issue", "--reason", "a look at the page", check=True)
        try:
            self.connector.wait_until(lambda: "frozen until" in self.connector.health("/")[1], 10, "the page to say so")
            self.picture("stopped", 900, 1600, "light").convert("L").save(PICTURES / "stopped-grey.png")
            self.assertIn("! frozen", self.connector.health("/")[1])
        finally:
            self.connector.command("thaw", "pkcs.issue", check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PICTURES = Path(sys.argv.pop(1)).resolve()
    unittest.main()
