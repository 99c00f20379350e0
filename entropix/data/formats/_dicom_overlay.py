"""Overlays for any viewer: Secondary Captures in RGB (PS3.3 A.8) of the image with its heat map over it.

Below the image a strip says how the score is to be read: the colours' scale, score, p-value, and that this is for
research. Its pixels are rows below those of the image, so nothing is covered and the place in the patient stays true.
Small images are enlarged by a whole number until there is room for letters.
"""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.data.formats._dicom_pixels import frames_of
from entropix.data.formats._dicom_place import lie
from entropix.data.formats._dicom_sources import LOSSY, Stack
from entropix.data.formats._maps import HeatMap, MapFolder
from entropix.data.formats._overlays import coloured, lay_over, picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydicom import Dataset

LEAST_SIDE = 512  # pixels of the shorter side, for letters that can be read
NOTICE = "RESEARCH ONLY - NOT FOR DIAGNOSIS"
# Nothing that is said is longer: all frames of a file have letters of one size, and so one height.
LONGEST = "score -1.234e+05 nats, p = 0.00012: not anomalous at alpha 0.00012"
TAKEN = ("PatientOrientation", "Laterality", "BurnedInAnnotation", *LOSSY)


def overlay(stack: Stack, folder: MapFolder, series: dict[str, Any]) -> Dataset:
    """Return the overlay of a file's frames; those without a map are shown without."""
    import pydicom

    (source,) = stack.sources
    frames = frames_of(pydicom.dcmread(source.maps.path, force=True))
    times = math.ceil(LEAST_SIDE / min(frames.shape[2:]))
    maps = source.by_frame
    pixels = np.stack([_drawn(frame, maps.get(i), times, folder) for i, frame in enumerate(frames)])
    image = _capture(pixels, series)
    image.StudyInstanceUID = source.header.StudyInstanceUID
    if source.place is not None:
        image.FrameOfReferenceUID, image.PositionReferenceIndicator = source.header.FrameOfReferenceUID, ""
        lie(image, source.place.divided(times))
    for keyword in TAKEN:
        if keyword in source.header:
            image[keyword] = source.header[keyword]
    for keyword in ("PatientOrientation", "Laterality"):  # must be there, if only to say that nobody knows
        image.setdefault(keyword, "")
    if len(frames) > 1:  # must be said; where nobody knows, nobody should take the picture for a clean one
        image.setdefault("BurnedInAnnotation", "YES")
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.sop_class, source.header.SOPInstanceUID
    image.SourceImageSequence = [reference]
    return image


def _drawn(frame: np.ndarray, one: HeatMap | None, times: int, folder: MapFolder) -> np.ndarray:
    """Return a frame (c, h, w) with its map over it and the strip below it, uint8 (h', w', 3)."""
    seen = picture(frame, 0.0, 1.0)
    if one is not None:
        seen = lay_over(seen, np.clip(one.values / folder.top, 0, 1))
    pixels = np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8).repeat(times, 0).repeat(times, 1)
    return np.vstack([pixels, np.asarray(_strip(pixels.shape[1], one, folder))])


def _strip(width: int, one: HeatMap | None, folder: MapFolder) -> Image:
    """Return the scale of the colours, score and p-value, and the notice, `width` pixels wide."""
    from PIL import Image, ImageDraw, ImageFont

    scale = ("0", f"{folder.level:.3g} (alpha)", f"{folder.top:.3g} nats/pixel")
    lines = [scale, (_said(one, folder.alpha),), (NOTICE, "", "entropix")]
    tall = ImageFont.load_default(100)
    longest = max(tall.getlength("   ".join(line)) for line in (*lines, (LONGEST,)))
    size = max(int(100 * 0.94 * width / longest), 6)
    step = size * 3 // 2
    strip = Image.new("RGB", (width, 4 * step))
    bar = coloured(np.linspace(0, 1, width)[None].repeat(size // 2, 0))
    strip.paste(Image.fromarray(np.round(255 * bar).astype(np.uint8)), (0, size // 4))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size)
    for row, parts in enumerate(lines, 1):
        for where, anchor, text in zip((0.02, 0.5, 0.98), ("la", "ma", "ra"), parts, strict=False):
            draw.text((where * width, row * step - size // 3), text, "white", font, anchor)
    return strip


def _said(one: HeatMap | None, alpha: float) -> str:
    if one is None:
        return "not scored"
    by_alpha = one.anomalous is None
    anomalous = one.p_value <= alpha if by_alpha else one.anomalous
    verdict = "anomalous" if anomalous else "not anomalous"
    rule = f"at alpha {alpha:.2g}" if by_alpha else "by false discovery rate"
    return f"score {one.score:.4g} nats, p = {one.p_value:.2g}: {verdict} {rule}"


def _capture(pixels: np.ndarray, series: dict[str, Any]) -> Dataset:
    """Return a Secondary Capture of pixels uint8 (f, h, w, 3), without patient, study and place."""
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset

    several, single = uid.MultiFrameTrueColorSecondaryCaptureImageStorage, uid.SecondaryCaptureImageStorage
    now = datetime.datetime.now()
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = several if len(pixels) > 1 else single, series["sop_instance_uid"]
    image.SeriesInstanceUID, image.SeriesNumber = series["series_instance_uid"], series["series_number"]
    image.SeriesDescription, image.InstanceNumber = series["series_description"], series["instance_number"]
    image.Manufacturer, image.ManufacturerModelName = series["manufacturer"], series["manufacturer_model_name"]
    image.SoftwareVersions, image.DeviceSerialNumber = series["software_versions"], series["device_serial_number"]
    image.Modality, image.ConversionType = "OT", "WSD"
    image.ImageType = ["DERIVED", "SECONDARY", "OVERLAY"]
    image.DerivationDescription = "Anomaly heat map over the referenced image, for research"
    image.ContentDate, image.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    if len(pixels) > 1:
        image.NumberOfFrames = len(pixels)
        image.FrameIncrementPointer = 0x00280008  # frames count themselves
    image.Rows, image.Columns = pixels.shape[1:3]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    image["PixelData"].VR = "OB"
    return image
