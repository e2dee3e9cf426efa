"""Records: the JSON that each finished job leaves, with a checksum.

A record holds the job's spec (`order`), code fingerprint (`code`), inputs by digest (`inputs`),
`environment`, start and end (`started`, `finished`) and outputs by digest and size (`outputs`). A
training's is record.json in its folder; any other is NAME.record.json beside the job's output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fdsl.io import storage
from fdsl.io.checksums import digest_and_size
from fdsl.io.storage import DamagedFile

NAME = "record.json"


def write(
    path: str | Path, content: Mapping[str, Any], *, outputs: Iterable[str | Path] = ()
) -> None:
    """Add `outputs` and `finished` to a record and write it atomically.

    Parameters
    ----------
    path
        record.json, or NAME.record.json.
    content
        Plain JSON data.
    outputs
        Files and folders that the job has made; missing ones are left out.

    Raises
    ------
    ValueError
        If a number is infinite or NaN.
    """
    made = {str(item): digest_and_size(item) for item in outputs if Path(item).exists()}
    storage.write_checksummed(path, {**content, "outputs": made, "finished": now()})


def read(path: str | Path) -> dict[str, Any]:
    """Read a record and verify its checksum.

    Raises
    ------
    DamagedFile
        If the file is not a record, or its checksum does not match.
    """
    content = storage.read_json(path)
    if not isinstance(content, dict) or "kind" not in content:
        raise DamagedFile(f"{path} is not a record; delete it and run the same command again")
    return content


def record_path(path: str | Path) -> Path:
    """Return the path of the record about one file or folder."""
    return Path(path).with_suffix(f".{NAME}")


def now() -> str:
    """Return the UTC time as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
