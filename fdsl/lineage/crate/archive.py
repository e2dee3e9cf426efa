"""A folder as a reproducible .zip file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from fdsl.io import storage

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a .zip can hold


def pack(folder: Path, out: Path) -> None:
    """Write a folder as an archive whose bytes depend on names and content alone."""
    with storage.atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                with (
                    path.open("rb") as source,
                    archive.open(entry, "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target)
