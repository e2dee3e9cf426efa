"""CIFAR-10 and CIFAR-100 from their Python batches: verified pickles that hold arrays only."""

from __future__ import annotations

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.integrity import content
from fdsl.datasets.readers.location import Found, Missing, folder_of, look_in
from fdsl.datasets.readers.sources import ArrayImages, Labels, array_images
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy",)
Pixels = NDArray[np.uint8]


BATCHES = {
    "cifar10": {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]},
    "cifar100": {"train": ["train"], "test": ["test"]},
}
LABEL_KEYS = {"cifar10": "labels", "cifar100": "fine_labels"}
# What a pickle of other content raises.
BROKEN = (EOFError, LookupError, TypeError, ValueError, AttributeError)
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:
    """Look for the batches, without reading them."""
    batches = BATCHES[entry.loader]
    return look_in(folder_of(entry, data_root), batches["train"] + batches["test"])


def read(entry: DownstreamDataset, found: Found, split: Part) -> ArrayImages:
    """Read the images of one part, uint8 (n, 32, 32, 3).

    Raises
    ------
    DamagedFile
        If a batch has no digest in the catalogue, another digest, or other content than images and
        labels.
    """
    batches = [_batch(entry, found.where, name) for name in BATCHES[entry.loader][split]]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return array_images(images, labels, classes=entry.classes, where=found.where)


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that builds containers and NumPy arrays and refuses to name anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what NumPy needs to unpickle an array; UnpicklingError for any other name."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, not an array")
        return ALLOWED[module, name]


def _batch(entry: DownstreamDataset, folder: Path, name: str) -> tuple[Pixels, Labels]:
    """Return the images, uint8 (n, 32, 32, 3), and labels, int64 (n,), of one batch file."""
    path = folder / name
    if name not in entry.files:
        remedy = f"add files: {{{name}: <md5>}}"
        raise DamagedFile(f"{path} is a pickle without an md5 in the catalogue: {remedy}")
    data = content(entry, folder, name)
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
        pixels, labels = batch["data"], np.asarray(batch[LABEL_KEYS[entry.loader]])
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or labels.ndim != 1:
            raise ValueError("it holds no uint8 images with labels")
        if pixels.shape != (labels.size, 3072) or labels.dtype.kind != "i":
            raise ValueError(f"images {pixels.shape}, labels {labels.dtype} {labels.shape}")
    except (pickle.UnpicklingError, *BROKEN) as error:
        raise DamagedFile(f"{path} is not a CIFAR batch ({error}); get it again") from None
    planes = pixels.reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int64)
