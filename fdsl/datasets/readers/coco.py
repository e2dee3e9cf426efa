"""Datasets in COCO's format: images with boxes and masks, from `annotations/instances_PART.json`.

The format: https://cocodataset.org/#format-data. Masks are decoded by pycocotools, as COCO's own
evaluation does. The JSON file is read whole: train2017's 448 MB take a minute or two and, while
they are read, a few GB; afterwards each object is a run-length code of about 100 bytes.

How objects are treated:

- `iscrowd` objects (a group under one mask) are returned and marked in `crowd`: leave them out of
  a training's targets, and evaluate against the JSON file itself (`CocoImages.annotations`), where
  they are regions to ignore.
- A box is clipped to the image. One that then has no width or height is *dropped* with its mask
  and counted in `CocoImages.dropped` (train2017 has a few). A malformed or non-finite box or
  polygon is *refused*.
- Images without objects are kept; `CocoImages.objects` counts each image's non-crowd objects.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.pictures import read_picture
from fdsl.datasets.readers.sources import absent_files
from fdsl.io.storage import DamagedFile


class Scene(NamedTuple):
    """One picture with its n objects.

    Attributes
    ----------
    image
        uint8 (H, W, 3).
    boxes
        float32 (n, 4): left, top, right, bottom in pixels, inside the picture, right > left and
        bottom > top.
    labels
        int64 (n,), 0 to classes - 1; `CocoImages.category_ids` turns them back.
    masks
        uint8 (n, H, W), 0 or 1.
    crowd
        bool (n,): the object is a group.
    area
        float64 (n,): of the mask in square pixels, as COCO notes it.
    image_id
        COCO's number of the picture.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: NDArray[np.uint8]
    crowd: NDArray[np.bool_]
    area: NDArray[np.float64]
    image_id: int


@dataclass(frozen=True, eq=False)
class CocoImages:
    """Images and their objects, decoded on access, in the order of COCO's image ids.

    Image i has the objects `first[i]` to `first[i + 1]`, whose run-length codes are
    `codes[ends[k]:ends[k + 1]]`.

    Attributes
    ----------
    annotations
        The JSON file, for pycocotools' and faster-coco-eval's `COCO`.
    image_ids
        int64 (pictures,), ascending.
    category_ids, category_names
        Of the labels 0 to classes - 1: COCO's numbers, ascending and with gaps, and names.
    labels
        int64 (objects,), of all objects.
    dropped
        Objects left out because nothing of their box is inside the picture.
    """

    annotations: Path
    root: Path
    names: NDArray[np.bytes_]
    image_ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    category_names: tuple[str, ...]
    first: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    area: NDArray[np.float64]
    codes: NDArray[np.uint8]
    ends: NDArray[np.int64]
    dropped: int

    @property
    def classes(self) -> int:
        """The number of categories."""
        return len(self.category_ids)

    @property
    def objects(self) -> NDArray[np.int64]:
        """The number of objects of each picture that are no crowd, int64 (pictures,)."""
        before = np.concatenate([[0], np.cumsum(~self.crowd)])
        counts: NDArray[np.int64] = np.diff(before[self.first])
        return counts

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Scene:
        """Decode image `index`.

        Raises
        ------
        DamagedFile
            If its file is missing, damaged or of another size than the annotations say.
        """
        from pycocotools import mask

        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        index %= len(self)
        path = self.path(index)
        image = read_picture(path)
        height, width = self.sizes[index].tolist()
        if image.shape[:2] != (height, width):
            raise DamagedFile(
                f"{path} has {image.shape[1]} × {image.shape[0]} pixels, {self.annotations} says"
                f" {width} × {height}; get the pictures again"
            )
        start, stop = self.first[index : index + 2].tolist()
        chosen = slice(start, stop)
        codes = [
            {"size": [height, width], "counts": self.codes[begin:end].tobytes()}
            for begin, end in pairwise(self.ends[start : stop + 1].tolist())
        ]
        masks = np.zeros((0, height, width), np.uint8)
        if codes:
            with warnings.catch_warnings():  # pycocotools 2.0.11 lacks NumPy 2's `copy` argument
                warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
                masks = mask.decode(codes).transpose(2, 0, 1)
        return Scene(
            image,
            self.boxes[chosen].copy(),
            self.labels[chosen].copy(),
            np.ascontiguousarray(masks),
            self.crowd[chosen].copy(),
            self.area[chosen].copy(),
            int(self.image_ids[index]),
        )

    def path(self, index: int) -> Path:
        """Return the file of picture `index`."""
        return self.root / str(self.names[index].decode())

    def per_class(self) -> list[int]:
        """Return the number of objects of each category, without crowds."""
        counts: list[int] = np.bincount(self.labels[~self.crowd], minlength=self.classes).tolist()
        return counts

    def absent(self) -> list[Path]:
        """Return the listed pictures that do not exist."""
        return absent_files(self.root, self.names)

    def digest(self) -> str:
        """Return the SHA-256 of names, numbers, boxes, labels and masks; pixels are not read."""
        found = hashlib.sha256(b"\n".join(self.names.tolist()))
        arrays = (self.image_ids, self.sizes, self.first, self.boxes, self.labels, self.crowd)
        for array in (*arrays, self.area, self.codes, self.ends, self.category_ids):
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()
