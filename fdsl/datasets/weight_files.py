"""Files of published weights: `weights/` below data_root, under their published names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fdsl.datasets.downstream import MissingData
from fdsl.schema.catalogue import PublishedWeights

FOLDER = "weights"


def file_of(entry: PublishedWeights, data_root: str | Path) -> Path:
    """Return the path of an entry's file."""
    return Path(data_root).expanduser() / FOLDER / entry.file


def require(entries: Mapping[str, PublishedWeights], data_root: str | Path) -> None:
    """Pass if all files are there; looks at names only.

    Raises
    ------
    MissingData
        Once, for all that are missing: name, file, folder and the page to get it from.
    """
    gaps = [
        _explain(name, entry, file_of(entry, data_root))
        for name, entry in entries.items()
        if not file_of(entry, data_root).is_file()
    ]
    if gaps:
        raise MissingData("\n\n".join(gaps))


def _explain(name: str, entry: PublishedWeights, path: Path) -> str:
    notes = f"\n  note:       {entry.notes}" if entry.notes else ""
    return (
        f"{name} ({entry.title}) is missing.\n"
        f"  looked for: {path}\n"
        f"  get it:     download {entry.file} from {entry.page} and put it into {path.parent}\n"
        f"  sha256:     {entry.sha256 or 'not published'}\n"
        f"  licence:    {entry.licence}{notes}"
    )
