"""CIFAR-10 and CIFAR-100 from their python batches: pickles, so only verified ones, with nothing
but arrays in them.
"""

from __future__ import annotations

import codecs
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import ArrayImages, array_images
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset

PACKAGES = ("numpy",)


@dataclass(frozen=True)
class Batches:
    """The batch files of the two parts and the key of the labels in them."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    label_key: str


LAYOUTS = {
    "cifar10": Batches(tuple(f"data_batch_{n}" for n in range(1, 6)), ("test_batch",), "labels"),
    "cifar100": Batches(("train",), ("test",), "fine_labels"),
}

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the batches, without reading them."""
    layout = LAYOUTS[entry.loader]
    return look_in(folder_of(entry, data_root), layout.train + layout.test)


def read(entry: DownstreamDataset, found: Found, split: Literal["train", "test"]) -> ArrayImages:
    """Read the images of one part, uint8 (n, 32, 32, 3).

    Raises
    ------
    DamagedFile
        If a batch has no digest in the catalogue, another digest, or other content than images and
        labels.
    """
    layout = LAYOUTS[entry.loader]
    names = layout.train if split == "train" else layout.test
    parts = [_batch(entry, found.where, name, layout.label_key) for name in names]
    images = np.concatenate([pixels for pixels, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return array_images(images, labels, classes=entry.classes, where=found.where)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that builds containers and NumPy arrays and refuses to name anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}, which no batch of images needs"
            )
        return ALLOWED[module, name]


def _batch(
    entry: DownstreamDataset, folder: Path, name: str, label_key: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images, uint8 (n, 32, 32, 3), and labels, int64 (n,), of one batch file."""
    path = folder / name
    if name not in entry.files:
        raise DamagedFile(
            f"{path} is a pickle without an md5 in the catalogue: add files: {{{name}: <md5>}} to"
            " read it"
        )
    data = content(entry, folder, name)
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
        pixels, labels = batch["data"], np.asarray(batch[label_key])
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise DamagedFile(
            f"{path} is not a CIFAR batch ({error}); get {entry.title} again"
        ) from None
    right = (
        isinstance(pixels, np.ndarray)
        and pixels.dtype == np.uint8
        and pixels.shape == (labels.size, 3072)
    )
    if not right or labels.ndim != 1 or labels.dtype.kind != "i":
        raise DamagedFile(
            f"{path} holds no uint8 (n, 3072) images with n integer labels; get {entry.title} again"
        )
    planes = pixels.reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int64)
