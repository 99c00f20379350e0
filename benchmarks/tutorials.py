"""Walk through the tutorials of the documentation as a reader does, and take their pictures:

    python benchmarks/tutorials.py                # all, each in an empty folder; pictures need Chromium
    python benchmarks/tutorials.py dicom bids

The blocks of Python of a page are run as one session, every line of a console block that begins with "$ " by a shell.
What each page took is written to results/tutorials.json.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from entropix._version import __version__

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/tutorials.json"
SHELL = f'set -e; entropix() {{ "{sys.executable}" -m entropix "$@"; }}; '  # also where it is not installed
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SIZE = "1280,900"


def walk(name: str, text: str) -> dict[str, float]:
    """Run the blocks of a page in the current folder; return the wall and processor seconds."""
    wall, cpu = time.monotonic(), os.times()
    names: dict[str, object] = {}
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            exec(compile(block, name, "exec"), names)
            continue
        for line in re.findall(r"^\$ (.*)", block, re.MULTILINE):
            print(f"$ {line}", flush=True)
            subprocess.run(["bash", "-c", SHELL + line], check=True)
    return {
        "seconds": round(time.monotonic() - wall),
        "processor_seconds": round(sum(os.times()[:4]) - sum(cpu[:4])),
    }


def picture(page: Path, out: Path) -> None:
    """The first screen of a page, as Chromium shows it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print(f"no Chromium: {out.name} is left as it was", file=sys.stderr)
        return
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE}", f"--screenshot={out}"]
    subprocess.run([browser, *flags, page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    pages = {path.stem.removeprefix("tutorial-"): path for path in sorted((ROOT / "docs").glob("tutorial-*.md"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*pages, []], help="default: all")
    names = parser.parse_args().names or list(pages)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    document = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            took = walk(name, pages[name].read_text(encoding="utf-8"))
            if (report := Path(folder) / "report.html").exists():
                picture(report, ROOT / f"docs/images/tutorial-{name}.png")
            os.chdir(ROOT)
        document[name] = took | {"version": __version__, "cores": os.cpu_count(), "machine": platform.machine()}
        print(f"{name}: {took}")
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")
