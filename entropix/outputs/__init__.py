"""What a detector leaves behind: score tables, volumes' scores, heat maps as PNG, NIfTI and DICOM, exported models."""
