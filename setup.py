"""Builds `entropix._C`: the C++ kernels always, the CUDA kernels where nvcc is found.

The metadata stands in pyproject.toml. The module sees addresses, sizes and a stream handle, never a tensor,
so neither building nor importing it needs torch. ENTROPIX_CUDA=auto (default) compiles the CUDA kernels if
nvcc is in $CUDA_HOME/bin or on PATH, 0 never does, 1 fails without nvcc. CXX chooses the C++ compiler.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CUDA_ARCHITECTURES = ("80", "90", "100", "120")  # machine code, of those that nvcc knows; 8.6 and 8.9 run 8.0's
PTX_ARCHITECTURE = "90"  # for every other and later GPU
# No -march=native and no fast-math: the instruction set is chosen at run time, and logarithms need NaN and
# inf. No contraction: exact distances have the same bits in every variant; fused products are written out.
CXX_FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-pthread"]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
SIMD_FLAGS = {
    "_avx2.cpp": ["-mavx2", "-mfma"],
    "_avx512.cpp": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mfma", "-Wno-maybe-uninitialized"],
}
NVCC_FLAGS = ["-std=c++17", "-O3", "-Xcompiler=-fPIC,-fvisibility=hidden", "-fmad=false", "-Xptxas=-v"]


def find_nvcc() -> str | None:
    """nvcc of $CUDA_HOME, else the one on PATH, as ENTROPIX_CUDA allows."""
    wanted = os.environ.get("ENTROPIX_CUDA", "auto")
    if wanted not in {"auto", "0", "1"}:
        raise SystemExit(f"ENTROPIX_CUDA={wanted!r}: expected auto, 0 or 1")
    if wanted == "0":
        return None
    home = os.environ.get("CUDA_HOME")
    nvcc = (shutil.which("nvcc", path=str(Path(home, "bin"))) if home else None) or shutil.which("nvcc")
    if nvcc is None and wanted == "1":
        raise SystemExit("ENTROPIX_CUDA=1, but there is no nvcc in $CUDA_HOME/bin or on PATH")
    return nvcc


def cuda_library_folder(nvcc: str) -> Path:
    """The folder of libcudart_static.a beside the compiler that `nvcc` really is (it may be a wrapper)."""
    dry = subprocess.run([nvcc, "--dryrun", "-c", "x.cu"], capture_output=True, text=True).stderr
    top = next((line.split("TOP=")[1].strip() for line in dry.splitlines() if "TOP=" in line), None)
    root = Path(top) if top else Path(nvcc).resolve().parent.parent
    for name in ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"):
        if (root / name / "libcudart_static.a").exists():
            return (root / name).resolve()
    raise SystemExit(f"no libcudart_static.a under {root}, where nvcc is; install it or set ENTROPIX_CUDA=0")


def cuda_architectures(nvcc: str) -> list[str]:
    """Those of CUDA_ARCHITECTURES that this nvcc compiles for."""
    known = subprocess.run([nvcc, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    return [a for a in CUDA_ARCHITECTURES if f"sm_{a}" in known]


class NinjaBuild(build_ext):
    """Writes build.ninja for the extension's sources and runs ninja: parallel, and only what changed."""

    def build_extension(self, ext: Extension) -> None:
        folder = Path(self.build_temp).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "build.ninja").write_text(self.rules(ext.sources, target, find_nvcc()))
        ninja = [found] if (found := shutil.which("ninja")) else [sys.executable, "-m", "ninja"]
        subprocess.run([*ninja, "-C", str(folder)], check=True)

    def rules(self, sources: list[str], target: Path, nvcc: str | None) -> str:
        if sys.platform == "win32":
            raise SystemExit("the kernels need GCC or Clang, not MSVC: on Windows install entropix in WSL")
        cxx = os.environ.get("CXX", "c++")
        link = ["-shared", "-pthread"]
        if sys.platform == "darwin":
            link = ["-bundle", "-undefined", "dynamic_lookup"]
        if nvcc:
            link += [f"-L{cuda_library_folder(nvcc)}", "-lcudart_static", "-ldl", "-lrt"]
        depends = "-MMD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc"
        lines = [
            f"rule cxx\n  command = {cxx} {' '.join(CXX_FLAGS + WARNINGS)} -I{ROOT / 'csrc'} $flags {depends}",
            f"rule link\n  command = {cxx} $in -o $out {' '.join(link)}",
        ]
        if nvcc:
            codes = [(a, f"sm_{a}") for a in cuda_architectures(nvcc)]
            codes.append((PTX_ARCHITECTURE, f"compute_{PTX_ARCHITECTURE}"))
            flags = NVCC_FLAGS + [f"-gencode=arch=compute_{a},code={code}" for a, code in codes]
            lines.append(f"rule nvcc\n  command = {nvcc} {' '.join(flags)} -I{ROOT / 'csrc'} {depends}")
        objects = []
        for source in sorted(sources):
            if source.endswith(".cu") and not nvcc:
                continue
            objects.append(source.replace("/", "_") + ".o")
            rule = "nvcc" if source.endswith(".cu") else "cxx"
            lines.append(f"build {objects[-1]}: {rule} {ROOT / source}")
            lines.append(f"  flags = {' '.join(self.flags_of(source, nvcc))}")
        lines.append(f"build {target}: link {' '.join(objects)}\ndefault {target}\n")
        return "\n".join(lines)

    def flags_of(self, source: str, nvcc: str | None) -> list[str]:
        """The flags that one source needs beyond the common ones."""
        if source.endswith("bindings.cpp"):
            includes = [pybind11.get_include(), *self.include_dirs]
            architectures = " ".join(f"sm_{a}" for a in cuda_architectures(nvcc)) + " PTX" if nvcc else ""
            cuda = [f"-DENTROPIX_CUDA='\"{architectures}\"'"] if nvcc else []
            return [*(f"-isystem{i}" for i in includes), f"-DENTROPIX_FLAGS='\"{' '.join(CXX_FLAGS)}\"'", *cuda]
        x86 = platform.machine().lower() in {"x86_64", "amd64"}
        return next((flags for end, flags in SIMD_FLAGS.items() if x86 and source.endswith(end)), [])


def under_csrc(*endings: str) -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*") if p.suffix in endings)


setup(
    ext_modules=[Extension("entropix._C", under_csrc(".cpp", ".cu"), depends=under_csrc(".h", ".cuh"))],
    cmdclass={"build_ext": NinjaBuild},
)
