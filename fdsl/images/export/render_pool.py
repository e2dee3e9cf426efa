"""Draw, hash and encode images as PNG in worker processes; yield them in order."""

from __future__ import annotations

import hashlib
import io
import itertools
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fdsl.images.streamed import DrawnImages, StreamedImages
from fdsl.io.workers import process_pool

PIXELS_PER_CHUNK = 4_000_000
IMAGES_PER_CHUNK = 16
CHUNKS_PER_WORKER = 3  # in work or waiting, so that memory does not grow with the dataset


class Sample(NamedTuple):
    """One drawn image."""

    index: int  # type: ignore[assignment]  # shadows tuple.index
    category: int
    instance: int
    png: bytes
    pixels: bytes  # SHA-256 of shape and pixels
    blank: bool  # one value everywhere
    diverged: bool  # treated as the settings say


def samples(
    images: DrawnImages, indices: Iterable[int], *, workers: int, compression: int
) -> Iterator[Sample]:
    """Draw the images `indices` and yield them in this order.

    Parameters
    ----------
    workers
        Processes that draw; 0 draws in this one. The result does not depend on it.
    compression
        Of the PNG, 0 … 9.
    """
    if workers == 0:
        for index in indices:
            yield draw(images, index, compression)
        return
    # parameters travel with the chunks that need them: a worker's memory must not grow with the
    # dataset
    streamed = images if isinstance(images, StreamedImages) else None
    content = pickle.dumps((None if streamed else images, compression))
    with process_pool(workers, initializer=_begin, initargs=(content,)) as pool:
        waiting: deque[Future[list[Sample]]] = deque()
        try:
            for chunk in _chunks(indices, _chunk_size(images)):
                part = streamed.part(chunk) if streamed else None
                waiting.append(pool.submit(_draw_chunk, chunk, part))
                if len(waiting) >= CHUNKS_PER_WORKER * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def draw(images: DrawnImages, index: int, compression: int) -> Sample:
    """Draw one image."""
    image, category, instance, diverged = images.draw_checked(index)
    content, blank = png(image, compression), bool(image.min() == image.max())
    return Sample(index, category, instance, content, digest(image), blank, diverged)


def png(image: NDArray[np.uint8], compression: int) -> bytes:
    """Return a PNG of a uint8 image (H, W) or (H, W, 3)."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG", compress_level=compression)
    return content.getvalue()


def digest(image: NDArray[np.uint8]) -> bytes:
    """Return the SHA-256, 32 bytes, of an image's shape and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()


_drawing: tuple[DrawnImages | None, int]


def _begin(content: bytes) -> None:
    global _drawing  # noqa: PLW0603 - what a worker process is for, given once
    _drawing = pickle.loads(content)


def _draw_chunk(indices: list[int], part: StreamedImages | None) -> list[Sample]:
    given, compression = _drawing
    images = part or given
    assert images is not None
    prepare(images, indices[0])
    return [draw(images, index, compression) for index in indices]


def prepare(images: DrawnImages, index: int) -> None:
    """Compile the kernels of `images`, by drawing `index`, in another process to save memory."""
    from fdsl.raster.first_use import compile_apart

    name = f"{type(images).__name__}-{images.dataset.formula}"
    compile_apart(name, partial(images.draw, index))


def _chunks(indices: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(indices)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk


def _chunk_size(images: DrawnImages) -> int:
    side = int(getattr(images.settings, "image_size_px", 512))
    return max(1, min(IMAGES_PER_CHUNK, PIXELS_PER_CHUNK // side**2))
