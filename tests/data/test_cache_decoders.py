"""The cache of decoded images after another decoder was installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entropix.data import read


@pytest.mark.parametrize("decoder", ["gdcm", "jpeg_ls"])
def test_a_new_decoder_reads_again(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, decoder: str
) -> None:
    """It may read what is kept as unreadable."""
    if find_spec(decoder) is not None:
        pytest.skip(f"{decoder} is installed")
    scans, cache = tmp_path / "scans", tmp_path / "cache"
    scans.mkdir()
    Image.fromarray(rng.integers(0, 256, (20, 30), dtype=np.uint8)).save(scans / "0.png")

    def entries() -> int:
        read(scans, cache=cache, image_size=16)
        return len([path for path in cache.iterdir() if path.name != "known"])

    assert [entries(), entries()] == [1, 1]
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / f"{decoder}.py").touch()
    monkeypatch.syspath_prepend(installed)
    assert [entries(), entries()] == [2, 2]
