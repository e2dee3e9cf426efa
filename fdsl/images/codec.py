"""A lossless codec for uint8 images: a tag, then a Zstandard frame of bits or bytes.

Images of two values (a point-rendered fractal: 0 and one gray) are packed to one bit per pixel,
which makes reading an order of magnitude cheaper than PNG. Shape and checksum are stored by the
shard: one shape for all its images, one checksum per row. PNG's differences of neighbours would
make contours larger and only smooth noise smaller.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BITS = 1
BYTES = 2
FRAMES = pa.Codec("zstd", compression_level=1)  # higher levels cost time and save little


def encode(image: NDArray[np.uint8]) -> bytes:
    """Return the bytes of a uint8 image of any shape."""
    value = int(image.max(initial=0))
    lit = image != 0
    if int(np.count_nonzero(image == value)) == int(np.count_nonzero(lit)):
        return bytes([BITS, value]) + bytes(FRAMES.compress(np.packbits(lit), asbytes=True))
    return bytes([BYTES]) + bytes(FRAMES.compress(np.ascontiguousarray(image), asbytes=True))


def decode(content: bytes | memoryview, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the image of `shape` that `encode` turned into `content`.

    Raises
    ------
    ValueError
        If the bytes are no frame or hold more or fewer pixels than `shape`; no more than that is
        ever unpacked. Damage that leaves a valid frame is left to the checksum of the shard's row.
    """
    pixels = math.prod(shape)
    tag = content[0] if len(content) else 0
    if tag == BITS and len(content) > 2:
        packed = _unpack(content[2:], (pixels + 7) // 8)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=pixels)
        return (bits * np.uint8(content[1])).reshape(shape)
    if tag == BYTES:
        return np.frombuffer(_unpack(content[1:], pixels), np.uint8).reshape(shape)
    raise ValueError(f"image bytes start with {tag}, not with {BITS} or {BYTES}")


def _unpack(frame: bytes | memoryview, size: int) -> pa.Buffer:
    """Return the `size` bytes of a frame in new, writable memory."""
    try:
        return FRAMES.decompress(frame, size)
    except OSError as error:
        raise ValueError(
            f"image bytes are damaged, or hold another number of pixels than the {size} bytes of"
            f" their shape ({error})"
        ) from None
