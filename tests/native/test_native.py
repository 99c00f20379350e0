"""The native module as a build product: what it needs, what it says when it is missing, sanitizers, registers."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from entropix import _native

ROOT = Path(__file__).parents[2]
SIMD_FLAGS = {"avx2": "-mavx2 -mfma", "avx512": "-mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma"}


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    # not in the source folder, whose package has no native module where another one is installed
    done = subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_ops_loads_no_native_code_and_no_cuda() -> None:
    code = "import entropix.ops, sys, torch; print('entropix._C' in sys.modules, torch.cuda.is_initialized())"
    assert run_python(code).split() == ["False", "False"]


def test_without_the_module_a_call_says_what_to_do() -> None:
    code = """
import sys
sys.modules["entropix._C"] = None  # makes the import fail
import torch, entropix.ops
from entropix._native import native_info
print(native_info())
for call in (lambda x: entropix.ops.knn(x, 1), lambda x: entropix.ops.reconstruction_error(x, x)):
    try:
        call(torch.ones(3, 2))
    except RuntimeError as error:
        print(error)
"""
    info, *messages = run_python(code).splitlines()
    assert "'built': False" in info
    assert len(messages) == 2
    assert all("needs entropix's native module" in m and "run `pip install .`" in m for m in messages)


def test_first_calls_import_nothing_of_the_compiler() -> None:
    code = """
import entropix.ops, sys, torch
x, before = torch.randn(50, 3, requires_grad=True), len(sys.modules)
entropix.ops.knn(x, 2).distances.sum().backward()
entropix.ops.prefix_knn(x, 2), entropix.ops.count_within(x, x[:, 0]), entropix.ops.reconstruction_error(x, x)
print(len(sys.modules) - before, "torch._dynamo" in sys.modules)
"""
    count, compiler = run_python(code).split()
    assert int(count) < 20
    assert compiler == "False"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("call", ["knn(x, 5)", "knn(x, 5, y)", "count_within(x, r)", "prefix_knn(x, 2)"])
def test_too_little_memory_is_an_error_and_no_abort(call: str) -> None:
    """From hardly anything upwards, until there is enough; threads' stacks count too."""
    code = f"""
import resource, sys, torch
from entropix.ops import *
torch.set_num_threads(2)
x = torch.randn(20_000, 2)
y, r = x + 1, x[:, 0].clone()  # starts PyTorch's own threads, which end the process where they can't
knn(x[:9], 2), prefix_knn(x[:9], 2)
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
for extra in (0.2, 0.5, 1, 2, 3, 5, 8, 12, 20):
    resource.setrlimit(resource.RLIMIT_AS, (int(used + extra * 2**20), resource.RLIM_INFINITY))
    try:
        {call}
        print("enough")
    except (MemoryError, RuntimeError) as error:
        print("error", type(error).__name__)
"""
    assert "error" in run_python(code)


def test_native_info() -> None:
    info = _native.native_info()
    assert info["built"]
    assert Path(info["path"]).exists()
    assert info["simd"] in info["simd_levels"]
    assert info["simd_levels"][0] == "portable"
    assert info["cuda_usable"] == (info["cuda_reason"] == "")
    assert info["cuda_built"] == bool(info["cuda_architectures"])
    assert "-march" not in info["flags"]
    assert "fast-math" not in info["flags"]


def test_the_module_knows_nothing_of_torch() -> None:
    content = Path(_native.native_info()["path"]).read_bytes()
    assert not re.search(rb"libtorch|libc10|libcudart\.so|_ZN3c10|_ZN2at", content)


def test_simd_level_can_be_forced(tmp_path: Path) -> None:
    code = "from entropix._native import native_info; print(native_info()['simd'])"
    environment = {**os.environ, "ENTROPIX_SIMD": "portable"}
    command = [sys.executable, "-c", code]
    # elsewhere: the source folder may hold no native module
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "portable"
    with pytest.raises(ValueError, match="instruction set 'sse9' is not available here; this processor runs portable"):
        _native.load().set_simd_level("sse9")


@pytest.mark.parametrize(
    ("value", "message"),
    [("1", "there is no nvcc in $CUDA_HOME/bin or on PATH"), ("yes", "expected auto, 0 or 1")],
)
def test_a_build_that_cannot_have_cuda_fails_loudly(value: str, message: str, tmp_path: Path) -> None:
    pytest.importorskip("pybind11")
    environment = {**os.environ, "ENTROPIX_CUDA": value, "CUDA_HOME": "", "PATH": str(tmp_path)}
    command = [sys.executable, "setup.py", "-q", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode != 0
    assert message in done.stderr


def build_and_run(
    program: Path, sources: list[Path], flags: list[str], gcc: str = "g++", emulator: str | None = None
) -> str:
    """Compiles C++ and CUDA sources, links and runs them, on the host or an emulator; returns what they print."""
    compiler = shutil.which(gcc) or pytest.skip(f"needs {gcc}")
    common = ["-O1", "-g", "-w", "-ffp-contract=off", "-pthread", *flags]
    objects = []
    for source in sources:
        objects.append(str(program.parent / f"{source.parent.name}_{source.name}.o"))
        simd = SIMD_FLAGS.get(source.stem.rpartition("_")[2], "").split()
        command = [compiler, *common, *simd, f"-I{ROOT / 'csrc'}", "-x", "c++", "-c", str(source)]
        subprocess.run([*command, "-o", objects[-1]], check=True)
    subprocess.run([compiler, *common, *objects, "-o", str(program)], check=True)
    command = [program] if emulator is None else [emulator, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cpu_sources() -> list[Path]:
    return [s for s in (ROOT / "csrc").rglob("*.cpp") if s.name != "bindings.cpp"]


@pytest.mark.slow
def test_cpu_kernels_are_clean_under_sanitizers(tmp_path: Path) -> None:
    flags = ["-std=c++17", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [*cpu_sources(), ROOT / "tests/native/test_kernels.cpp"]
    assert "portable: ok" in build_and_run(tmp_path / "kernels", sources, flags)


@pytest.mark.slow
def test_cpu_kernels_on_aarch64(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-aarch64") or pytest.skip("needs qemu-aarch64 (Debian: qemu-user)")
    sources = [s for s in cpu_sources() if "_avx" not in s.name] + [ROOT / "tests/native/test_kernels.cpp"]
    program, gcc = tmp_path / "kernels", "aarch64-linux-gnu-g++"  # Debian: g++-aarch64-linux-gnu
    assert build_and_run(program, sources, ["-std=c++17", "-static"], gcc, emulator) == "portable: ok\n"


def test_a_driver_that_is_missing_or_old_is_said() -> None:
    if not _native.native_info()["cuda_built"]:
        pytest.skip("built without CUDA kernels")
    if _native.native_info()["cuda_usable"]:
        assert _native.load().cuda_unusable_reason() == ""
    else:
        assert re.search("driver|GPU", _native.load().cuda_unusable_reason())


@pytest.mark.slow
def test_cuda_kernels_run_on_the_host(tmp_path: Path) -> None:
    homes = [Path(home) for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if home]
    headers = next((home / "include" for home in homes if (home / "include/cuda_runtime.h").exists()), None)
    if headers is None:
        pytest.skip("needs the CUDA headers")
    # not address: it does not follow jumps between fibers
    flags = ["-std=c++20", "-fsanitize=undefined", "-fno-sanitize-recover=all", f"-isystem{headers}"]
    flags.append(f"-I{ROOT / 'tests/native/cuda_host'}")  # before csrc: its cuda_check.h replaces the real one
    kernels = [s for s in (ROOT / "csrc").rglob("*.cu") if s.parent.name != "common"]  # that one asks the driver
    sources = [*cpu_sources(), *kernels, ROOT / "tests/native/test_cuda_on_host.cpp"]
    assert build_and_run(tmp_path / "kernels", sources, flags) == "ok\n"


@pytest.mark.slow
def test_cuda_kernels_do_not_spill(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc") or pytest.skip("needs nvcc")
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in (80, 90, 120)]
    for source in (ROOT / "csrc").rglob("*.cu"):
        command = [nvcc, "-std=c++17", "-O3", "-fmad=false", "-Xptxas=-v", f"-I{ROOT / 'csrc'}", *targets]
        done = subprocess.run(
            [*command, "-c", str(source), "-o", str(tmp_path / "out.o")], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", done.stdout + done.stderr)
        assert spills, "ptxas reported nothing"
        assert set(spills) == {("0", "0")}, source.name
