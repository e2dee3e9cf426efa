"""Processor time and memory of drawing, for each formula in a fresh process."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fdsl.forecast.rates import Drawing
from fdsl.schema.catalogue import SyntheticDataset

CATEGORIES = 8
ROW_BYTES = 32  # of a shard beside the image: offset, label, category, instance and checksum

Result = TypeVar("Result")


def measure_drawing(name: str, entry: SyntheticDataset, *, seconds: float, seed: int) -> Drawing:
    """Return what the images of a dataset cost: one fresh process, one core.

    Parameters
    ----------
    name, entry
        A dataset; it need not be the catalogue's.
    seconds
        Time to spend on drawing, and on the search for categories; at least one image of each of 8
        categories is drawn.
    seed
        Root seed.
    """
    return apart(_draw, name, entry, seconds, seed)


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a fresh process, so that its memory and threads are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _draw(name: str, entry: SyntheticDataset, seconds: float, seed: int) -> Drawing:
    from fdsl.images import codec
    from fdsl.images.dataset import build
    from fdsl.images.export.render_pool import png, prepare

    dataset = build(name, entry, seed=seed, threads=None)
    categories = min(CATEGORIES, dataset.classes)
    prepare(dataset.images, 0)
    image = dataset.image(category=0, instance=0)  # loads the kernels
    begun, found = time.process_time(), []
    for category in range(1, dataset.classes):
        found.append(dataset.images.parameters.of(category))
        if category >= categories - 1 and time.process_time() - begun >= seconds:
            break
    search_s = (time.process_time() - begun) / len(found)
    measured: list[tuple[float, ...]] = []
    drawn_s = 0.0
    while len(measured) < categories or drawn_s < seconds:
        instance, category = divmod(len(measured), categories)
        instance %= dataset.instances
        image, draw_s = _timed(dataset.image, category=category, instance=instance)
        packed, png_s = _timed(png, image, 1)
        content, encode_s = _timed(codec.encode, image)
        _, decode_s = _timed(codec.decode, content, image.shape)
        sizes = (len(content) + ROW_BYTES, len(packed))
        measured.append((draw_s, png_s, encode_s, decode_s, *sizes))
        drawn_s += draw_s
    names = ("draw_s", "png_s", "encode_s", "decode_s", "shard_bytes", "png_bytes")
    means = dict(zip(names, np.mean(measured, axis=0).tolist(), strict=True))
    return Drawing(
        dataset=name,
        formula=entry.formula,
        settings=entry.settings,
        image_size_px=image.shape[0],
        channels=1 if image.ndim == 2 else 3,
        search_s=search_s,
        parameter_bytes=_parameter_bytes(found),
        memory_mb=peak_memory_mb(),
        **means,
    )


def _timed(function: Callable[..., Result], *args: Any, **options: Any) -> tuple[Result, float]:
    """Return the result of a call and its processor time in seconds."""
    begun = time.process_time()
    return function(*args, **options), time.process_time() - begun


def _parameter_bytes(rows: list[dict[str, NDArray[np.generic]]]) -> float:
    """Return the bytes that a category adds to a parameter file."""
    from fdsl.images import parameters

    half, sizes = len(rows) // 2, []
    with TemporaryDirectory() as folder:
        for some in (rows[:half], rows):
            file = Path(folder) / f"{len(some)}.parquet"
            parameters.write_table(file, parameters.stack(some), about={"classes": len(some)})
            sizes.append(file.stat().st_size)
    return max(sizes[1] - sizes[0], 1) / (len(rows) - half)
