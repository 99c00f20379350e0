"""DICOM objects in independent programs: DCMTK's `dcm2pnm` draws them, dicom3tools' `dciodvfy` finds no error.

Both are Debian's packages (dcmtk, dicom3tools) and skipped where they are missing.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import item, save_dicom, save_series
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_voi_lut
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    UltrasoundMultiFrameImageStorage,
)

import entropix
from entropix.data import Select
from entropix.data.formats._dicom_objects import OBJECTS
from entropix.data.formats._maps import resize_map
from entropix.detector import EntropixDetector
from entropix.writers import write_heatmaps

with_dcmtk = pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="needs dcm2pnm: Debian's package dcmtk")
with_dicom3tools = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="needs dciodvfy: Debian's package dicom3tools"
)
SHIPPED = ("CT_small.dcm", "MR_small.dcm", "rtdose.dcm", "JPEG2000.dcm", "examples_rgb_color.dcm", "emri_small.dcm")


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    images = entropix.datasets.phantoms(100, 2, image_size=16).images[:, 0]
    return entropix.fit((images * 255).astype(np.uint8), latent_dim=2, epochs=5, image_size=16, progress=False)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT series with lesions, an enhanced file, a film, a radiograph in MONOCHROME1, and pydicom's own files."""
    folder = tmp_path_factory.mktemp("scans")
    images = entropix.datasets.phantoms(4, 2, image_size=48, seed=1).images[:, 0, :, :40]
    images[2:, 12:24, 20:32] = 1
    stored = (255 * images).astype(np.uint8)
    save_series(folder / "ct", stored)
    own = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, i])]) for i in range(4)]
    measures = item(PixelSpacing=[1, 2], SliceThickness=1)
    plane = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared = [item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[plane])]
    groups = {"PerFrameFunctionalGroupsSequence": own, "SharedFunctionalGroupsSequence": shared}
    save_dicom(
        folder / "enhanced.dcm", stored, SOPClassUID=EnhancedMRImageStorage, FrameOfReferenceUID="1.2.3", **groups
    )
    save_dicom(folder / "film.dcm", stored, SOPClassUID=UltrasoundMultiFrameImageStorage, PatientID="7")
    chest = {"PhotometricInterpretation": "MONOCHROME1", "PatientOrientation": ["L", "F"]}
    save_dicom(folder / "dx.dcm", 255 - stored[3], SOPClassUID=DigitalXRayImageStorageForPresentation, **chest)
    for name in SHIPPED:
        path = get_testdata_file(name, download=False)
        if path:
            shutil.copy(path, folder / name)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["replaced", "kept"])
def objects(
    request: pytest.FixtureRequest, detector: EntropixDetector, scans: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a folder of each kind, of every source alone."""
    out = tmp_path_factory.mktemp("objects")
    for path in scans.iterdir():
        images = detector.read(path, select=Select(series="*"), keep_ids=request.param, cache=False)
        write_heatmaps(out / path.stem, detector, images, keep_ids=request.param, dicom=list(OBJECTS))
    return out


def drawn(path: Path, folder: Path, *options: str, frame: int = 1) -> np.ndarray:
    """The picture that dcm2pnm makes of a frame."""
    made = folder / "picture.pnm"
    subprocess.run(["dcm2pnm", *options, "+F", str(frame), str(path), str(made)], check=True, capture_output=True)
    with Image.open(made) as picture:
        return np.asarray(picture).astype(float)


def alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@with_dicom3tools
def test_dciodvfy_finds_no_error(objects: Path) -> None:
    found = {}
    for path in sorted(path for path in objects.rglob("*.dcm") if path.is_file()):
        result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        errors = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("Error")]
        if errors:
            found[path.relative_to(objects).as_posix()] = errors
    assert found == {}


@with_dcmtk
def test_pictures_of_maps_show_the_maps(detector: EntropixDetector, scans: Path, objects: Path, tmp_path: Path) -> None:
    for path in sorted(objects.glob("*/map/**/*.dcm")):
        one = pydicom.dcmread(path)
        pixels = one.pixel_array.reshape(-1, one.Rows, one.Columns)
        for frame in (1, len(pixels)):
            seen = drawn(path, tmp_path, "+Wi", "1", frame=frame)  # through the window of the file
            assert len(np.unique(seen)) > 5, path
            windowed = np.clip(pixels[frame - 1], 0, one.WindowWidth)
            assert alike(seen, windowed) > 0.999, path
            assert alike(apply_voi_lut(pixels[frame - 1], one), seen) > 0.999, path
    (series,) = objects.glob("ct/map/*.dcm")
    images = detector.read(scans / "ct", cache=False)
    values = [resize_map(one, (48, 40)) for one in detector.surprise_maps(images)]
    level = detector.calibration_.threshold(0.05, "peak")
    for i, one in enumerate(values):
        seen = drawn(series, tmp_path, "+Wi", "1", frame=4 - i)  # highdicom begins at the upper end
        np.testing.assert_allclose(seen / 255, np.clip(one / (2 * level), 0, 1), atol=0.02)


@with_dcmtk
def test_pictures_of_overlays_and_segmentations(scans: Path, objects: Path, tmp_path: Path) -> None:
    for path in sorted(objects.glob("*/overlay/**/*.dcm")):
        one = pydicom.dcmread(path)
        seen = drawn(path, tmp_path)
        np.testing.assert_array_equal(seen, one.pixel_array.reshape(-1, one.Rows, one.Columns, 3)[0], err_msg=str(path))
        assert seen.std() > 10
    (path,) = objects.glob("ct/seg/*.dcm")
    frames = int(pydicom.dcmread(path).NumberOfFrames)
    lesions = [drawn(path, tmp_path, frame=i)[12:24, 20:32] > 0 for i in range(1, frames + 1)]
    assert max(one.mean() for one in lesions) > 0.3
