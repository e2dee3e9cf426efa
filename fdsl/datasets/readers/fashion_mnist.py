"""Fashion-MNIST from idx files, gzipped or not, in data_root or in Debian's package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import ArrayImages, array_images
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy",)
PREFIX = {"train": "train", "test": "t10k"}
KINDS = ("images-idx3", "labels-idx1")
NAMES = [f"{prefix}-{kind}-ubyte" for prefix in PREFIX.values() for kind in KINDS]


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look in data_root first, then in the folders of operating systems' packages."""
    first = look_in(folder_of(entry, data_root), NAMES, gzipped=True)
    if isinstance(first, Found):
        return first
    for folder in entry.also_in:
        other = look_in(Path(folder), NAMES, gzipped=True)
        if isinstance(other, Found):
            return other
    also = f" (also looked in {', '.join(entry.also_in)})" if entry.also_in else ""
    return Missing(first.where, first.reason + also)


def read(entry: DownstreamDataset, found: Found, split: Part) -> ArrayImages:
    """Read the images of one part, uint8 (n, 28, 28).

    Raises
    ------
    DamagedFile
        If a file's unzipped content has another digest or is not an idx file.
    """
    images_name, labels_name = [name for name in found.files if name.startswith(PREFIX[split])]
    images = _idx(entry, found.where, images_name, dimensions=3)
    labels = _idx(entry, found.where, labels_name, dimensions=1)
    return array_images(images, labels, classes=entry.classes, where=found.where / labels_name)


def _idx(
    entry: DownstreamDataset, folder: Path, name: str, *, dimensions: int
) -> NDArray[np.uint8]:
    """Read the idx format: two zero bytes, 8 (uint8), the number of dimensions, their sizes
    (big-endian), the data.
    """
    data = content(entry, folder, name)
    start = 4 + 4 * dimensions
    shape = np.frombuffer(data[4:start].ljust(4 * dimensions, b"\0"), dtype=">u4").astype(np.int64)
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) - start != shape.prod():
        raise DamagedFile(
            f"{folder / name} is not an idx file of uint8 with {dimensions} dimensions; get"
            f" {entry.title} again"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
