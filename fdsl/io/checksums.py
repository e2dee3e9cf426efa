"""SHA-256 digests of files, folders and plain data, as 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"  # the key under which a JSON file holds the digest of all its other keys


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(content: Any) -> str:
    """Return the SHA-256 of plain data, independent of the order of keys."""
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()


def checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an object without its key `CHECKSUM`.

    The object is hashed as JSON returns it, with lists for tuples and strings for keys.
    """
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return digest_json(json.loads(json.dumps(rest, allow_nan=False)))


def folder_digest(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of a folder from {name: digest} of its files.

    The text that is hashed has one line `DIGEST  NAME` for each file, sorted by name.
    """
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def files_in(folder: Path) -> dict[str, Path]:
    """Return {relative name: path} of the files in a folder and its subfolders, sorted by path.

    Hidden files and folders, such as Snakemake's time stamp, are left out.
    """
    files = {item.relative_to(folder): item for item in sorted(folder.rglob("*")) if item.is_file()}
    return {
        name.as_posix(): item
        for name, item in files.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def digest_and_size(path: str | Path) -> dict[str, str | int]:
    """Return `sha256` and `bytes` of a file; of a folder the totals, and the number of `files`."""
    target = Path(path)
    if not target.is_dir():
        return {"sha256": digest(target), "bytes": target.stat().st_size}
    files = files_in(target)
    return {
        "sha256": folder_digest({name: digest(item) for name, item in files.items()}),
        "bytes": sum(item.stat().st_size for item in files.values()),
        "files": len(files),
    }
