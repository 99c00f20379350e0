"""What axe-core, in a headless Chromium, finds wrong with a page for those who can't see it well."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCHEMES = {"dark": 0, "light": 1}  # as Blink numbers them
RUN = """
addEventListener("load", async () => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  const found = await axe.run({resultTypes: ["violations"]});
  const told = document.createElement("pre");
  told.id = "axe";
  const all = found.violations.map(one => [one.impact, one.id, one.help, one.nodes.map(node => node.html)]);
  told.textContent = JSON.stringify(all);
  document.body.append(told);
});
"""


def findings(page: Path, scheme: str, scratch: Path, width: int) -> list[str]:
    """The findings of a page that needs nothing else, everything folded in it being open.

    Skips the test where there is no Chromium or no axe-core.
    """
    axe = pytest.importorskip("axe_core_python.base").AXE_SCRIPT
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium")
    copy = scratch / f"{page.stem}-{scheme}.axe.html"
    scripts = f"<script>{axe}</script><script>{RUN}</script></head>"
    copy.write_text(page.read_text(encoding="utf-8").replace("</head>", scripts, 1), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=60000"]
    chosen = [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--window-size={width},900"]
    called = subprocess.run([browser, *flags, *chosen, copy.as_uri()], check=True, capture_output=True, text=True)
    told = re.search(r'<pre id="axe">(.*?)</pre>', called.stdout, re.DOTALL)
    assert told, called.stderr[-2000:]
    return [f"{impact}: {name}: {about} {nodes}" for impact, name, about, nodes in json.loads(html.unescape(told[1]))]
