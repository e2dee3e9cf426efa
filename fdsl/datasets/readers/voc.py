"""Pascal VOC 2012 as single-label classification: each annotated object's bounding box is one
image.

The challenge's classification task is multi-label; the papers print top-1 accuracy, which needs one
label per image. The first author of FractalDB answered (with "I guess") that the boxes were cropped
and paired with their label:
https://github.com/hirokatsukataoka16/FractalDB-Pretrained-ResNet-PyTorch/issues/2
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from fdsl.datasets.readers.integrity import content, text_lines
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.pictures import Box
from fdsl.datasets.readers.sources import FileImages, file_images, file_names
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "pillow")
LISTS = {"train": "ImageSets/Main/train.txt", "test": "ImageSets/Main/val.txt"}
CLASS_NAMES = """aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse
motorbike person pottedplant sheep sofa train tvmonitor"""
CLASSES = tuple(CLASS_NAMES.split())


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the two lists and the folders of pictures and annotations."""
    return look_in(folder_of(entry, data_root), [*LISTS.values(), "JPEGImages/", "Annotations/"])


def read(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """Read one split's objects that are not `difficult`, in the order of list and annotation.

    Raises
    ------
    DamagedFile
        If a list or an annotation is missing or damaged.
    """
    names: list[str] = []
    labels: list[int] = []
    boxes: list[Box] = []
    where = found.where / LISTS[split]
    pictures = [line.split()[0] for line in text_lines(entry, found.where, LISTS[split])]
    file_names(pictures, root=found.where, where=where)  # before the first annotation is opened
    for picture in pictures:
        for label, box in _objects(entry, found.where, f"Annotations/{picture}.xml"):
            names.append(f"JPEGImages/{picture}.jpg")
            labels.append(label)
            boxes.append(box)
    return file_images(found.where, names, labels, classes=entry.classes, where=where, boxes=boxes)


def _objects(entry: DownstreamDataset, folder: Path, name: str) -> Iterator[tuple[int, Box]]:
    """Yield class and box of non-difficult objects; VOC counts pixels from 1, inclusive."""
    data = content(entry, folder, name)
    try:
        text = data.decode()  # whatever it declares, so that no encoding hides what is looked for
        if "<!DOCTYPE" in text:
            raise ValueError("it declares a document type, which can define entities")
        for thing in ET.fromstring(text).findall("object"):
            if thing.findtext("difficult", "0").strip() == "1":
                continue
            left, top, right, bottom = (
                round(float(thing.findtext(f"bndbox/{side}", "none")))
                for side in ("xmin", "ymin", "xmax", "ymax")
            )
            if left > right or top > bottom:
                raise ValueError(f"empty box {(left, top, right, bottom)}")
            label = CLASSES.index(thing.findtext("name", "").strip())
            yield label, (left - 1, top - 1, right, bottom)
    except (ET.ParseError, ValueError, OverflowError) as error:
        raise DamagedFile(
            f"{folder / name} is not a VOC annotation ({error}); get {entry.title} again"
        ) from None
