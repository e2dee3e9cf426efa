"""Types of the arrays that formulas pass around."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
State = NDArray[np.uint64]  # (4,): the generator that kernels draw from, advanced in place
Parameters = dict[str, NDArray[Any]]  # columns of one category, equally long


class Place(TypedDict):
    """Which image of a dataset: the keyword arguments with which it is drawn."""

    seed: int
    category: int
    instance: int
