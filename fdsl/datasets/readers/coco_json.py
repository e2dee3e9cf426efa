"""Find and check COCO's annotations, `annotations/instances_PART.json`, on the way to arrays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.coco import CocoImages
from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.run_lengths import finite_numbers, run_lengths
from fdsl.datasets.readers.sources import file_names
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "pillow", "pycocotools")
LARGEST_SCENE_BYTES = 4 * 2**30  # of one image's masks
MALFORMED = (KeyError, TypeError, ValueError, OverflowError)


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
