"""A small dataset and what its rendered folder holds."""

from __future__ import annotations

from pathlib import Path

import fdsl

SMALL = {"classes": 3, "instances": 30, "image_size_px": 32, "points": 300}


def dataset(**changes):
    """Return ninety small images."""
    return fdsl.load("fractaldb1k", **(SMALL | changes))


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but the manifest, which tells of the machine."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
