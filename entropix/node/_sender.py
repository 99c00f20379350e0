"""Results to another node, by C-STORE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_TITLE = 16  # of a node (PS3.5, 6.2: AE)
CONNECT_SECONDS = 30.0
IMPLICIT = "1.2.840.10008.1.2"  # Implicit VR Little Endian
MOMENTARY = (0x0110, 0x0213)  # processing failure, resource limitation (PS3.7, C); and out of resources, 0xA7..


@dataclass(frozen=True)
class Destination:
    """A node to send to.

    Attributes:
        title: its AE title.
        host: its address.
        port: its TCP port.
    """

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Return the destination that `TITLE@HOST:PORT` names.

        Raises:
            ValueError: another text.
        """
        title, _, address = text.rpartition("@")
        host, _, port = address.rpartition(":")
        if not (0 < len(title) <= LONGEST_TITLE and host and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} as a destination; expected TITLE@HOST:PORT, such as ARCHIVE@localhost:104")
        return cls(title, host, int(port))


class Unreachable(Exception):
    """The other node takes no association."""


def send(files: Sequence[Path], to: Destination, ae_title: str) -> dict[Path, str]:
    """Send DICOM files, and remove each that the other node has taken.

    Returns:
        Why it will never take others: it takes none of their kind, or gives a status that is final.

    Raises:
        Unreachable: the other node takes no association.
        ConnectionError: it leaves in the middle, or has no room for some of the files now.
        OSError: others of the files.
    """
    from pynetdicom import AE

    refused, kinds = _kinds(files)
    entity = AE(ae_title=ae_title)
    entity.connection_timeout = CONNECT_SECONDS
    for sop_class, syntax in sorted(set(kinds.values())):
        for one in sorted({syntax, IMPLICIT}):  # which is to be offered always (PS3.5, 10.1)
            entity.add_requested_context(sop_class, one)
    if not kinds:
        return refused
    association = entity.associate(to.host, to.port, ae_title=to.title)
    if not association.is_established and not association.rejected_contexts:
        raise Unreachable(f"{to} takes no association{_why(association)}")
    later = []
    try:
        for path, (sop_class, _) in kinds.items():
            if all(context.abstract_syntax != sop_class for context in association.accepted_contexts):
                refused[path] = f"{to} takes no {sop_class.name}"
                continue
            status = _store(association, path, to)
            if isinstance(status, str):
                refused[path] = status
            elif status == 0 or status >> 12 == 0xB:  # success, or with a warning (PS3.4, B.2.3)
                path.unlink()
            elif status >> 8 == 0xA7 or status in MOMENTARY:
                later.append(f"{path.name}: status 0x{status:04x}")
            else:
                refused[path] = f"{to} answers with status 0x{status:04x}"
    finally:
        if association.is_established:
            association.release()
    if later:
        raise ConnectionError(f"{to} cannot take {len(later)} objects now, the first is {later[0]}")
    return refused


def _kinds(files: Sequence[Path]) -> tuple[dict[Path, str], dict[Path, tuple[Any, Any]]]:
    """Return why files cannot be sent, and of the others SOP class and transfer syntax."""
    from pydicom import dcmread

    damaged, kinds = {}, {}
    for path in files:
        try:
            header = dcmread(path, stop_before_pixels=True)
            kinds[path] = header.SOPClassUID, header.file_meta.TransferSyntaxUID
        except OSError:
            raise
        except Exception as error:  # a damaged object makes its reader raise anything
            damaged[path] = f"no DICOM file: {error}"
    return damaged, kinds


def _store(association: Any, path: Path, to: Destination) -> int | str:
    """Return the status that the other node answers with, or why the file cannot be sent.

    Raises:
        ConnectionError: the other node leaves.
    """
    try:
        status = association.send_c_store(path)
    except OSError:
        raise
    except RuntimeError as error:
        raise ConnectionError(f"{to}: {error}") from error
    except Exception as error:  # no context for the syntax, or nothing that can be encoded
        return str(error) or type(error).__name__
    if "Status" not in status:
        raise ConnectionError(f"{to} left")
    return int(status.Status)


def _why(association: Any) -> str:
    """Return in the other node's words why it takes no association, if it said so."""
    answer = association.acceptor.primitive
    return f": {answer.reason_str}" if association.is_rejected and answer is not None else ""
