"""Makes docs/report.png, the picture in the README, from the examples: python docs/screenshot.py (needs Chromium)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
SHOWN = ("demo-04", "demo-08")  # a high post and one with distortions

with tempfile.TemporaryDirectory() as folder:
    page_file = Path(folder) / "report.html"
    words = ["analyze", "--input", str(ROOT / "examples" / "posts.jsonl"), "--output", str(page_file)]
    subprocess.run([sys.executable, "-m", "mentalglm", *words], check=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1240, "height": 1700}, device_scale_factor=1.25)
        page.goto(page_file.as_uri())
        page.evaluate(
            """(shown) => document.querySelectorAll("article").forEach((post) => {
              if (!shown.includes(post.querySelector(".id").textContent)) post.remove();
            })""",
            list(SHOWN),
        )
        page.wait_for_timeout(300)
        page.screenshot(path=ROOT / "docs" / "report.png", clip=page.evaluate(
            """() => { const end = document.querySelector("#help").getBoundingClientRect().top - 8;
            return { x: 0, y: 0, width: innerWidth, height: Math.min(innerHeight, end) }; }"""
        ))  # fmt: skip
        chromium.close()
