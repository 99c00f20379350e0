"""Results to another node, by C-STORE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_TITLE = 16  # of a node (PS3.5, 6.2: AE)
MOST_CONTEXTS = 128  # of an association (PS3.8, 9.3.2.2)


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


class Refused(Exception):
    """The other node did not take all objects; the text says why it did not take the first of these."""


def send(files: Sequence[Path], to: Destination, ae_title: str) -> None:
    """Send DICOM files, and remove each that the other node has taken.

    Raises:
        Unreachable: the other node takes no association.
        Refused: it takes objects, but not all of these.
        ConnectionError: it leaves in the middle.
        OSError: others of the files.
    """
    from pydicom import dcmread
    from pynetdicom import AE

    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    wanted = sorted({(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in headers})
    entity = AE(ae_title=ae_title)
    for sop_class, syntax in wanted[:MOST_CONTEXTS]:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(to.host, to.port, ae_title=to.title)
    if not association.is_established:
        raise Unreachable(f"{to.title}@{to.host}:{to.port} takes no association")
    refused = []
    try:
        for path in files:
            try:
                status = association.send_c_store(path)
            except ValueError as error:  # it takes no such objects
                refused.append(f"{path.name}: {error}")
                continue
            except RuntimeError as error:
                raise ConnectionError(f"{to.title}@{to.host}:{to.port}: {error}") from error
            if "Status" not in status:
                raise ConnectionError(f"{to.title}@{to.host}:{to.port} left")
            if status.Status == 0 or status.Status >> 12 == 0xB:  # success, or with a warning (PS3.4, B.2.3)
                path.unlink()
            else:
                refused.append(f"{path.name}: status 0x{status.Status:04x}")
    finally:
        association.release()
    if refused:
        raise Refused(refused[0])
