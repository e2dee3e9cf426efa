"""Image sources: sequences of (pixels, label) that know all labels without decoding an image."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fdsl.datasets.readers.pictures import Box, read_picture
from fdsl.io.escaping import CONTROL
from fdsl.io.storage import DamagedFile

Labels = NDArray[np.int64]

UNKNOWN = -1  # in the labels of an image that shows several classes


class ImageSource(Protocol):
    """Images by index, whose labels are known without decoding an image; safe to pickle.

    An item is (uint8 (H, W) or (H, W, 3), label). `labels` is int64 (n,), 0 to classes - 1; or
    (n, classes) where an image may show several classes: 1 present, 0 absent, -1 unknown, and then
    an item's label is int64 (classes,).
    """

    @property
    def classes(self) -> int: ...

    @property
    def labels(self) -> Labels: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[NDArray[np.uint8], Any]: ...


@dataclass(frozen=True, eq=False)
class LabelledImages(ABC):
    """One split of a downstream dataset as its reader returns it; holds no file open.

    Attributes
    ----------
    labels
        int64 (n,) from 0 to classes - 1, or (n, classes), as in `ImageSource`.
    """

    labels: Labels
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        """Return image `index`, uint8 (H, W) or (H, W, 3), and its label."""

    @abstractmethod
    def digest(self) -> str:
        """Return a SHA-256 that changes with the content; the same wherever the files lie."""

    def per_class(self) -> list[int]:
        """Return the number of images of each class."""
        counts: list[int] = np.bincount(self.labels, minlength=self.classes).tolist()
        return counts

    def absent(self) -> list[Path]:
        """Return the listed files that do not exist."""
        return []


@dataclass(frozen=True, eq=False)
class ArrayImages(LabelledImages):
    """Images that fit into memory, uint8 (n, H, W) or (n, H, W, 3)."""

    images: NDArray[np.uint8]

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        return self.images[index].copy(), int(self.labels[index])

    def digest(self) -> str:
        """Return the SHA-256 of shape, pixels and labels."""
        content = hashlib.sha256(repr(self.images.shape).encode())
        content.update(np.ascontiguousarray(self.images).data)
        content.update(self.labels.astype("<i8").data)
        return content.hexdigest()


@dataclass(frozen=True, eq=False)
class FileImages(LabelledImages):
    """Image files, decoded on access; holds names and labels, never a file handle or pixels.

    1.3 million ImageNet names take about 40 MB.

    Attributes
    ----------
    names
        bytes (n,), relative to `root`.
    boxes
        int32 (n, 4): left, top, right, bottom in pixels; None for whole images.
    """

    root: Path
    names: NDArray[np.bytes_]
    boxes: NDArray[np.int32] | None = None

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        box = None if self.boxes is None else tuple(self.boxes[index].tolist())
        return read_picture(self.path(index), box=box), int(self.labels[index])

    def path(self, index: int) -> Path:
        """Return the file of image `index`."""
        return self.root / os.fsdecode(self.names[index])

    def absent(self) -> list[Path]:
        """Return the listed files that do not exist; one stat per file, no decoding."""
        return absent_files(self.root, self.names)

    def digest(self) -> str:
        """Return the SHA-256 of names, labels and boxes; the same wherever the dataset lies."""
        content = hashlib.sha256(b"\n".join(self.names.tolist()))
        content.update(self.labels.astype("<i8").data)
        if self.boxes is not None:
            content.update(self.boxes.astype("<i4").data)
        return content.hexdigest()


@dataclass(frozen=True, eq=False)
class MultiLabelImages(FileImages):
    """Image files that show any number of classes: `labels` is int64 (n, classes).

    1: present; 0: absent; `UNKNOWN`: counted neither in a loss nor in a score.
    """

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Labels]:
        return read_picture(self.path(index)), self.labels[index].copy()

    def per_class(self) -> list[int]:
        """Return the number of images that show each class."""
        counts: list[int] = (self.labels == 1).sum(axis=0).tolist()
        return counts


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a source, in the order of `indices`, int64 (n,)."""

    source: ImageSource
    indices: Labels

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        return self.source[int(self.indices[index])]

    @property
    def classes(self) -> int:
        """Number of classes of the source."""
        return self.source.classes

    @property
    def labels(self) -> Labels:
        """Labels of the chosen images."""
        return self.source.labels[self.indices]


@dataclass(frozen=True)
class Joined:
    """The images of several sources of the same classes, one after the other."""

    sources: tuple[ImageSource, ...]

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        for source in self.sources:
            if index < len(source):
                return source[index]
            index -= len(source)
        raise IndexError(f"image {index} past the last of {len(self)}")

    @property
    def classes(self) -> int:
        """Number of classes of each source."""
        return self.sources[0].classes

    @property
    def labels(self) -> Labels:
        """Labels of all images."""
        return np.concatenate([source.labels for source in self.sources])


@dataclass(frozen=True, eq=False)
class Relabelled:
    """The images of a source with other labels, of the source's shape."""

    source: ImageSource
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        image, _ = self.source[index]
        return image, self.labels[index].copy()

    @property
    def classes(self) -> int:
        """Number of classes of the source."""
        return self.source.classes


def array_images(
    images: NDArray[np.uint8], labels: ArrayLike, *, classes: int, where: str | Path
) -> ArrayImages:
    """Build an in-memory source; `where` is the file that an error names.

    Raises
    ------
    DamagedFile
        If images and labels differ in number or a label is out of range.
    """
    checked = checked_labels(labels, count=len(images), classes=classes, where=where)
    return ArrayImages(checked, classes, images)


def file_images(
    root: Path,
    names: Sequence[str],
    labels: ArrayLike,
    *,
    classes: int,
    where: str | Path,
    boxes: Sequence[Box] | None = None,
) -> FileImages:
    """Build a source of files below `root`; `where` is the list that an error names.

    Raises
    ------
    DamagedFile
        If names and labels differ in number, a label is out of range or a name leaves `root`.
    """
    checked = checked_labels(labels, count=len(names), classes=classes, where=where)
    packed = file_names(names, root=root, where=where)
    corners = None if boxes is None else np.array(boxes, dtype=np.int32).reshape(-1, 4)
    return FileImages(checked, classes, root, packed, corners)


def file_names(names: Sequence[str], *, root: Path, where: str | Path) -> NDArray[np.bytes_]:
    """Return names as bytes (n,).

    Raises
    ------
    DamagedFile
        Naming the list `where`, if a name leaves `root` or has control characters, which would make
        a digest of joined names ambiguous and which a terminal would obey.
    """
    for name in names:
        named = f"{where} names the file {name!r}"
        if name.startswith("/") or ".." in name.split("/"):
            raise DamagedFile(f"{named}, which is not below {root}; get the list again")
        if CONTROL.search(name) or "\n" in name or "\t" in name:
            raise DamagedFile(f"{named}, which has control characters; rename it")
    return np.array([os.fsencode(name) for name in names], dtype=np.bytes_)


def absent_files(root: Path, names: NDArray[np.bytes_]) -> list[Path]:
    """Return the files below `root` that do not exist, each once."""
    folder = os.fsencode(root)
    absent = [
        name
        for name in np.unique(names).tolist()
        if not os.path.isfile(folder + b"/" + name)  # noqa: PTH113  (a Path for each of a million files is slow)
    ]
    return [root / os.fsdecode(name) for name in absent]


def checked_labels(labels: ArrayLike, *, count: int, classes: int, where: str | Path) -> Labels:
    """Return labels as int64 (count,).

    Raises
    ------
    DamagedFile
        Naming `where`, if there are more or fewer than `count`, or a label is out of range.
    """
    array = np.asarray(labels, dtype=np.int64)
    if array.shape != (count,):
        shapes = f"{count} images but labels of shape {array.shape}"
        raise DamagedFile(f"{where} gives {shapes}; get the file again")
    if count and not (array.min() >= 0 and array.max() < classes):
        raise DamagedFile(
            f"{where} gives labels from {array.min()} to {array.max()}, expected 0 to"
            f" {classes - 1}; get the file again"
        )
    return array
