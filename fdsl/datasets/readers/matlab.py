"""Stanford Cars and Oxford Flowers: folders of images with labels in MATLAB files."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import FileImages, file_images
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "pillow", "scipy")
# The largest of these files has a third of a megabyte; packed data grow a thousandfold at most.
LARGEST_BYTES = 2 * 2**20
BROKEN = (NotImplementedError, LookupError, TypeError, ValueError, OSError, zlib.error)

CARS_LISTS = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
CARS_FOLDERS = {"train": "cars_train", "test": "cars_test"}
FLOWERS_LABELS, FLOWERS_PARTS = "imagelabels.mat", "setid.mat"
FLOWERS_KEYS = {"train": ("trnid", "valid"), "test": ("tstid",)}


def find_cars(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the two annotation files and the two folders of pictures."""
    folder = folder_of(entry, data_root)
    found = look_in(folder, [*CARS_LISTS.values(), *(f"{name}/" for name in CARS_FOLDERS.values())])
    nested = [name for name in CARS_FOLDERS.values() if (folder / name / name).is_dir()]
    if isinstance(found, Found) and nested:
        name = nested[0]
        return Missing(folder, f"with {name}/{name}: move its pictures one folder up, into {name}")
    return found


def read_cars(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """Read one part of Stanford Cars; labels are the devkit's classes 1 … 196 minus one.

    Raises
    ------
    DamagedFile
        If the annotation file is not the devkit's.
    """
    where = CARS_LISTS[split]
    rows = np.atleast_1d(_variable(entry, found.where, where, "annotations"))
    if not {"fname", "class"} <= set(rows.dtype.names or ()):
        raise DamagedFile(f"{found.where / where} lacks fname or class; get it again")
    names = [f"{CARS_FOLDERS[split]}/{name}" for name in rows["fname"].tolist()]
    labels = rows["class"].astype(np.int64) - 1
    return file_images(found.where, names, labels, classes=entry.classes, where=found.where / where)


def find_flowers(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the two MATLAB files and the folder of pictures."""
    return look_in(folder_of(entry, data_root), [FLOWERS_LABELS, FLOWERS_PARTS, "jpg/"])


def read_flowers(entry: DownstreamDataset, found: Found, split: Part) -> FileImages:
    """Read one part of Flowers-102: training is the official train and validation parts, test the
    official test part.

    Raises
    ------
    DamagedFile
        If a MATLAB file is damaged or names a picture without a label.
    """
    labels = np.atleast_1d(_variable(entry, found.where, FLOWERS_LABELS, "labels")).astype(np.int64)
    variables = [_variable(entry, found.where, FLOWERS_PARTS, key) for key in FLOWERS_KEYS[split]]
    numbers = np.sort(np.concatenate([np.atleast_1d(v) for v in variables]).astype(np.int64))
    where = found.where / FLOWERS_PARTS
    if numbers.size and not (numbers[0] >= 1 and numbers[-1] <= labels.size):
        span = f"{numbers[0]} to {numbers[-1]} of {labels.size}"
        raise DamagedFile(f"{where} names images {span}; get it again")
    names = [f"jpg/image_{number:05d}.jpg" for number in numbers.tolist()]
    chosen = labels[numbers - 1] - 1
    return file_images(found.where, names, chosen, classes=entry.classes, where=where)


def _variable(entry: DownstreamDataset, folder: Path, name: str, key: str) -> NDArray[Any]:
    """Return one variable of a MATLAB file whose digest is checked first."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{entry.title} needs scipy: pip install 'fdsl[train]'", name="scipy"
        ) from None
    data = content(entry, folder, name)
    if len(data) > LARGEST_BYTES:
        raise DamagedFile(
            f"{folder / name} has {len(data):,} bytes, expected at most {LARGEST_BYTES:,}; get"
            f" {entry.title} again"
        )
    try:
        return np.asarray(loadmat(io.BytesIO(data), squeeze_me=True, variable_names=[key])[key])
    except (MatReadError, *BROKEN) as error:
        raise DamagedFile(
            f"{folder / name} is not a MATLAB 5 file with the variable {key!r} ({error}); get"
            f" {entry.title} again"
        ) from None
