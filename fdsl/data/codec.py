"""Lossless bytes of one uint8 image, small and quick to read: a tag, then deflate of bits or of bytes.

Images of two values (a point-rendered fractal: 0 and one gray) are packed to one bit a pixel first, which makes reading an
order of magnitude cheaper than PNG. Shape is not stored here: a shard holds images of one shape.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

BITS = 1
BYTES = 2
LEVEL = 1  # higher levels cost more time than the pixels took to draw, for a tenth of the size


def encode(image: NDArray[np.uint8]) -> bytes:
    """Return the bytes of a uint8 image of any shape."""
    value = int(image.max(initial=0))
    lit = image != 0
    if int(np.count_nonzero(image == value)) == int(np.count_nonzero(lit)):
        return bytes([BITS, value]) + zlib.compress(np.packbits(lit).tobytes(), LEVEL)
    return bytes([BYTES]) + zlib.compress(image.tobytes(), LEVEL)


def decode(content: bytes | memoryview, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the image of `shape` that `encode` turned into `content`.

    Raises
    ------
    ValueError
        If the bytes are damaged or hold more or fewer pixels than `shape`; nothing beyond that size is ever unpacked.
    """
    pixels = int(np.prod(shape))
    tag = content[0] if len(content) else 0
    if tag == BITS and len(content) > 2:
        packed = _inflate(content[2:], (pixels + 7) // 8)
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=pixels)
        return (bits * np.uint8(content[1])).reshape(shape)
    if tag == BYTES:
        return np.frombuffer(_inflate(content[1:], pixels), np.uint8).reshape(shape).copy()
    raise ValueError(f"image bytes start with {tag}, not with {BITS} or {BYTES}")


def _inflate(content: bytes | memoryview, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise ValueError(f"image bytes are damaged ({error})") from None
    if len(raw) != size or not unpacker.eof:
        raise ValueError(
            f"image bytes hold another number of pixels than the {size} bytes of their shape"
        )
    return raw
