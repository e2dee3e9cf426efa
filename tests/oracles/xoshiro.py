"""xoshiro256++ in plain integers."""

from __future__ import annotations

MASK = 2**64 - 1


class Xoshiro:
    """A generator that starts from four 64-bit words."""

    def __init__(self, words) -> None:
        self.s = [int(word) for word in words]

    def bits(self) -> int:
        """Return 64 random bits."""
        s = self.s
        result = (_rotated((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = _rotated(s[3], 45)
        return result

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        return (self.bits() >> 11) / 2**53


def _rotated(word: int, places: int) -> int:
    return ((word << places) | (word >> (64 - places))) & MASK
