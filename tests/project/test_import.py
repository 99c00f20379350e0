"""Importing entropix is free: no CUDA context, no native module, nothing printed."""

import subprocess
import sys
import tempfile

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "pydicom", "nibabel", "PIL", "entropix._C")


def run(code: str) -> str:
    """Standard output of `code` in a new process, away from the source folder."""
    call = [sys.executable, "-c", code]
    return subprocess.run(call, cwd=tempfile.gettempdir(), check=True, capture_output=True, text=True).stdout.strip()


def test_import_probes_and_loads_nothing() -> None:
    assert run(f"import sys\nimport entropix\nprint([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_the_estimators_probe_and_load_nothing() -> None:
    code = f"print([m for m in {HEAVY[2:]} if m in sys.modules], torch.cuda.is_initialized())"
    assert run(f"import sys, torch\nimport entropix\nentropix.entropy\n{code}") == "[] False"


def test_all_names_exist() -> None:
    assert run("import entropix\nprint([n for n in entropix.__all__ if not hasattr(entropix, n)])") == "[]"


def test_import_entropix_is_enough_for_its_packages() -> None:
    names = ("plots", "report", "distributed", "selection", "scoring", "strategies", "inspect", "exceptions")
    code = (
        f"import sys\nimport entropix\nprint([m for m in {HEAVY} if m in sys.modules])\n"
        f"print([getattr(entropix, name).__name__ for name in {names}])"
    )
    loaded, named = run(code).splitlines()
    assert loaded == "[]"
    assert named == str([name if name == "inspect" else f"entropix.{name}" for name in names])


def test_without_the_native_module() -> None:
    code = (
        "import sys\nsys.modules['entropix._C'] = None\nimport entropix, numpy as np\n"
        "try:\n    entropix.entropy(np.random.rand(50, 2))\n"
        "except RuntimeError as e:\n    print(e)"
    )
    message = run(code)
    assert "native module" in message
    assert "pip install" in message
    assert len(message.splitlines()) == 1
