"""Pascal VOC 2012 as the challenge's own classification task: which of 20 classes are in the whole
picture, any number of them.

`fdsl.datasets.readers.voc` is the other reading of "VOC 2012 classification", one image per object,
which top-1 accuracy needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import text_lines
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import UNKNOWN, MultiLabelImages, file_names
from fdsl.datasets.readers.voc import CLASSES, LISTS, PACKAGES
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import DownstreamDataset

__all__ = ["PACKAGES", "find", "read"]

# What a class list says of a picture: present, absent, there as difficult objects only.
ANSWERS = {"1": 1, "-1": 0, "0": UNKNOWN}


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the lists of the two parts, the lists of the 20 classes, and the pictures."""
    lists = [name for split in LISTS for name in (LISTS[split], *_class_lists(split))]
    return look_in(folder_of(entry, data_root), [*lists, "JPEGImages/"])


def read(
    entry: DownstreamDataset, found: Found, split: Literal["train", "test"]
) -> MultiLabelImages:
    """Read the pictures of one part in the order of its list.

    A class of which a picture shows difficult objects only is `UNKNOWN` there: the challenge leaves
    such pairs out of its score (VOC 2012 development kit, section "classification task"), and we
    leave them out of the loss as well.

    Raises
    ------
    DamagedFile
        If a list is missing or damaged, or a class list does not have the pictures of the part's
        list in its order.
    ConfigError
        If the entry has not 20 classes.
    """
    if entry.classes != len(CLASSES):
        raise ConfigError(f"classes = {entry.classes} of {entry.title}: VOC has {len(CLASSES)}")
    pictures = [line.split()[0] for line in text_lines(entry, found.where, LISTS[split])]
    columns = [_answers(entry, found.where, name, pictures) for name in _class_lists(split)]
    where = found.where / LISTS[split]
    names = file_names(
        [f"JPEGImages/{picture}.jpg" for picture in pictures], root=found.where, where=where
    )
    return MultiLabelImages(found.where, names, np.stack(columns, axis=1), entry.classes)


def _class_lists(split: Literal["train", "test"]) -> list[str]:
    """Return the names of the 20 class lists of a part, in the order of the labels."""
    part = Path(LISTS[split])
    return [(part.parent / f"{name}_{part.name}").as_posix() for name in CLASSES]


def _answers(
    entry: DownstreamDataset, folder: Path, name: str, pictures: list[str]
) -> NDArray[np.int64]:
    """Return one class's labels of all pictures, int64 (n,)."""
    rows = [line.split() for line in text_lines(entry, folder, name)]
    if [row[0] for row in rows] != pictures:
        raise DamagedFile(
            f"{folder / name} does not list the {len(pictures)} pictures of its part in their"
            f" order; get {entry.title} again"
        )
    odd = [row for row in rows if len(row) != 2 or row[1] not in ANSWERS]
    if odd:
        raise DamagedFile(
            f"{folder / name} holds {' '.join(odd[0])!r}, expected a picture and 1, 0 or -1; get"
            f" {entry.title} again"
        )
    return np.array([ANSWERS[answer] for _, answer in rows], dtype=np.int64)
