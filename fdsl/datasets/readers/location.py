"""Where a dataset's files are, decided by looking at names only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fdsl.schema.catalogue import DownstreamDataset


@dataclass(frozen=True)
class Found:
    """A complete dataset: its folder, and the names of the lists and batches below it."""

    where: Path
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """A dataset that cannot be used, and why."""

    where: Path
    reason: str


def look_in(folder: Path, needed: Iterable[str], *, gzipped: bool = False) -> Found | Missing:
    """Return Found if all `needed` files and folders (names that end in `/`) are below `folder`.

    With `gzipped`, a file may also be there under its name with `.gz`; `Found.files` says which
    form there is.
    """
    if not folder.is_dir():
        return Missing(folder, "the folder does not exist")
    files, absent = [], []
    for name in needed:
        if name.endswith("/"):
            absent += [] if (folder / name).is_dir() else [name]
        elif (folder / name).is_file():
            files.append(name)
        elif gzipped and (folder / f"{name}.gz").is_file():
            files.append(f"{name}.gz")
        else:
            absent.append(name)
    if absent:
        return Missing(folder, f"without {', '.join(absent)}")
    return Found(folder, tuple(files))


def folder_of(entry: DownstreamDataset, data_root: str | Path) -> Path:
    """Return the folder that the catalogue entry names below `data_root`."""
    return Path(data_root).expanduser() / entry.folder
