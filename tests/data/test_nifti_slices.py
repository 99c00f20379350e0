"""Which slices of a volume are read: those that show something, however faint."""

from pathlib import Path

import nibabel
import numpy as np

from entropix.data import read


def test_faint_slices_are_read_and_empty_ones_are_not(tmp_path: Path, rng: np.random.Generator) -> None:
    """The ends of a scan are much darker than its middle; only a slice within a hundredth of the range is empty."""
    spans = (0.0, 0.004, 0.03, 0.15, 1.0, 1.0)
    noise = rng.random((20, 20, len(spans)))
    volume = np.stack([span * noise[..., k] for k, span in enumerate(spans)], 2)
    nibabel.save(nibabel.Nifti1Image((1000 * volume).astype(np.float32), np.eye(4)), tmp_path / "head.nii")
    images = read(tmp_path, image_size=16)
    assert [origin.frame for origin in images.origins] == [2, 3, 4, 5]
