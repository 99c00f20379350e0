"""Decoded, resized images on disk, so that the second start on the same files takes no decoding.

One entry per set: `images.npy` (float32, mapped into memory when read) and `facts.json`. Its key is the content of
the files, their names and labels, the settings of the reading and the salt of pseudonyms. So that a start need not
read every file to know its content, `known/` says which key a list of paths, sizes and times of change led to.

An entry appears by a rename, whole or not at all. When the folder exceeds its limit, what was unused for longest
goes. The images are as private as the files they come from: the folder is the user's alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix._utils import new_folder
from entropix._version import __version__
from entropix.data._files import FileItem
from entropix.data._imageset import ImageSet, Origin
from entropix.data.formats import format_names

MOST_BYTES = 10 * 2**30
# Images that are read in less time are not worth keeping, unless a folder for them is named.
WORTH_SECONDS = 1.0
ABANDONED_SECONDS = 24 * 3600
FORMAT = 4
FACTS = ("names", "groups", "natural_scale", "inferred_scale", "unreadable", "passed_over")
ENTRIES = ("unreadable", "passed_over")  # lists of pairs, of which JSON makes lists of lists


def default_folder() -> Path | None:
    """Return the folder `entropix/images` in the user's cache folder; None for a user without a home."""
    from platformdirs import user_cache_path

    try:
        return user_cache_path("entropix", appauthor=False) / "images"
    except RuntimeError:
        return None


class Cache:
    """The entry for one set of files read with certain settings.

    Args:
        folder: for all entries.
        items: the files.
        settings: of the reading.
        salt: mark of the salt of pseudonyms (`mark_of_salt`), with which the names of entries begin. Those of another
            salt are never read, and removed with the next writing: no pseudonym outlives its salt.
    """

    def __init__(self, folder: Path, items: Sequence[FileItem], settings: dict[str, Any], salt: str) -> None:
        self.folder, self.items, self._salt = folder, items, salt
        # a decoder that is installed later may read what was unreadable
        decoders = [name for name in ("pylibjpeg", "gdcm", "jpeg_ls") if find_spec(name)]
        self._settings = [FORMAT, __version__, decoders, format_names(), settings]
        self._key = ""

    def load(self) -> ImageSet | None:
        """Return the images, mapped into memory, or None if they are not there or damaged."""
        try:
            self._key = self._known() or self._content_key()
            facts = json.loads((self._entry / "facts.json").read_text(encoding="utf-8"))
            images = np.load(self._entry / "images.npy", mmap_mode="c", allow_pickle=False)
            facts |= {name: [tuple(entry) for entry in facts[name]] for name in ENTRIES}
            os.utime(self._entry)
            paths = [item.path for item in self.items]
            return ImageSet(
                pixels=torch.from_numpy(images),
                labels=np.array(facts["labels"], dtype=np.int64),
                sizes=np.array(facts["sizes"], dtype=np.int64),
                origins=[Origin(**origin | {"path": paths[origin["path"]]}) for origin in facts["origins"]],
                **{name: facts[name] for name in FACTS},
            )
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def store(self, images: ImageSet) -> None:
        """Keep the images, unless they cannot be written: a cache must not make a reading fail."""
        size = images.pixels.nbytes
        if not self._key or size > MOST_BYTES:
            return
        index: dict[Path | None, int] = {item.path: i for i, item in enumerate(self.items)}
        facts = {name: getattr(images, name) for name in FACTS}
        facts |= {"labels": images.labels.tolist(), "sizes": images.sizes.tolist()}
        facts["origins"] = [asdict(origin) | {"path": index[origin.path]} for origin in images.origins]
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(size)
            with new_folder(self._entry) as partial:
                np.save(partial / "images.npy", images.pixels.numpy())
                (partial / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    @property
    def _entry(self) -> Path:
        return self.folder / self._key

    def _known(self) -> str | None:
        """The key that files of these paths, sizes and times led to before."""
        self._stat_key = self._digest([(str(i.path.absolute()), *_state(i.path)) for i in self.items])
        with contextlib.suppress(OSError):
            return (self.folder / "known" / self._stat_key).read_text(encoding="ascii")
        return None

    def _content_key(self) -> str:
        """The key by the files' content, remembered for their present state."""
        from joblib import Parallel, cpu_count, delayed

        pool = Parallel(n_jobs=max(2, cpu_count()), prefer="threads")
        key = self._digest(pool(delayed(_content)(item.path) for item in self.items))
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = self.folder / "known"
            known.mkdir(exist_ok=True)
            partial = known / f".{self._stat_key}-{os.getpid()}"
            partial.write_text(key, encoding="ascii")
            partial.replace(known / self._stat_key)
        return key

    def _digest(self, states: Sequence[Any]) -> str:
        listing = [(item.name, item.label, item.group, state) for item, state in zip(self.items, states, strict=True)]
        text = json.dumps([self._settings, listing])
        return self._salt + hashlib.blake2b(text.encode(), digest_size=20).hexdigest()

    def _make_room(self, size: int) -> None:
        """Remove the entries unused for longest until `size` bytes fit, and what interrupted writers left."""
        entries = sorted((path for path in self.folder.iterdir() if path.name != "known"), key=_last_used)
        room = MOST_BYTES - size - sum(_bytes(entry) for entry in entries)
        for entry in entries:
            partial = entry.name.startswith(".")
            old = time.time() - _last_used(entry) > ABANDONED_SECONDS if partial else not self._is_ours(entry)
            if old or (room < 0 and not partial):
                room += _bytes(entry)
                shutil.rmtree(entry, ignore_errors=True)
        for known in (self.folder / "known").iterdir():
            led_to = known.read_bytes().decode("ascii", errors="replace")
            if not (self.folder / led_to).is_dir() and known.name != self._stat_key:
                known.unlink(missing_ok=True)

    def _is_ours(self, entry: Path) -> bool:
        return entry.name.startswith(self._salt)


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _content(path: Path) -> str:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def _last_used(entry: Path) -> float:
    return entry.stat().st_mtime


def _bytes(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
