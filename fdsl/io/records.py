"""Records: what every job leaves about itself, checksummed so that a changed digit shows.

A record holds what was asked for (`order`), by which code (`code`), from what (`inputs`, by
digest), on what (`environment`), when (`started`, `finished`), and what came out (`outputs`, by
digest and size). It stands in the folder of a training as record.json, elsewhere beside the file
that it is about, as NAME.record.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fdsl.io import storage
from fdsl.io.storage import DamagedFile

NAME = "record.json"


def write(
    path: str | Path, content: Mapping[str, Any], *, outputs: Iterable[str | Path] = ()
) -> None:
    """Complete a record and write it, whole or not at all.

    Parameters
    ----------
    path
        record.json, or NAME.record.json.
    content
        Plain JSON data.
    outputs
        Files and folders that the job has made; those that do not exist are left out, because a
        training without a journal leaves none.

    Raises
    ------
    ValueError
        If a number is infinite or not a number.
    """
    made = {str(item): stated(item) for item in outputs if Path(item).exists()}
    whole = {**content, "outputs": made, "finished": now()}
    storage.write_checksummed(path, whole)


def read(path: str | Path) -> dict[str, Any]:
    """Read a record.

    Raises
    ------
    DamagedFile
        If the file is not a JSON object, or differs from what its checksum says.
    """
    content = storage.read_json(path)
    if not isinstance(content, dict) or "kind" not in content:
        raise DamagedFile(f"{path} is not a record; delete it and run the same command again")
    return content


def beside(path: str | Path) -> Path:
    """Return where the record about one file or folder stands."""
    return Path(path).with_suffix(f".{NAME}")


def stated(path: str | Path) -> dict[str, Any]:
    """Return SHA-256 and size in bytes of a file; of a folder those of all that is in it, and the
    number of files.
    """
    target = Path(path)
    if target.is_dir():
        files = members(target)
        digests = {name: storage.digest(item) for name, item in files.items()}
        size = sum(item.stat().st_size for item in files.values())
        return {"sha256": folder_digest(digests), "bytes": size, "files": len(files)}
    return dict(storage.stated(target))


def members(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by their names in it; not hidden ones, such as the time stamp
    that Snakemake adds.
    """
    files = {item.relative_to(folder): item for item in sorted(folder.rglob("*")) if item.is_file()}
    return {
        name.as_posix(): item
        for name, item in files.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def folder_digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 for a folder: of a line `DIGEST  NAME` for each file, in the order of the
    names.
    """
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_digest(path: str | Path) -> None:
    """Compare a file with the digest in its record; pass if no record describes it.

    The record is record.json in the same folder or, beside NAME.csv, NAME.html and other files of
    one report, NAME.record.json.

    Raises
    ------
    DamagedFile
        If the digests differ, or the record is damaged.
    """
    file = Path(path)
    for record in (file.with_name(NAME), file.with_name(f"{file.name.split('.')[0]}.{NAME}")):
        outputs = storage.read_json(record).get("outputs", {}) if record.is_file() else {}
        recorded = {Path(name).name: entry["sha256"] for name, entry in outputs.items()}
        if file.name in recorded and recorded[file.name] != storage.digest(file):
            raise DamagedFile(
                f"{file} is not the file that {record.name} beside it describes; {storage.AGAIN}"
            )
