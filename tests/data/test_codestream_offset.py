"""JPEG 2000 images that don't begin at the corner of their canvas: the size is that of the image."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from dicom_files import save_dicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from entropix.data import DataError, read


def test_the_offset_is_no_part_of_the_size(tmp_path: Path, rng: np.random.Generator) -> None:
    file = BytesIO()
    image = Image.fromarray(rng.integers(0, 256, (24, 32), dtype=np.uint8))
    image.save(file, "JPEG2000", offset=(3, 5), tile_size=(64, 64), no_jp2=True)  # left and top
    shown = np.zeros((8, 8), dtype=np.uint8)
    data = encapsulate([file.getvalue()])
    save_dicom(tmp_path / "a.dcm", shown, syntax=JPEG2000Lossless, PixelData=data)
    with pytest.raises(DataError, match="a frame of 24 x 32 pixels where the header says 8 x 8"):
        read(tmp_path)
    # the canvas is 29 x 35; a header that says so is wrong too
    save_dicom(tmp_path / "a.dcm", shown, syntax=JPEG2000Lossless, PixelData=data, Rows=29, Columns=35)
    with pytest.raises(DataError, match="a frame of 24 x 32 pixels where the header says 29 x 35"):
        read(tmp_path)
