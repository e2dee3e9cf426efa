"""The handwritten digits that scikit-learn ships, with our fixed split."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fdsl.datasets.readers.location import Found, Missing
from fdsl.datasets.readers.sources import ArrayImages, array_images
from fdsl.datasets.subsets import few_labels
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import DownstreamDataset, Part

PACKAGES = ("numpy", "scikit-learn")
TEST_IMAGES = 360
SPLIT_SEED = 0  # permanent: another value is another dataset
LARGEST_VALUE = 16


def find(entry: DownstreamDataset, data_root: str | Path) -> Found | Missing:  # noqa: ARG001  (one interface for all)
    """Look for scikit-learn, without importing it; data_root does not matter."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        return Missing(Path("sklearn"), "scikit-learn, which ships it, is not installed")
    return Found(Path(package.origin).parent)


def read(entry: DownstreamDataset, found: Found, split: Part) -> ArrayImages:
    """Read the images of one part, uint8 (n, 8, 8), values 0 … 16 scaled to 0 … 255.

    scikit-learn gives no split. Ours takes 36 test images of each class by `few_labels` with a
    fixed seed; the order of scikit-learn's file is kept within each part.
    """
    pixels, labels = _table(found.where / "datasets" / "data" / "digits.csv.gz")
    images = np.rint(pixels * (255 / LARGEST_VALUE)).astype(np.uint8)
    tested = np.zeros(len(images), dtype=bool)
    tested[few_labels(labels, count=TEST_IMAGES, seed=SPLIT_SEED)] = True
    chosen = tested if split == "test" else ~tested
    return array_images(images[chosen], labels[chosen], classes=entry.classes, where=found.where)


def _table(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return pixels (n, 8, 8) and labels (n,) from the file; importing scikit-learn takes 2 s."""
    try:
        rows = np.loadtxt(path, delimiter=",")
        return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DamagedFile(f"{path} cannot be read ({error}); install scikit-learn again") from None
