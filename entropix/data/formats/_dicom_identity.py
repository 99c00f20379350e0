"""Who and whose study it is, in DICOM objects: all identifiers are the source's, or all are replaced.

*Kept* (`keep_ids`): patient, study and the UIDs of all that is referred to are those of the source, so that an archive
files the objects beside it and viewers lay them over it.

*Replaced* (the default): the Basic Application Level Confidentiality Profile of PS3.15, table E.1-1, for the few
elements that are taken over at all. The patient's number and all UIDs are replaced by salted hashes, the same ones in
every object, table and run on this machine, until the salt is deleted. Names, numbers and dates of the study are
empty; dates that must be there are 1900-01-01. The objects then form a study of their own; they refer to images that
are replaced in the same way. Pixels are not cleaned: an overlay shows what the image shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropix.data._privacy import pseudonym, replaced_uid

if TYPE_CHECKING:
    from pydicom import Dataset

# Elements of patient and study that must be there, but may be empty (type 2).
EXPECTED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
# What else the source says of patient, study and its own de-identification.
MORE = (
    "IssuerOfPatientID",
    "StudyDescription",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NO_TIME = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")


def patient_of(source: Dataset, keep_ids: bool) -> str:
    """Return the patient's number, else the study's UID, as it is or as a pseudonym; "" if neither is known."""
    number = str(source.get("PatientID") or source.get("StudyInstanceUID") or "").strip()
    return number if keep_ids or not number else pseudonym(number)


def uid_of(source: Dataset, keyword: str, keep_ids: bool) -> str:
    """Return a UID of a file, as it is or replaced; "" where it has none. Tables and objects have theirs from here."""
    uid = str(source.get(keyword) or "").strip()
    return uid if keep_ids or not uid else replaced_uid(uid)


def identity_of(source: Dataset, keep_ids: bool) -> Dataset:
    """Return the elements of patient and study that every object made from `source` gets."""
    from pydicom import Dataset

    identity = Dataset()
    for keyword in EXPECTED:
        setattr(identity, keyword, "")
    kept = ("SpecificCharacterSet", *EXPECTED, *MORE) if keep_ids else ("SpecificCharacterSet",)
    for keyword in kept:
        if keyword in source:
            identity[keyword] = source[keyword]  # as it is written, which need not be valid
    if not keep_ids:
        identity.PatientID = patient_of(source, keep_ids=False)
        identity.update(_deidentified())
    return identity


def uids_of(source: Dataset, placed: bool, keep_ids: bool) -> dict[str, str]:
    """Return the UIDs by which an object refers to `source`; a new one stands for one that is missing.

    Args:
        source: the file's header.
        placed: whether it lies somewhere in the patient. Images of one series then share a frame of reference, also
            where it is not named; others have one each, which is their own.
        keep_ids: return the file's own.
    """
    from pydicom.uid import generate_uid

    known = {keyword: uid_of(source, keyword, keep_ids) or str(generate_uid()) for keyword in UIDS}
    frame = uid_of(source, "FrameOfReferenceUID", keep_ids)
    own = known["SeriesInstanceUID"] if placed else known["SOPInstanceUID"]
    return known | {"FrameOfReferenceUID": frame if placed and frame else str(generate_uid(entropy_srcs=[own]))}


def without_times(dataset: Dataset) -> None:
    """Replace all dates and times that are not empty, at any depth."""
    for element in dataset.iterall():
        if element.VR in NO_TIME and not element.is_empty:
            element.value = NO_TIME[element.VR]


def _deidentified() -> Dataset:
    """Return the elements that say how identifiers were removed (PS3.15, E.1.1)."""
    from pydicom import Dataset

    profile, said = Dataset(), Dataset()
    profile.CodeValue, profile.CodingSchemeDesignator, profile.CodeMeaning = PROFILE
    said.PatientIdentityRemoved = "YES"
    said.DeidentificationMethod = ["entropix: PS3.15 Basic Profile", "UIDs and patient replaced by salted hashes"]
    said.DeidentificationMethodCodeSequence = [profile]
    said.LongitudinalTemporalInformationModified = "REMOVED"
    return said
