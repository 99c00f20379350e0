"""Patients and DICOM's UIDs as pseudonyms: one identifier, one pseudonym, and no way back without the salt.

A plain hash of an identifier can be undone by hashing every possible number. This one is keyed with 16 random
bytes, drawn once per user and kept in the user's data folder, so that pseudonyms stay the same from run to run
on one machine and mean nothing on another. Delete the file to cut all ties to earlier results.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import uuid
from functools import cache
from pathlib import Path

SALT_BYTES = 16


def pseudonym(patient: str) -> str:
    """Return `patient-` and 16 hexadecimal digits for a patient's number."""
    text = f"patient:{patient}".encode(errors="backslashreplace")
    return f"patient-{hashlib.blake2b(text, key=_salt()[0], digest_size=8).hexdigest()}"


def replaced_uid(uid: str) -> str:
    """Return the UID that stands for a DICOM UID, always the same: 2.25 and a UUID as a number (PS3.5, B.2)."""
    text = f"uid:{uid}".encode(errors="backslashreplace")
    digest = hashlib.blake2b(text, key=_salt()[0], digest_size=16).digest()
    return f"2.25.{uuid.UUID(bytes=digest, version=5).int}"


def mark_of_salt() -> str | None:
    """Return 8 hexadecimal digits that tell the user's salt from others; None if it is not kept beyond the process."""
    salt, kept = _salt()
    return hashlib.blake2b(b"mark", key=salt, digest_size=4).hexdigest() if kept else None


def salt_file() -> Path:
    """Return the file in which the salt is kept.

    Raises:
        RuntimeError: the user has no home.
    """
    from platformdirs import user_data_path

    return user_data_path("entropix", appauthor=False) / "salt"


@cache
def _salt() -> tuple[bytes, bool]:
    """The user's salt, drawn if there is none, and True; where it can't be kept, one for this process, and False."""
    try:
        path = salt_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # a link makes the new file appear whole: a process that starts at the same time reads all of it
            partial = path.with_name(f".salt-{secrets.token_hex(8)}")
            partial.touch(mode=0o600)
            partial.write_bytes(secrets.token_bytes(SALT_BYTES))
            os.link(partial, path)
        except FileExistsError:
            pass
        finally:
            partial.unlink(missing_ok=True)
        salt = path.read_bytes()
    except (OSError, RuntimeError):
        salt = b""
    return (salt, True) if len(salt) == SALT_BYTES else (secrets.token_bytes(SALT_BYTES), False)
