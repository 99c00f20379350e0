#!/bin/sh
# Builds with CUDA, runs the GPU tests, compute-sanitizer and the GPU benchmark. Needs nvcc, a CUDA PyTorch, pytest and
# hypothesis for the tests, and no network. Results go to ${OUT:-benchmarks/results}.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${OUT:-benchmarks/results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export PYTHONPATH="$PWD"

# From another folder, so that setuptools does not read pyproject.toml, which old versions reject.
mkdir -p build/gpu
(cd build/gpu && ENTROPIX_CUDA=1 $python ../../setup.py -q build_ext -b ../.. -t temp) >"$out/build.log" 2>&1 ||
    { tail -50 "$out/build.log"; exit 1; }
if grep -E "[1-9][0-9]* bytes spill" "$out/build.log"; then echo "a kernel spills registers"; exit 1; fi
$python -c 'import json; from entropix._native import native_info; print(json.dumps(native_info(), indent=1))'

# The script compares every kernel with the CPU, so it comes first: it needs no test package.
$python benchmarks/sanitize_cuda.py
if $python -c 'import pytest, hypothesis' 2>/dev/null; then
    ENTROPIX_REQUIRE_CUDA=1 $python -m pytest -q -m gpu \
        tests/ops/test_knn.py tests/ops/test_prefix_knn.py tests/ops/test_count_within.py tests/ops/test_reconstruction.py \
        tests/detector/test_detector.py
else
    echo "pytest or hypothesis is missing: the GPU tests did not run"
fi
sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
if [ -x "$sanitizer" ]; then
    for tool in memcheck racecheck; do
        PYTORCH_NO_CUDA_MEMORY_CACHING=1 "$sanitizer" --tool "$tool" --error-exitcode 1 \
            $python benchmarks/sanitize_cuda.py >"$out/$tool.log" 2>&1 || { tail -40 "$out/$tool.log"; exit 1; }
        tail -1 "$out/$tool.log"
    done
else
    echo "compute-sanitizer is missing: memcheck and racecheck did not run"
fi
$python benchmarks/kernels_cuda.py --out "$out/kernels_cuda.json"
$python benchmarks/training.py --device cuda --epochs 250 --seeds 0 --sweep --out "$out/training_cuda.json"
