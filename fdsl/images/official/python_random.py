"""Python's `random` in whole arrays: NumPy's Mersenne twister in the state of Python's seeding."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PythonRandom:
    """Methods of `random.Random(seed)`; each consumes as many words of the sequence as Python's."""

    def __init__(self, seed: int) -> None:
        words = random.Random(seed).getstate()[1]
        self._bits = np.random.MT19937()
        self._generator = np.random.Generator(self._bits)
        self.state = {
            "bit_generator": "MT19937",
            "state": {"key": np.array(words[:-1], np.uint32), "pos": words[-1]},
        }

    @property
    def state(self) -> dict[str, Any]:
        """The position in the sequence; set it to return there."""
        return dict(self._bits.state)

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self._bits.state = value  # type: ignore[assignment]  # NumPy's TypedDict

    def __getstate__(self) -> dict[str, Any]:
        return self.state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._bits = np.random.MT19937()
        self._generator = np.random.Generator(self._bits)
        self.state = state

    def random(self, count: int) -> NDArray[np.float64]:
        """Return `count` calls of random()."""
        return self._generator.random(count)

    def uniform(self, low: float, high: float) -> float:
        """Return a float from low to high."""
        return low + (high - low) * self._generator.random()

    def randint(self, low: int, high: int) -> int:
        """Return an integer from low to high, inclusive, by rejection as Python does."""
        count = high - low + 1
        shift = 32 - count.bit_length()
        while (drawn := int(self._bits.random_raw()) >> shift) >= count:
            pass
        return low + drawn

    def expovariate(self, rate: float) -> float:
        """Return an exponentially distributed float of the given rate."""
        return -math.log(1.0 - self._generator.random()) / rate
