"""File formats: one module each."""

from entropix.data.formats import _dicom as dicom
from entropix.data.formats import _nifti as nifti
from entropix.data.formats import _pillow as pillow
from entropix.data.formats._nifti import canonical, into_volume

__all__ = ["canonical", "dicom", "into_volume", "nifti", "pillow"]
