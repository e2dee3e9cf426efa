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
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.pictures import read_picture
from fdsl.datasets.readers.run_lengths import finite_numbers, run_lengths
from fdsl.datasets.readers.sources import absent_files, file_names
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "pillow", "pycocotools")
LARGEST_SCENE_BYTES = 4 * 2**30  # of one image's masks
MALFORMED = (KeyError, TypeError, ValueError, OverflowError)


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


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the annotations and the pictures of each part, and for pycocotools."""
    import importlib.util

    if importlib.util.find_spec("pycocotools") is None:
        return Missing(Path("pycocotools"), "it is not installed: pip install 'fdsl[detection]'")
    needed = [name for part in entry.parts.values() for name in (_annotations(part), f"{part}/")]
    return look_in(folder_of(entry, data_root), needed)


def read(entry: DownstreamDataset, found: Found, split: Part) -> CocoImages:
    """Read the annotations of one part.

    Raises
    ------
    DamagedFile
        If the file is not in COCO's format or holds an impossible id, size, box or segmentation;
        the message names the annotation.
    """
    part = entry.parts[split]
    where = found.where / _annotations(part)
    try:
        instances = json.loads(content(entry, found.where, _annotations(part)))
        return _Instances(where, found.where / part, instances).images(entry.classes)
    except DamagedFile:
        raise
    except (*MALFORMED, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise DamagedFile(
            f"{where} is not a file of COCO instances ({reason}); get {entry.title} again"
        ) from None


def _annotations(part: str) -> str:
    return f"annotations/instances_{part}.json"


class _Instances:
    """The content of a JSON file, checked on the way to arrays."""

    def __init__(self, where: Path, root: Path, content: dict[str, Any]) -> None:
        self.where, self.root = where, root
        self.pictures = dict(sorted(_by_id(content["images"], "images").items()))
        self.sizes = {
            number: (_positive(picture, "height"), _positive(picture, "width"))
            for number, picture in self.pictures.items()
        }
        self.categories = dict(sorted(_by_id(content["categories"], "categories").items()))
        self.label_of = {number: label for label, number in enumerate(self.categories)}
        self.annotations = _by_id(content["annotations"], "annotations")

    def images(self, classes: int) -> CocoImages:
        """Return the arrays, objects sorted by image id and annotation id."""
        if len(self.categories) != classes:
            raise ValueError(f"{len(self.categories)} categories, the catalogue says {classes}")
        rows = sorted(self._objects(), key=lambda row: row[:2])
        counts = Counter(row.picture for row in rows)
        for number, (height, width) in self.sizes.items():
            if counts[number] * height * width > LARGEST_SCENE_BYTES:
                raise ValueError(
                    f"picture {number} of {width} × {height} pixels has {counts[number]} objects,"
                    f" whose masks take more than {LARGEST_SCENE_BYTES} bytes"
                )
        codes = [row.code for row in rows]
        names = [str(picture["file_name"]) for picture in self.pictures.values()]
        return CocoImages(
            annotations=self.where,
            root=self.root,
            names=file_names(names, root=self.root, where=self.where),
            image_ids=np.array(list(self.pictures), np.int64),
            sizes=np.array(list(self.sizes.values()), np.int64).reshape(-1, 2),
            category_ids=np.array(list(self.categories), np.int64),
            category_names=tuple(str(each["name"]) for each in self.categories.values()),
            first=np.cumsum([0, *(counts[number] for number in self.pictures)], dtype=np.int64),
            boxes=np.array([row.box for row in rows], np.float32).reshape(-1, 4),
            labels=np.array([row.label for row in rows], np.int64),
            crowd=np.array([row.crowd for row in rows], np.bool_),
            area=np.array([row.area for row in rows], np.float64),
            codes=np.frombuffer(b"".join(codes), np.uint8),
            ends=np.cumsum([0, *map(len, codes)], dtype=np.int64),
            dropped=len(self.annotations) - len(rows),
        )

    def _objects(self) -> Iterator[_Object]:
        """Yield the objects whose clipped box is not empty."""
        for number, annotation in self.annotations.items():
            try:
                found = self._object(number, annotation)
            except MALFORMED as error:
                reason = f"{error} is missing or unknown" if isinstance(error, KeyError) else error
                raise DamagedFile(
                    f"{self.where}: annotation {number}: {reason}; get the annotations again"
                ) from None
            if found is not None:
                yield found

    def _object(self, number: int, annotation: dict[str, Any]) -> _Object | None:
        picture = annotation["image_id"]
        height, width = self.sizes[picture]
        label = self.label_of[annotation["category_id"]]
        crowd = annotation["iscrowd"]
        if crowd not in (0, 1):
            raise ValueError(f"iscrowd = {crowd!r}, expected 0 or 1")
        x, y, w, h = finite_numbers(annotation["bbox"], "bbox", count=4).tolist()
        code = run_lengths(annotation["segmentation"], height=height, width=width)
        (area,) = finite_numbers([annotation["area"]], "area", count=1).tolist()
        box = np.array([max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)], np.float32)
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        return _Object(picture, number, label, box, bool(crowd), area, code)


class _Object(NamedTuple):
    picture: int
    number: int
    label: int
    box: NDArray[np.float32]
    crowd: bool
    area: float
    code: bytes


def _by_id(items: list[dict[str, Any]], name: str) -> dict[int, dict[str, Any]]:
    """Return the items of a list by their ids, each once."""
    found = {item["id"]: item for item in items}
    if len(found) != len(items):
        raise ValueError(f"an id stands twice in {name}")
    if odd := [number for number in found if type(number) is not int]:
        raise ValueError(f"id {odd[0]!r} in {name} is not an integer")
    return found


def _positive(item: dict[str, Any], key: str) -> int:
    value = item[key]
    if type(value) is not int or not 0 < value < 2**15:
        raise ValueError(f"{key} = {value!r} of id {item['id']}, expected 1 to {2**15 - 1}")
    return value
