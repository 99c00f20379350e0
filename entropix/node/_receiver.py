"""The service that other nodes send to: C-STORE of every storage class in every transfer syntax, and C-ECHO.

Objects go to disk as they come, a part at a time: the memory does not grow with them.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from entropix._utils import install_hint
from entropix.node._queue import Queue

LOG = logging.getLogger("entropix.node")
MOST_ASSOCIATIONS = 10  # at a time; others are refused, and come again
VERIFICATION = "1.2.840.10008.1.1"  # C-ECHO (PS3.4, A.4)
SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000  # PS3.4, B.2.3


def check_installed() -> None:
    """Raise ModuleNotFoundError unless pynetdicom is there."""
    if find_spec("pynetdicom") is None:
        raise ModuleNotFoundError(f"a DICOM node needs pynetdicom: {install_hint('node')}")


@contextmanager
def receiving(queue: Queue, host: str, port: int, ae_title: str, allow: Sequence[str]) -> Iterator[int]:
    """A block in which objects are received into the queue; yields the port.

    Args:
        queue: where they go.
        host: address to listen at.
        port: TCP port; 0: any that is free.
        ae_title: our own; others that call another title are refused.
        allow: titles of those that may send; none: all.

    Raises:
        OSError: the port is in use.
        ValueError: a title that is none.
    """
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt

    entity = AE(ae_title=ae_title)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), list(ALL_TRANSFER_SYNTAXES))
    entity.add_supported_context(VERIFICATION)
    entity.require_called_aet, entity.require_calling_aet = True, list(allow)
    entity.maximum_associations = MOST_ASSOCIATIONS

    def store(event: Any) -> int:
        return _store(queue, event)

    before = _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir
    # pynetdicom writes to the folder for temporary files, and from another disk no rename would be possible
    _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir = True, str(queue.receiving.absolute())
    try:
        server = entity.start_server((host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
        assert server is not None
        try:
            yield int(server.server_address[1])
        finally:
            entity.shutdown()
    finally:
        _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir = before


def _store(queue: Queue, event: Any) -> int:
    """Take an object in; return the status that its sender is told: success means that it is on disk."""
    import pydicom

    try:
        sop = str(event.request.AffectedSOPInstanceUID)
        event.request._dataset_file.close()
        header = pydicom.dcmread(event.dataset_path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        queue.add(event.dataset_path, str(header.get("StudyInstanceUID") or ""), sop)
    except OSError as error:
        LOG.error("not stored: %s", error)
        event.dataset_path.unlink(missing_ok=True)
        return OUT_OF_RESOURCES
    except Exception as error:  # a damaged object makes its reader raise anything
        LOG.error("not understood: %s", error)
        event.dataset_path.unlink(missing_ok=True)
        return NOT_UNDERSTOOD
    return SUCCESS
