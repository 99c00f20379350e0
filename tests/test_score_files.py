"""Heat maps as files."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import entropix
from entropix import score_files


def test_names_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    images = entropix.datasets.phantoms(100, 1, image_size=16).images
    detector = entropix.fit(images, latent_dim=1, epochs=1, image_size=16, progress=False)
    some = detector.read(images[:3])
    some = replace(some, names=["../../up", "/etc/absolute", "scan.nii.gz#3"], sizes=np.array([[8, 9]] * 3))
    score_files.write_heatmaps(tmp_path / "maps", detector, some)
    written = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    assert written == ["maps/etc/absolute.png", "maps/scan.nii.gz_3.png", "maps/up.png"]
