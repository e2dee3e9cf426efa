"""SHA-256 of many files by several threads: hashing releases Python's lock."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fdsl.io import checksums

MOST_THREADS = 8  # one disk gains nothing from more


def digests(paths: Iterable[Path], *, threads: int | None = None) -> dict[Path, str]:
    """Return the SHA-256 of all files that can be read; the others are left out.

    Parameters
    ----------
    paths
        Files; each is read once.
    threads
        At least 1; None = one for each core, at most 8.
    """
    unique = list(dict.fromkeys(paths))
    count = threads or min(os.cpu_count() or 1, MOST_THREADS)
    with ThreadPoolExecutor(count) as pool:
        found = pool.map(_digest, unique)
    return {path: digest for path, digest in zip(unique, found, strict=True) if digest is not None}


def _digest(path: Path) -> str | None:
    try:
        return checksums.digest(path)
    except OSError:
        return None
