"""Pascal VOC 2012 as the challenge's multi-label task: which of 20 classes an image shows.

`fdsl.datasets.readers.voc` is the other reading of "VOC 2012 classification", one image per object,
which top-1 accuracy needs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdsl.datasets.readers.integrity import text_lines
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import UNKNOWN, Labels, MultiLabelImages, file_names
from fdsl.datasets.readers.voc import CLASSES, LISTS, PACKAGES
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import BOTH, DownstreamDataset, Part

__all__ = ["PACKAGES", "find", "read"]

# What a class list says of an image: present, absent, present as difficult objects only.
PRESENCE = {"1": 1, "-1": 0, "0": UNKNOWN}


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the lists of the two parts, the lists of the 20 classes, and the pictures."""
    lists = [name for split in BOTH for name in (LISTS[split], *_class_lists(split))]
    return look_in(folder_of(entry, data_root), [*lists, "JPEGImages/"])


def read(entry: DownstreamDataset, found: Found, split: Part) -> MultiLabelImages:
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
    columns = [_presence(entry, found.where, name, pictures) for name in _class_lists(split)]
    where = found.where / LISTS[split]
    files = [f"JPEGImages/{picture}.jpg" for picture in pictures]
    names = file_names(files, root=found.where, where=where)
    return MultiLabelImages(np.stack(columns, axis=1), entry.classes, found.where, names)


def _class_lists(split: Part) -> list[str]:
    """Return the names of the 20 class lists of a part, in the order of the labels."""
    part = Path(LISTS[split])
    return [(part.parent / f"{name}_{part.name}").as_posix() for name in CLASSES]


def _presence(entry: DownstreamDataset, folder: Path, name: str, pictures: list[str]) -> Labels:
    """Return one class's labels of all pictures, int64 (n,)."""
    rows = [line.split() for line in text_lines(entry, folder, name)]
    if [row[0] for row in rows] != pictures:
        raise DamagedFile(
            f"{folder / name} does not list the {len(pictures)} pictures of its part in their"
            f" order; get {entry.title} again"
        )
    if odd := [row for row in rows if len(row) != 2 or row[1] not in PRESENCE]:
        raise DamagedFile(
            f"{folder / name} holds {' '.join(odd[0])!r}, expected a picture and 1, 0 or -1; get"
            f" {entry.title} again"
        )
    return np.array([PRESENCE[flag] for _, flag in rows], dtype=np.int64)
