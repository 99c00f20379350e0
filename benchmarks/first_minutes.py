"""What the first minutes cost a new user, each library in a fresh environment on the CPU, from the package registry:

    python benchmarks/first_minutes.py            # all
    python benchmarks/first_minutes.py pyod

Both look at the same simulated heads: `entropix demo` makes them, for PyOD they lie in an array on disk. anomalib and
nnU-Net are not installed: with what they need they take gigabytes. Written to results/first_minutes.json.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/first_minutes.json"
LINES = 12  # of what is on the screen at the end

PYOD = """\
import numpy as np
from pyod.models.ecod import ECOD

heads = np.load("heads.npz")
detector = ECOD().fit(heads["normal"])
print(detector.decision_function(heads["new"]))
print(detector.predict(heads["new"]))
"""
WALKS = {  # name on the registry, and two steps: to install, to the first result
    "entropix": (
        "entropix-anomaly",
        "pip install -c constraints.txt .",
        "entropix demo",
    ),
    "pyod": ("pyod", "pip install pyod", "python first.py"),
}


def walk(distribution: str, install: str, first: str, folder: Path) -> dict[str, Any]:
    """Take both steps in a new environment in an empty folder, and say what they cost and left."""
    environment, work = folder / "venv", folder / "work"
    venv.create(environment, with_pip=True)
    work.mkdir()
    before = _size(environment)
    took = {"install": _step(install, environment, ROOT)}
    del took["install"]["screen"]  # pip's, with paths of this machine
    took["install"]["MB"] = round((_size(environment) - before) / 1e6)
    given = _prepare(work) if first.startswith("python ") else set()
    took["first"] = _step(first, environment, work)
    took["first"]["files"] = sorted({path.name for path in work.rglob("*") if path.is_file()} - given)
    asked = f"import importlib.metadata; print(importlib.metadata.version({distribution!r}))"
    version = subprocess.run([environment / "bin/python", "-c", asked], check=True, capture_output=True, text=True)
    return took | {"version": version.stdout.strip()}


def _step(command: str, environment: Path, folder: Path) -> dict[str, Any]:
    """Run a command as a user who has activated the environment; what it prints last is what is on the screen."""
    print(f"$ {command}", flush=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    wall, cpu = time.monotonic(), os.times()
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=kept | {"PATH": path}, stdout=subprocess.PIPE, text=True
    )
    took = {"seconds": round(time.monotonic() - wall), "processor_seconds": round(sum(os.times()[2:4]) - sum(cpu[2:4]))}
    done.check_returncode()
    return {"command": command} | took | {"screen": done.stdout.splitlines()[-LINES:]}


def _prepare(folder: Path) -> set[str]:
    """Write what `entropix demo` makes as rows of an array, with the lines that PyOD's documentation has one type."""
    import numpy as np

    from entropix.datasets import phantoms

    heads = {"normal": phantoms(500, 8).images, "new": phantoms(200, 8, lesions=0.5, seed=1).images}
    np.savez(folder / "heads.npz", **{name: images.reshape(len(images), -1) for name, images in heads.items()})
    (folder / "first.py").write_text(PYOD)
    return {"heads.npz", "first.py"}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*WALKS, []], help="default: all")
    document = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in parser.parse_args().names or WALKS:
        with tempfile.TemporaryDirectory() as folder:
            took = walk(*WALKS[name], Path(folder))
        machine = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        document[name] = took | {"machine": machine, "date": time.strftime("%Y-%m-%d")}
        print(json.dumps(document[name], indent=1), file=sys.stderr)
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")
