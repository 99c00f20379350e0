"""What entropix is compared with: other ways to choose d, and other detectors. Small implementations, sources cited.

Trained ones have the paper's encoder and decoder, its recipe (Adam, learning rate 1e-3, batches of 64) and the epochs
of the others; what a source needs beyond that is said where it is. Images are tensors (n, c, s, s) on [-1, 1].
"""
