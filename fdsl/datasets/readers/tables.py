"""Arrow and Parquet datasets: layouts of the Hugging Face Hub, of `save_to_disk`, and our shards.

Which files make a split is decided here, from names; `fdsl.datasets.readers.rows` opens them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from fdsl.datasets.readers.integrity import md5
from fdsl.datasets.readers.location import Found, Missing, folder_of
from fdsl.datasets.readers.sources import LabelledImages
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "pillow", "pyarrow")
STATE = "state.json"  # of save_to_disk
NUMBERED = re.compile(r"-(\d+)-of-(\d+)(?=\.|-)")


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for files of each split, and for all of a numbered set such as train-00001-of-00004."""
    folder = folder_of(entry, data_root)
    if not folder.is_dir():
        return Missing(folder, "the folder does not exist")
    files: list[str] = []
    for where in entry.parts.values():
        if (folder / where).is_dir():
            if not (folder / where / STATE).is_file():
                return Missing(folder, f"without {where}/{STATE}, which save_to_disk writes")
            files.append(f"{where}/{STATE}")
            continue
        names = _matching(folder, where)
        if not names:
            return Missing(folder, f"without a file {where}")
        if gap := _gap(names):
            return Missing(folder, f"without {gap}")
        files += names
    return Found(folder, tuple(files))


def read(entry: DownstreamDataset, found: Found, split: Part) -> LabelledImages:
    """Open one split: labels are read, images stay encoded.

    Raises
    ------
    DamagedFile
        If a file is missing, damaged, has another digest than the entry's or lacks a column; if its
        own list of class names is not as long as the entry's number of classes; if labels are out
        of range; if Parquet files are too large.
    """
    # pyarrow is slow to import, and finding needs none of it
    from fdsl.datasets.readers.rows import open_rows

    names = _names(entry, found.where, entry.parts[split])
    for name in names:
        expected = entry.files.get(name)
        if expected is not None and (digest := md5(found.where / name)) != expected:
            raise DamagedFile(
                f"{found.where / name} has md5 {digest}, expected {expected}: it is damaged or not"
                f" the published file. {entry.how_to_get}"
            )
    return open_rows(entry, found.where, names)


def _matching(folder: Path, pattern: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern))


def _gap(names: Iterable[str]) -> str | None:
    """Return the first missing name of a numbered set, or None."""
    names = set(names)
    for name in sorted(names):
        if match := NUMBERED.search(name):
            digits, total = len(match[1]), int(match[2])
            for number in range(total):
                wanted = f"{name[: match.start()]}-{number:0{digits}d}-of-{match[2]}"
                if not any(other.startswith(wanted) for other in names):
                    return f"{wanted}{name[match.end() :]}"
    return None


def _names(entry: DownstreamDataset, folder: Path, where: str) -> list[str]:
    """Return a split's files: those that match a pattern, or save_to_disk's list in its order."""
    if not (folder / where).is_dir():
        return _matching(folder, where)
    path = folder / where / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        names = [str(item["filename"]) for item in state["_data_files"]]
        if state.get("_indices_files") or not names or any("/" in name for name in names):
            raise ValueError("it selects rows, or names no file or one elsewhere")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile(
            f"{path} is not what save_to_disk writes ({error}); save {entry.title} again"
        ) from None
    return [f"{where}/{name}" for name in names]
