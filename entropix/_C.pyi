"""The native module. Addresses and stream handles are integers; sizes are in elements (see csrc/*/*.h)."""

class KnnArguments:
    def __init__(
        self,
        x: int,
        query: int,
        batch: int,
        n: int,
        m: int,
        d: int,
        k: int,
        metric: int,
        is_double: bool,
        distances: int,
        indices: int,
        /,
    ) -> None: ...

class CountArguments:
    def __init__(
        self,
        x: int,
        query: int,
        radii: int,
        n: int,
        m: int,
        d: int,
        metric: int,
        is_double: bool,
        counts: int,
        /,
    ) -> None: ...

class PrefixArguments:
    def __init__(
        self,
        x: int,
        n: int,
        d: int,
        k: int,
        prefixes: list[int],
        is_double: bool,
        distances: int,
        mean_log: int,
        /,
    ) -> None: ...

class ReconstructionArguments:
    def __init__(
        self,
        x: int,
        x_hat: int,
        weight: int,
        mask: int,
        n: int,
        p: int,
        weight_stride: int,
        mask_stride: int,
        type: int,
        error: int,
        map: int,
        /,
    ) -> None: ...

def build_info() -> dict[str, str | bool]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
def set_simd_level(name: str, /) -> None: ...
def rows_not_finite(x: int, rows: int, d: int, is_double: bool, /) -> int: ...
def knn_cpu(arguments: KnnArguments, threads: int, /) -> None: ...
def count_within_cpu(arguments: CountArguments, threads: int, /) -> None: ...
def prefix_knn_cpu(arguments: PrefixArguments, threads: int, /) -> None: ...
def reconstruction_error_cpu(arguments: ReconstructionArguments, threads: int, /) -> None: ...

# Only in a build with CUDA kernels:
def cuda_unusable_reason() -> str: ...
def knn_cuda_plan(arguments: KnnArguments, /) -> tuple[int, int]: ...
def knn_cuda(arguments: KnnArguments, splits: int, workspace: int, stream: int, /) -> None: ...
def count_within_cuda(arguments: CountArguments, stream: int, /) -> None: ...
def prefix_knn_cuda_workspace(arguments: PrefixArguments, /) -> int: ...
def prefix_knn_cuda(arguments: PrefixArguments, workspace: int, stream: int, /) -> None: ...
def reconstruction_error_cuda_pieces(n: int, p: int, /) -> int: ...
def reconstruction_error_cuda(
    arguments: ReconstructionArguments, pieces: int, workspace: int, stream: int, /
) -> None: ...
