"""Results to another node, by C-STORE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        if not (title and host and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} as a destination; expected TITLE@HOST:PORT, such as ARCHIVE@localhost:104")
        return cls(title, host, int(port))


def send(files: Sequence[Path], to: Destination, ae_title: str) -> None:
    """Send DICOM files, and remove each once the other node has it.

    Raises:
        ConnectionError: the other node does not answer, refuses, or does not take an object; what it has is removed.
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
        raise ConnectionError(f"{to.title}@{to.host}:{to.port} takes no association")
    try:
        for path in files:
            status = association.send_c_store(path)
            if "Status" not in status or status.Status & 0xF000 not in (0x0000, 0xB000):  # success, or with a warning
                told = f"status 0x{status.Status:04x}" if "Status" in status else "no answer"
                raise ConnectionError(f"{to.title}@{to.host}:{to.port} did not take {path.name}: {told}")
            path.unlink()
    except (ValueError, RuntimeError) as error:  # no context for the object, or a connection that is gone
        raise ConnectionError(f"{to.title}@{to.host}:{to.port}: {error}") from error
    finally:
        association.release()
