"""Pages in a headless Chromium, and what axe-core finds wrong with them for those who can't see them well."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCHEMES = {"dark": 0, "light": 1}  # as Blink numbers them
RUN = """
addEventListener("load", async () => {
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(await (async () => { %s })());
  document.body.append(told);
});
"""
AXE = """
document.querySelectorAll("details").forEach(one => one.open = true);
const found = await axe.run({resultTypes: ["violations"]});
return found.violations.map(one => [one.impact, one.id, one.help, one.nodes.map(node => node.html)]);
"""


def in_browser(
    page: Path, script: str, scratch: Path, *, libraries: str = "", scheme: str = "light", width: int = 1280
) -> Any:
    """What a script returns that runs in a page, which needs nothing else, once it is loaded.

    Skips the test where there is no Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium")
    copy = scratch / f"{page.stem}-{scheme}.run.html"
    scripts = f"<script>{libraries}</script><script>{RUN % script}</script></head>"
    copy.write_text(page.read_text(encoding="utf-8").replace("</head>", scripts, 1), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=60000"]
    chosen = [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--window-size={width},900"]
    called = subprocess.run([browser, *flags, *chosen, copy.as_uri()], check=True, capture_output=True, text=True)
    told = re.search(r'<pre id="told">(.*?)</pre>', called.stdout, re.DOTALL)
    assert told, called.stderr[-2000:]
    return json.loads(html.unescape(told[1]))


def findings(page: Path, scheme: str, scratch: Path, width: int) -> list[str]:
    """The findings of a page that needs nothing else, everything folded in it being open.

    Skips the test where there is no Chromium or no axe-core.
    """
    axe = pytest.importorskip("axe_core_python.base").AXE_SCRIPT
    told = in_browser(page, AXE, scratch, libraries=axe, scheme=scheme, width=width)
    return [f"{impact}: {name}: {about} {nodes}" for impact, name, about, nodes in told]
