"""How fast this machine draws: a measurement of each formula in a fresh process, with the memory that it takes."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from fdsl.catalog import SyntheticDataset
from fdsl.strict import choose
from fdsl.yaml_files import catalog, workflow_folder

CATEGORIES = 8


def one_per_formula() -> list[str]:
    """Return the first dataset of each formula in the catalogue."""
    entries = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    first: dict[str, str] = {}
    for name, entry in entries.items():
        first.setdefault(entry.formula, name)
    return list(first.values())


def measure(names: list[str], *, seconds: float, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each dataset: one process, one core, at the catalogue's sizes.

    Parameters
    ----------
    names
        Datasets of the catalogue.
    seconds
        How long each is drawn; at least one image of each of 8 categories.

    Yields
    ------
    dict
        dataset, formula, image_size_px, images, images_per_s, ms_per_image (median), png_ms (median of packing it),
        search_s_per_category, memory_mb (most that the process held).
    """
    entries = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    for name in names:
        choose("dataset", name, list(entries), where="fdsl bench")
    for name in names:
        # a process of its own, so that its memory is its own
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield pool.submit(_measure, name, seconds, seed).result()


def _measure(name: str, seconds: float, seed: int) -> dict[str, Any]:
    from fdsl.dataset import load
    from fdsl.exchange.samples import png, prepare

    dataset = load(name, seed=seed)
    categories = min(CATEGORIES, dataset.classes)
    prepare(dataset.images, 0)
    dataset.image(category=0, instance=0)  # loads the kernels
    begun = time.perf_counter()
    for category in range(1, categories):
        dataset.images.parameters.of(category)
    search = (time.perf_counter() - begun) / (categories - 1)
    drawn, packed, count = [], [], 0
    while count < categories or sum(drawn) < seconds:
        category, instance = count % categories, count // categories % dataset.instances
        at = time.perf_counter()
        image = dataset.image(category=category, instance=instance)
        between = time.perf_counter()
        png(image, 1)
        drawn.append(between - at)
        packed.append(time.perf_counter() - between)
        count += 1
    return {
        "dataset": name,
        "formula": dataset.formula,
        "image_size_px": image.shape[0],
        "images": count,
        "images_per_s": count / sum(drawn),
        "ms_per_image": 1e3 * statistics.median(drawn),
        "png_ms": 1e3 * statistics.median(packed),
        "search_s_per_category": search,
        "memory_mb": _peak_memory_mb(),
    }


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
