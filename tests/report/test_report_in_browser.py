"""How browsers show the report, and that everybody can read it."""

import base64
import io
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from accessibility import findings, in_browser
from PIL import Image


def test_tables_can_be_sorted(tmp_path: Path) -> None:
    """By numbers as numbers, names as text in which numbers count, in both directions."""
    rows = [("10.5", "a10"), ("9", "a2"), ("-3", "1.10"), ("", "1.2"), ("-20", "B")]
    body = "".join(f"<tr><td>{number}</td><td class=name>{name}</td></tr>" for number, name in rows)
    head = "<thead><tr><th>score</th><th class=name>image</th></tr></thead>"
    script = (files("entropix.report") / "page.js").read_text(encoding="utf-8")
    page = tmp_path / "p.html"
    page.write_text(f"<head></head><table>{head}<tbody>{body}</tbody></table><script>{script}</script>")
    click = """
      const cells = i => [...document.querySelectorAll("tbody tr")].map(row => row.cells[i].textContent);
      const orders = [];
      for (const i of [0, 0, 1, 1]) {
        document.querySelectorAll("th button")[i].click();
        orders.push([cells(i), [...document.querySelectorAll("th")].map(one => one.ariaSort)]);
      }
      return orders;
    """
    numbers, names = ["", "-20", "-3", "9", "10.5"], ["1.2", "1.10", "a2", "a10", "B"]
    assert in_browser(page, click, tmp_path) == [
        [numbers, ["ascending", None]],
        [numbers[::-1], ["descending", None]],
        [names, [None, "ascending"]],
        [names[::-1], [None, "descending"]],
    ]


def test_everybody_can_read_it(page: Path, page_of_volumes: Path, tmp_path: Path) -> None:
    """With labels and neighbours, and with volumes and masks; light and dark, wide and narrow."""
    uri = re.search(
        'src="data:image/png;base64,([^"]*)"[^>]*alt="What the model makes', page_of_volumes.read_text("utf-8")
    )
    assert uri
    assert Image.open(io.BytesIO(base64.b64decode(uri[1]))).size == (24, 32)  # a browser takes the file's proportions
    assert findings(page, "light", tmp_path, 1280) == []
    assert findings(page_of_volumes, "dark", tmp_path, 500) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no browser: {str(error).splitlines()[0]}")
        yield launched
        launched.close()


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1200, "light")])
def test_in_a_browser(browser: Any, page: Path, width: int, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    candidates = "document.querySelector('[aria-label=Candidates]')"
    assert tab.evaluate(f"{candidates}.scrollWidth <= {candidates}.clientWidth")
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && (i.alt || i.closest('.bar')))")
    named = "[...document.querySelectorAll('svg')].every(s => s.role == 'img' && s.ariaLabel && s.clientHeight > 50)"
    assert tab.evaluate(named)
    page_colour, ink = (
        tab.evaluate(f"getComputedStyle({element}).{name}").removeprefix("rgb(").rstrip(")").split(",")
        for element, name in (("document.body", "backgroundColor"), ("document.querySelector('svg text')", "fill"))
    )
    contrast = sum(map(int, ink)) - sum(map(int, page_colour))
    assert contrast > 400 if scheme == "dark" else contrast < -400
    heat, outlined = (f"getComputedStyle(document.querySelector('.{part}')).opacity" for part in ("heat", "outline"))
    tab.add_style_tag(content="* { transition: none !important; }")
    tab.check("#heat-none")
    assert tab.evaluate(heat) == tab.evaluate(outlined) == "0"
    tab.check("#heat-half")
    assert 0 < float(tab.evaluate(heat)) < 1
    tab.close()
