"""Pseudonyms of patients and series: what two of them give away."""

from pathlib import Path

import numpy as np
from dicom_files import save_dicom

from entropix.data import read

NUMBER = "1.2.826.0.1.3680043.8.498.1"


def test_a_number_has_another_pseudonym_as_patient_than_as_series(tmp_path: Path, rng: np.random.Generator) -> None:
    """Else a list of patients with the pseudonyms of series would tell which belong together."""
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 5]}
    image = rng.integers(0, 256, (16, 16), dtype=np.uint8)
    save_dicom(tmp_path / "a.dcm", image, PatientID=NUMBER, SeriesInstanceUID=NUMBER, **lying)
    images = read(tmp_path, image_size=16)
    kind, _, patient = images.groups[0].partition("-")
    series = images.origins[0].volume
    assert kind == "patient"
    assert len(patient) == 16
    assert series.startswith("2.25.")
    assert patient not in f"{int(series.removeprefix('2.25.')):032x}"
