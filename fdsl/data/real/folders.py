"""Pictures sorted into train/CLASS and val/CLASS (ImageNet and any dataset of one's own), and Places with its lists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from fdsl.catalog import DownstreamDataset
from fdsl.data.real.integrity import text_lines
from fdsl.data.real.location import Found, Missing, folder_of, look_in
from fdsl.data.real.sources import FileImages, file_images
from fdsl.storage import DamagedFile
from fdsl.strict import ConfigError

PACKAGES = ("numpy", "pillow")
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
FOLDERS = {"train": "train", "test": "val"}

PLACES_CATEGORIES = "categories_places365.txt"
PLACES_LISTS = {"train": "places365_train_standard.txt", "test": "places365_val.txt"}
PLACES_FOLDERS = {"train": "data_256_standard", "test": "val_256"}


def find_folders(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for train/ and val/, and for the class list where the entry needs one."""
    given = [entry.class_list] if entry.class_list else []
    return look_in(
        folder_of(entry, data_root), [*given, *(f"{name}/" for name in FOLDERS.values())]
    )


def read_folders(
    entry: DownstreamDataset, found: Found, split: Literal["train", "test"]
) -> FileImages:
    """List one part; a class's label is the rank of its name, so the order of a class list does not matter.

    Raises
    ------
    DamagedFile
        If a class has no folder or no picture, or the parts have different classes.
    ConfigError
        If the class list is not usable.
    """
    folder = found.where / FOLDERS[split]
    chosen = (
        class_list(entry, found.where) if entry.class_list else _same_folders(entry, found.where)
    )
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(chosen):
        pictures = _pictures(folder / name)
        names += [f"{FOLDERS[split]}/{name}/{picture}" for picture in pictures]
        labels += [label] * len(pictures)
    return file_images(found.where, names, labels, classes=entry.classes, where=folder)


def find_places(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for Places365's lists, the two folders of pictures and the class list."""
    needed = [
        PLACES_CATEGORIES,
        *PLACES_LISTS.values(),
        *(f"{name}/" for name in PLACES_FOLDERS.values()),
    ]
    return look_in(folder_of(entry, data_root), [*needed, str(entry.class_list)])


def read_places(
    entry: DownstreamDataset, found: Found, split: Literal["train", "test"]
) -> FileImages:
    """List one part of the chosen categories of Places365; labels are ranks among the chosen names.

    Raises
    ------
    DamagedFile
        If a list of Places365 is damaged.
    ConfigError
        If the class list is not usable.
    """
    numbers = dict(_pairs(entry, found.where, PLACES_CATEGORIES))
    chosen = class_list(entry, found.where)
    if unknown := [name for name in chosen if name not in numbers]:
        raise ConfigError(
            f"{found.where / str(entry.class_list)}: {unknown[0]!r} is not a category of {PLACES_CATEGORIES}; "
            "copy the names from there, for example /a/airfield"
        )
    label_of = {numbers[name]: label for label, name in enumerate(chosen)}
    names: list[str] = []
    labels: list[int] = []
    for name, number in _pairs(entry, found.where, PLACES_LISTS[split]):
        if number in label_of:
            names.append(f"{PLACES_FOLDERS[split]}/{name.lstrip('/')}")
            labels.append(label_of[number])
    where = found.where / PLACES_LISTS[split]
    return file_images(found.where, names, labels, classes=entry.classes, where=where)


def class_list(entry: DownstreamDataset, folder: Path) -> list[str]:
    """Return the sorted class names of the list that the user gives: one per line, `#` starts a comment line.

    Raises
    ------
    ConfigError
        If the number of names is not the entry's number of classes, or a name stands twice.
    """
    path = folder / str(entry.class_list)
    names = [line for line in text_lines(entry, folder, path.name) if not line.startswith("#")]
    if len(names) != entry.classes or len(set(names)) != len(names):
        raise ConfigError(
            f"{path}: {len(names)} class names, {len(set(names))} different ones; "
            f"{entry.title} needs {entry.classes} different names, one per line"
        )
    return sorted(names)


def _pairs(entry: DownstreamDataset, folder: Path, name: str) -> Iterator[tuple[str, int]]:
    """Yield the (name, number) pairs of a list of Places365, which has up to 1.8 million."""
    try:
        for line in text_lines(entry, folder, name):
            first, second = line.split()
            yield first, int(second)
    except ValueError as error:
        raise DamagedFile(
            f"{folder / name} is not a list of names with numbers ({error}); get it again"
        ) from None


def _same_folders(entry: DownstreamDataset, folder: Path) -> list[str]:
    """Return the class folders that both parts must have."""
    parts = {part: _subfolders(folder / part) for part in FOLDERS.values()}
    train, test = (set(names) for names in parts.values())
    if train != test:
        odd = min(train ^ test)
        raise DamagedFile(
            f"{folder}: only one of {' and '.join(parts)} has the class folder {odd!r}"
        )
    if len(train) != entry.classes:
        raise DamagedFile(
            f"{folder / 'train'} has {len(train)} class folders, {entry.title} has {entry.classes}"
        )
    return sorted(train)


def _subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as items:
        return [item.name for item in items if not item.name.startswith(".") and item.is_dir()]


def _pictures(folder: Path) -> list[str]:
    """Return the sorted picture names of one class folder; links count, hidden files and other suffixes do not."""
    try:
        with os.scandir(folder) as items:
            names = sorted(
                item.name
                for item in items
                if item.name.lower().endswith(SUFFIXES) and not item.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedFile(f"{folder} does not exist; unpack the dataset's archive again") from None
    if not names:
        raise DamagedFile(
            f"{folder} has no picture directly in it; allowed suffixes: {' '.join(SUFFIXES)}"
        )
    return names
