"""Scratch arrays that a thread keeps from image to image: fresh memory for the points would cost as much as the chaos game."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import DTypeLike, NDArray

_KEPT = threading.local()


def array(name: str, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Return an uninitialised array that is valid until this thread asks for the same name again; never hand it to a caller."""
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    buffer = getattr(_KEPT, name, None)
    if buffer is None or buffer.size < size or buffer.dtype != dtype:
        buffer = np.empty(size, dtype)
        setattr(_KEPT, name, buffer)
    return buffer[:size].reshape(shape)
