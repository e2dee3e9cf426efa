"""Snapshots of a running training that survive a kill at any moment.

A snapshot is two files: `step-000000120.pt`, and `step-000000120.json` with its SHA-256, the
identity of the training and a digest of itself, which is written last. The newest two are kept, and
an older one goes only when the newest has been read back. A snapshot without its JSON does not
count.
"""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fdsl.io import checksums, storage
from fdsl.io.storage import DamagedFile

log = logging.getLogger(__name__)

KEPT = 2

Identity = Mapping[str, Any]


class ForeignCheckpoint(ValueError):
    """A checkpoint of another training: other recipe, code, seed or inputs."""


def save(folder: str | Path, content: dict[str, Any], *, step: int, identity: Identity) -> None:
    """Store a snapshot durably and remove those that it replaces, and damaged ones of later
    updates.

    Parameters
    ----------
    folder
        Made if missing; nothing else may be kept in it.
    content
        Tensors and plain data.
    step
        Updates that are in it; the name of the snapshot.
    identity
        What decides the course of the training, as plain JSON data.

    Raises
    ------
    DamagedFile
        If the written file does not read back as it was written; the earlier snapshots are left
        alone.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
    target = Path(folder) / f"step-{step:09d}.pt"
    target.with_suffix(".json").unlink(missing_ok=True)
    with storage.atomic_write(target) as temporary, temporary.open("wb") as file:
        file.write(buffer.getbuffer())
    if checksums.digest(target) != digest:
        raise DamagedFile(f"{target} does not read back as it was written: check the disk")
    pointer = {"file": target.name, "sha256": digest, "step": step, "identity": dict(identity)}
    storage.write_checksummed(target.with_suffix(".json"), pointer)
    # this training would have gone on from a newer one, had it been whole
    damaged = [other for other in _pointers(folder) if other.stem > target.stem]
    for other in [*damaged, *_pointers(folder)[len(damaged) + KEPT :]]:
        other.unlink()
        other.with_suffix(".pt").unlink(missing_ok=True)


def load(folder: str | Path, *, identity: Identity) -> dict[str, Any] | None:
    """Return the newest snapshot that is whole, or None if there is none.

    Damaged snapshots are named in the log and skipped.

    Raises
    ------
    ForeignCheckpoint
        If a snapshot is of another training; the message holds both values of everything that
        differs.
    """
    for pointer in _pointers(folder):
        try:
            return _read(pointer, identity)
        except DamagedFile as error:
            log.warning("checkpoint skipped: %s", error)
    return None


def discard(folder: str | Path) -> None:
    """Remove all snapshots, because the training has left its results."""
    if Path(folder).is_dir():
        shutil.rmtree(folder)


def remove_leftovers(folder: str | Path) -> None:
    """Remove what a killed process left half-written. One process alone may call it, before the
    first `save`.
    """
    for temporary in Path(folder).glob(".step-*.tmp"):
        temporary.unlink()


def _pointers(folder: str | Path) -> list[Path]:
    """Return the JSON files of a folder, newest snapshot first."""
    return sorted(Path(folder).glob("step-*.json"), reverse=True)


def _read(pointer: Path, identity: Identity) -> dict[str, Any]:
    """Return one snapshot, or raise DamagedFile or ForeignCheckpoint."""
    about = storage.read_checksummed(pointer)
    if not {"file", "sha256", "identity"} <= about.keys():
        raise DamagedFile(f"{pointer} is not a checkpoint's description")
    _require_same(about["identity"], dict(identity), pointer.parent)
    path = pointer.with_name(about["file"])
    if not path.is_file():
        raise DamagedFile(f"{path} is missing, which {pointer.name} describes")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise DamagedFile(f"{path} ({len(content)} bytes) differs from what was written")
    loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return loaded


def _require_same(theirs: dict[str, Any], ours: dict[str, Any], folder: Path) -> None:
    """Raise ForeignCheckpoint unless two identities are equal."""
    theirs, ours = _flat(theirs), _flat(ours)
    names = sorted(theirs.keys() | ours.keys())
    differ = [
        f"  {name}: {theirs.get(name, 'absent')!r} in the checkpoint,"
        f" {ours.get(name, 'absent')!r} now"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]
    if differ:
        lines = "\n".join(differ)
        raise ForeignCheckpoint(
            f"{folder} holds a checkpoint of another training:\n{lines}\nDelete the folder to start"
            " this training from its beginning, or undo the change to go on."
        )


def _flat(content: Any, name: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with names joined by dots; lists as tuples do, so that JSON
    changes nothing.
    """
    if not isinstance(content, Mapping):
        return {name: list(content) if isinstance(content, tuple) else content}
    parts = [_flat(value, f"{name}.{key}".lstrip(".")) for key, value in content.items()]
    return {key: value for part in parts for key, value in part.items()}
