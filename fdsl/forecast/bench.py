"""How fast this machine draws: processor time of each formula in a fresh process, with the memory
that it takes.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.schema.base import choose
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.yaml_files import catalog, workflow_folder

CATEGORIES = 8
ROW_BYTES = 32  # of a shard beside the image: offset, label, category, instance and checksum


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
        How long each is drawn, and searched for categories; at least one image of each of 8
        categories.

    Yields
    ------
    dict
        dataset, formula, image_size_px, channels, images, images_per_s, ms_per_image (median),
        png_ms (median of packing it), search_s_per_category, memory_mb (most that the process
        held); and means for forecasts: draw_s, encode_s and decode_s of a shard's image,
        shard_bytes, png_bytes, parameter_bytes of a category.
    """
    entries = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    for name in names:
        choose("dataset", name, list(entries), where="fdsl bench")
    yield from measure_entries(
        [(name, entries[name]) for name in names], seconds=seconds, seed=seed
    )


def measure_entries(
    entries: list[tuple[str, SyntheticDataset]], *, seconds: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `measure` for entries that need not be the catalogue's."""
    for name, entry in entries:
        # a process of its own, so that its memory is its own
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield pool.submit(_measure, name, entry, seconds, seed).result()


def _measure(name: str, entry: SyntheticDataset, seconds: float, seed: int) -> dict[str, Any]:
    from fdsl.images import codec
    from fdsl.images.dataset import build
    from fdsl.images.export.render_pool import png, prepare

    dataset = build(name, entry, seed=seed, threads=None)
    categories = min(CATEGORIES, dataset.classes)
    prepare(dataset.images, 0)
    dataset.image(category=0, instance=0)  # loads the kernels
    begun, searched = time.process_time(), 0
    rows = []
    while searched < dataset.classes - 1:
        searched += 1
        rows.append(dataset.images.parameters.of(searched))
        if searched >= categories - 1 and time.process_time() - begun >= seconds:
            break
    search = (time.process_time() - begun) / searched
    drawn, packed, count = [], [], 0
    encoded, decoded, shard_bytes, png_bytes = 0.0, 0.0, 0, 0
    while count < categories or sum(drawn) < seconds:
        category, instance = count % categories, count // categories % dataset.instances
        at = time.process_time()
        image = dataset.image(category=category, instance=instance)
        between = time.process_time()
        picture = png(image, 1)
        drawn.append(between - at)
        packed.append(time.process_time() - between)
        at = time.process_time()
        content = codec.encode(image)
        between = time.process_time()
        codec.decode(content, image.shape)
        encoded += between - at
        decoded += time.process_time() - between
        shard_bytes += len(content) + ROW_BYTES
        png_bytes += len(picture)
        count += 1
    return {
        "dataset": name,
        "formula": dataset.formula,
        "image_size_px": image.shape[0],
        "channels": 1 if image.ndim == 2 else image.shape[2],
        "images": count,
        "images_per_s": count / sum(drawn),
        "ms_per_image": 1e3 * statistics.median(drawn),
        "png_ms": 1e3 * statistics.median(packed),
        "draw_s": sum(drawn) / count,
        "encode_s": encoded / count,
        "decode_s": decoded / count,
        "shard_bytes": shard_bytes / count,
        "png_bytes": png_bytes / count,
        "search_s_per_category": search,
        "parameter_bytes": _parameter_bytes(rows),
        "memory_mb": peak_memory_mb(),
    }


def _parameter_bytes(rows: list[dict[str, NDArray[np.generic]]]) -> float:
    """Return the bytes of a category in a parameter file: what the second half of some categories
    adds to a file of the first.
    """
    from fdsl.images import parameters

    half, sizes = len(rows) // 2, []
    with TemporaryDirectory() as folder:
        for some in (rows[:half], rows):
            file = Path(folder) / f"{len(some)}.parquet"
            parameters.write_table(file, parameters.stack(some), about={"classes": len(some)})
            sizes.append(file.stat().st_size)
    return max(sizes[1] - sizes[0], 1) / (len(rows) - half)


def peak_memory_mb() -> float:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
