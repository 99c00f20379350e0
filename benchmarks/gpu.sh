#!/bin/sh
# Builds with CUDA, runs the GPU tests, compute-sanitizer and the GPU benchmark. Needs nvcc, a CUDA PyTorch, pytest and
# hypothesis for the tests, and no network. Results go to ${OUT:-benchmarks/results}, with the commit that they are of:
# ENTROPIX_COMMIT says it where the folder is no repository.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${OUT:-benchmarks/results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export PYTHONPATH="$PWD"
ENTROPIX_COMMIT=${ENTROPIX_COMMIT:-$(git describe --always --dirty --abbrev=40 2>/dev/null || true)}
export ENTROPIX_COMMIT

# From another folder, so that setuptools does not read pyproject.toml, which old versions reject.
mkdir -p build/gpu
(cd build/gpu && ENTROPIX_CUDA=1 $python ../../setup.py -q build_ext -b ../.. -t temp) >"$out/build.log" 2>&1 ||
    { tail -50 "$out/build.log"; exit 1; }
if grep -E "[1-9][0-9]* bytes spill" "$out/build.log"; then echo "a kernel spills registers"; exit 1; fi
$python -c 'import json; from entropix._native import native_info; print(json.dumps(native_info(), indent=1))'

# The script compares every kernel with the CPU, so it comes first: it needs no test package.
$python benchmarks/sanitize_cuda.py
if $python -c 'import pytest, hypothesis' 2>/dev/null; then
    ENTROPIX_REQUIRE_CUDA=1 $python -m pytest -q -o addopts= -m gpu \
        tests/ops/test_knn.py tests/ops/test_prefix_knn.py tests/ops/test_count_within.py tests/ops/test_reconstruction.py \
        tests/detector/test_detector.py
else
    echo "pytest or hypothesis is missing: the GPU tests did not run"
fi
sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
if [ -x "$sanitizer" ]; then
    # A process, a time limit and a line for every kernel and tool, so that one that does not end costs its own time
    # only and is named; after the second the tool is left out. Only our kernels are looked at, but by initcheck, which
    # has to see what PyTorch's wrote.
    for tool in memcheck synccheck initcheck racecheck; do
        late=0
        ours="--kernel-name kernel_substring=entropix"
        [ $tool != initcheck ] || ours=
        for kernel in $($python benchmarks/sanitize_cuda.py --list); do
            [ $late -lt 2 ] || { echo "$tool $kernel: left out"; continue; }
            log=$out/$tool-$kernel.log
            began=$(date +%s)
            code=0
            PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout -k 5 "${SANITIZER_LIMIT:-90}" \
                "$sanitizer" --tool "$tool" $ours --error-exitcode 1 \
                $python benchmarks/sanitize_cuda.py --case "$kernel" >"$log" 2>&1 || code=$?
            took="$(($(date +%s) - began)) s"
            case $code in
            0) echo "$tool $kernel: ok, $took" ;;
            124 | 137) late=$((late + 1)); echo "$tool $kernel: no end in $took, see $log" ;;
            *) faults="${faults-} $tool/$kernel"; echo "$tool $kernel: failed, $took"; tail -20 "$log" ;;
            esac
        done
    done
    [ -z "${faults-}" ] || { echo "compute-sanitizer found errors:$faults"; exit 1; }
else
    echo "compute-sanitizer is missing: it did not run"
fi
$python benchmarks/kernels_cuda.py --out "$out/kernels_cuda.json"
if ! $python -c 'import entropix.training' 2>"$out/missing.log"; then
    tail -1 "$out/missing.log"
    echo "a package is missing: the training was not measured"
    exit 0
fi
$python benchmarks/training.py --device cuda --epochs 250 --seeds 0 --sweep --out "$out/training_cuda.json"
