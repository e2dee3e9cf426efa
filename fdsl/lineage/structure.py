"""Checks of files without a digest by their format; nothing is unpickled, no pixel decoded."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

HEADER_LIMIT = 100_000_000  # bytes; safetensors' own limit for its header
TAIL = 1024
DAMAGED = (ValueError, TypeError, LookupError, struct.error, zipfile.BadZipFile)
UNREADABLE = (OSError, RecursionError, *DAMAGED)


def fault(path: Path) -> str | None:
    """Return what is wrong with a file; None if nothing is, or for an unknown suffix."""
    check = CHECKS.get(path.suffix)
    if check is None:
        return None
    try:
        return check(path)
    except UNREADABLE as error:
        return f"cannot be read ({error})"


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        json.loads(line)


def _text(path: Path) -> str | None:
    return None if path.read_text(encoding="utf-8").strip() else "is empty"


def _safetensors(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(size - 8, HEADER_LIMIT):
            return "is truncated within its header"
        tensors = dict(json.loads(file.read(length)))
    ends = [int(about["data_offsets"][1]) for name, about in tensors.items() if name[:2] != "__"]
    expected = 8 + length + max(ends, default=0)
    return None if size == expected else f"has {size} bytes, {expected} by its header"


def _framed(begin: bytes, end: bytes, *, within: int | None = None) -> Callable[[Path], str | None]:
    """Return a check of a file's first and last bytes; `end` is in the last `within` bytes."""

    def check(path: Path) -> str | None:
        size, tail = path.stat().st_size, within or len(end)
        with path.open("rb") as file:
            head = file.read(len(begin))
            file.seek(max(size - tail, 0))
            last = file.read()
        if head != begin:
            return f"does not begin as {path.suffix} does"
        return None if end in last else f"does not end as {path.suffix} does: it is truncated"

    return check


def _archive(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        bad = archive.testzip()
    return f"is damaged in {bad}" if bad else None


CHECKS: dict[str, Callable[[Path], str | None]] = {
    **dict.fromkeys((".csv", ".html", ".md", ".tex"), _text),
    ".json": _json,
    ".jsonl": _lines,
    ".safetensors": _safetensors,
    ".arrow": _framed(b"ARROW1", b"ARROW1"),
    ".parquet": _framed(b"PAR1", b"PAR1"),
    ".png": _framed(b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    ".pdf": _framed(b"%PDF-", b"%%EOF", within=TAIL),
    ".npz": _archive,
}
