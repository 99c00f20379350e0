"""Builds `entropix._C`: the C++ kernels always, the CUDA kernels where nvcc is found.

The metadata stands in pyproject.toml. The module sees addresses, sizes and a stream handle, never a tensor, so neither
building nor importing it needs torch. ENTROPIX_CUDA=auto (default) compiles the CUDA kernels if nvcc is in
$CUDA_HOME/bin or on PATH, 0 never does, 1 fails without nvcc. CXX chooses the C++ compiler. ENTROPIX_SANITIZE=1 is for
the native tests only.
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
# Real code for the first two, and PTX of the newest for every later GPU.
CUDA_ARCHITECTURES = ("80", "90")
# No -march=native and no fast-math: the instruction set is chosen at run time, and logarithms need NaN and inf.
# Contraction is off so that exact distances have the same bits in every variant; fused products are written out.
CXX_FLAGS = (
    "-std=c++17 -O3 -fPIC -fvisibility=hidden -ffp-contract=off -pthread -Wall -Wextra -Wshadow".split()
)
NVCC_FLAGS = (
    "-std=c++17 -O3 -lineinfo -Xcompiler=-fPIC,-fvisibility=hidden,-Wall -Xptxas=-v,--warn-on-spills".split()
)
SIMD_FLAGS = {
    "_avx2.cpp": "-mavx2 -mfma".split(),
    "_avx512.cpp": "-mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512".split(),
}


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
    """The folder of libcudart_static.a beside the compiler that nvcc really is (it may be a link or a wrapper)."""
    listing = subprocess.run([nvcc, "--dryrun", "-c", "x.cu"], capture_output=True, text=True).stderr
    top = next((line.split("TOP=")[1].strip() for line in listing.splitlines() if "TOP=" in line), None)
    root = Path(top) if top else Path(nvcc).resolve().parent.parent
    for name in ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"):
        if (root / name / "libcudart_static.a").exists():
            return (root / name).resolve()
    raise SystemExit(
        f"{nvcc} was found, but no libcudart_static.a under {root}; install it or set ENTROPIX_CUDA=0"
    )


class NinjaBuild(build_ext):
    """Writes build.ninja for the extension's sources and runs ninja: parallel, and only what changed."""

    def build_extension(self, ext: Extension) -> None:
        folder = Path(self.build_temp).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        nvcc = find_nvcc()
        (folder / "build.ninja").write_text(self.ninja_file(ext, target, nvcc))
        subprocess.run([sys.executable, "-m", "ninja", "-C", str(folder)], check=True)

    def ninja_file(self, ext: Extension, target: Path, nvcc: str | None) -> str:
        cxx = os.environ.get("CXX", "c++")
        includes = [ROOT / "csrc", pybind11.get_include(), *self.include_dirs]
        common = [*CXX_FLAGS, *(f"-isystem{i}" if "csrc" not in str(i) else f"-I{i}" for i in includes)]
        link = ["-shared", "-pthread"]
        if sys.platform == "darwin":
            link = ["-bundle", "-undefined", "dynamic_lookup"]
        if nvcc:
            names = "+".join(f"sm_{a}" for a in CUDA_ARCHITECTURES)
            common += ["-DENTROPIX_WITH_CUDA", f'-DENTROPIX_CUDA_ARCHITECTURES=\\"{names}+ptx\\"']
            link += [f"-L{cuda_library_folder(nvcc)}", "-lcudart_static", "-ldl", "-lrt"]
        gencode = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in CUDA_ARCHITECTURES]
        gencode.append(
            f"-gencode=arch=compute_{CUDA_ARCHITECTURES[-1]},code=compute_{CUDA_ARCHITECTURES[-1]}"
        )
        lines = [
            f"rule cxx\n  command = {cxx} $flags -MMD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc",
            f"rule link\n  command = {cxx} $in -o $out {' '.join(link)}",
        ]
        if nvcc:
            flags = " ".join([*NVCC_FLAGS, *gencode, f"-I{ROOT / 'csrc'}"])
            lines.append(
                f"rule nvcc\n  command = {nvcc} {flags} -MMD -MF $out.d -c $in -o $out\n"
                "  depfile = $out.d\n  deps = gcc"
            )
        objects = []
        for source in sorted(ext.sources):
            if source.endswith(".cu") and not nvcc:
                continue
            objects.append(source.replace("/", "_") + ".o")
            if source.endswith(".cu"):
                lines.append(f"build {objects[-1]}: nvcc {ROOT / source}")
                continue
            x86 = platform.machine().lower() in {"x86_64", "amd64"}
            simd = [f for suffix, f in SIMD_FLAGS.items() if source.endswith(suffix) and x86]
            flags = " ".join([*common, *sum(simd, [])])
            lines.append(f"build {objects[-1]}: cxx {ROOT / source}\n  flags = {flags}")
        lines.append(f"build {target}: link {' '.join(objects)}\ndefault {target}\n")
        return "\n".join(lines)


sources = [str(p.relative_to(ROOT)) for s in ("*.cpp", "*.cu") for p in (ROOT / "csrc").rglob(s)]
headers = [str(p.relative_to(ROOT)) for s in ("*.h", "*.cuh") for p in (ROOT / "csrc").rglob(s)]
setup(
    ext_modules=[Extension("entropix._C", sorted(sources), depends=sorted(headers))],
    cmdclass={"build_ext": NinjaBuild},
)
