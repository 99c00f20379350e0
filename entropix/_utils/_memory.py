"""Too little memory, as PyTorch, NumPy and CUDA's libraries each say it."""

# PyTorch has a class of its own for a GPU's memory alone. The processor's allocator, cuBLAS and a driver that runs out
# are RuntimeErrors, known by these words.
WORDS = ("DefaultCPUAllocator", "ALLOC_FAILED", "out of memory")


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there was too little memory, a device's or the processor's."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # by name: no torch for the rest
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
