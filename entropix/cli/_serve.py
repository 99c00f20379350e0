"""Be a DICOM node."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import USUAL_OBJECTS, Device, Objects, app, interruptible


@app.command(short_help="Be a DICOM node: studies in, heat maps out.")
def serve(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    folder: Annotated[Path, typer.Option(help="Folder for the queue and the results.")] = Path("entropix-node"),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port to listen at.")] = 11_112,
    host: Annotated[
        str, typer.Option(help="Address to listen at; the default is for this machine alone.")
    ] = "127.0.0.1",
    ae_title: Annotated[str, typer.Option(help="AE title of the node.")] = "ENTROPIX",
    allow: Annotated[list[str] | None, typer.Option(help="AE title that may send; several: repeat it.")] = None,
    to: Annotated[str | None, typer.Option(metavar="TITLE@HOST:PORT", help="Node to send heat maps to.")] = None,
    dicom: Objects = USUAL_OBJECTS,
    quiet: Annotated[float, typer.Option(min=0, help="Seconds without an object that make a study complete.")] = 30.0,
    device: Device = "auto",
) -> None:
    """Receive studies by DICOM C-STORE, score each when it is complete, and send or store the results."""
    import entropix
    from entropix.node import Destination, Node

    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("entropix").setLevel(logging.INFO)
    node = Node(
        entropix.load(model, device=device),
        folder,
        host,
        port,
        ae_title,
        allow or (),
        None if to is None else Destination.parse(to),
        quiet,
        dicom,
    )
    signal.signal(signal.SIGTERM, lambda *_: node.stop())
    with interruptible():
        node.run()
