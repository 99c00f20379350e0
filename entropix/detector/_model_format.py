"""What `detector.json` holds.

Formats before version 7 hold a score that no longer is; there is no way from their numbers to the present one's. Those
of version 7 lack what tells copies of the training images.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from entropix.exceptions import ModelError
from entropix.models import ARCHITECTURES, ImageAutoencoder

FORMAT = "entropix-detector"
VERSION = 8
TENSORS, DESCRIPTION = "model.safetensors", "detector.json"
NEEDED = {
    "kind": str,
    "architecture": str,
    "parameters": dict,
    "model": dict,
    "reason": str,
    "curve": list,
    "history": list,
    "settings": dict,
}


def damaged(folder: Path, reason: object) -> ModelError:
    """Return the error for a model that can't be used."""
    return ModelError(f"{folder} holds a damaged model ({reason}); fit it again")


def read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not folder.exists():
        raise ModelError(f"{folder}: no such folder (looked from {Path.cwd()}); expected what `entropix fit` wrote")
    if not path.is_file():
        raise ModelError(f"{folder} is no model folder: it has no {DESCRIPTION}. Expected what `entropix fit` wrote")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); fit the model again") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ModelError(f"{path} does not describe an entropix detector; expected what `entropix fit` wrote")
    if (found := about.get("version")) != VERSION:
        raise ModelError(
            f"{path} has format version {found}, this entropix reads {VERSION}: use the entropix that wrote it, "
            "or fit again"
        )
    for name, kind in NEEDED.items():
        if not isinstance(about.get(name), kind):
            raise damaged(folder, f"{DESCRIPTION} has no {name}")
    architecture = ARCHITECTURES.get(about["architecture"])
    if architecture is None:
        raise damaged(folder, f"an architecture that this entropix does not know; it knows {', '.join(ARCHITECTURES)}")
    if (about["kind"] == "images") != issubclass(architecture, ImageAutoencoder):
        raise damaged(folder, f"a {about['architecture']} autoencoder is not of {about['kind']}")
    return about
