"""What `fdsl.seeding.tree.generator` would draw first, for many branches of the seed tree at once.

Making a generator costs 20 µs, more than shifting and flipping a small image. Here numpy's
SeedSequence (O'Neill's seed_seq hash) and the generator PCG64DXSM (O'Neill 2014; the DXSM output
function as numpy has it) are restated for arrays: the same bits, which the tests hold against numpy
itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fdsl.seeding import tree

Words = NDArray[np.uint64]

_POOL = 4
_MASK = 2**32 - 1
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875  # SeedSequence: hash of the entropy
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED  # and of the state that it gives
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_SHIFT = np.uint32(16)
_SEEDING = (np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645))  # PCG, high and low
_CHEAP = np.uint64(0xDA942042E4DD58B5)  # multiplier of PCG64DXSM
_HALF, _LOW, _ONE = np.uint64(32), np.uint64(_MASK), np.uint64(1)


def uniforms(root: int, paths: NDArray[np.int64], *, draws: int) -> NDArray[np.float64]:
    """Draw from many branches at once.

    Parameters
    ----------
    root
        Root seed, 0 … 2**63 - 1.
    paths
        int64 (n, k), k >= 1: one path below the root per row, each part from 0 to 2**32 - 1.
    draws
        Numbers per branch, at least 0.

    Returns
    -------
    NDArray
        float64 (n, draws) in [0, 1); row i is `tree.generator(root, *paths[i]).random(draws)`.

    Raises
    ------
    ValueError
        If the root, a part of a path or the number of draws is out of range.
    """
    if draws < 0 or paths.ndim != 2 or paths.shape[1] < 1:
        raise ValueError(
            f"draws = {draws} of paths {paths.shape}: use draws >= 0 and paths of shape (n, k), k"
            " >= 1"
        )
    if paths.size and (paths.min() < 0 or paths.max() > _MASK):
        raise ValueError(
            f"seed paths from {paths.min()} to {paths.max()} are out of range: each part must be"
            f" from 0 to {_MASK}"
        )
    start_high, start_low, stream_high, stream_low = _generated(_pool(root, paths))
    increment = (stream_high << _ONE | stream_low >> np.uint64(63), stream_low << _ONE | _ONE)
    state = _step(_sum(increment, (start_high, start_low)), *_SEEDING, increment)
    drawn = np.empty((len(paths), draws))
    for number in range(draws):
        drawn[:, number] = (_output(*state) >> np.uint64(11)) * 2.0**-53
        state = _step(state, np.uint64(0), _CHEAP, increment)
    return drawn


def _pool(root: int, paths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """SeedSequence's entropy pool, uint32 (4, n): the root's own pool, into which every path is
    mixed.
    """
    sequence = tree.sequence(root)
    pool = np.repeat(np.asarray(sequence.pool, np.uint32)[:, None], len(paths), axis=1)
    first = _POOL + _POOL * (_POOL - 1)  # hashes that made the root's pool
    for word, parts in enumerate(paths.T.astype(np.uint32)):
        keys = _constants(_INIT_A, _MULT_A, first + _POOL * word, _POOL + 1)
        mixed = _MIX_LEFT * pool - _MIX_RIGHT * _hashed(parts[None, :], keys)
        pool = mixed ^ (mixed >> _SHIFT)
    return pool


def _generated(pool: NDArray[np.uint32]) -> tuple[Words, Words, Words, Words]:
    """SeedSequence.generate_state(4, uint64): four arrays (n,)."""
    keys = _constants(_INIT_B, _MULT_B, 0, 2 * _POOL + 1)
    halves = _hashed(np.concatenate((pool, pool)), keys).astype(np.uint64)
    one, two, three, four = halves[::2] | halves[1::2] << _HALF
    return one, two, three, four


def _hashed(words: NDArray[np.uint32], keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """SeedSequence's hash with the constants keys[i], keys[i + 1] for row i; one row serves for
    all.
    """
    hashed = (words ^ keys[:-1]) * keys[1:]
    return hashed ^ (hashed >> _SHIFT)


def _constants(start: int, factor: int, skipped: int, count: int) -> NDArray[np.uint32]:
    """The sequence start · factor**i modulo 2**32 as a column, uint32 (count, 1), without its first
    `skipped`.
    """
    found = [start * pow(factor, place, 2**32) & _MASK for place in range(skipped, skipped + count)]
    return np.array(found, np.uint32)[:, None]


def _step(
    state: tuple[Words, Words], high: np.uint64, low: np.uint64, increment: tuple[Words, Words]
) -> tuple[Words, Words]:
    """State · multiplier + increment modulo 2**128, in halves."""
    upper, lower = state
    product = (upper * low + lower * high + _upper_product(lower, low), lower * low)
    return _sum(product, increment)


def _sum(one: tuple[Words, Words], other: tuple[Words, Words]) -> tuple[Words, Words]:
    """The sum modulo 2**128, in halves."""
    low = one[1] + other[1]
    return one[0] + other[0] + (low < one[1]), low


def _upper_product(words: Words, factor: np.uint64) -> Words:
    """The upper 64 of the 128 bits of a product."""
    factor_low, factor_high = factor & _LOW, factor >> _HALF
    low, high = words & _LOW, words >> _HALF
    middle = high * factor_low + (low * factor_low >> _HALF)
    other = low * factor_high + (middle & _LOW)
    product: Words = high * factor_high + (middle >> _HALF) + (other >> _HALF)
    return product


def _output(high: Words, low: Words) -> Words:
    """DXSM: 64 bits of a state."""
    mixed: Words = (high ^ (high >> _HALF)) * _CHEAP
    mixed ^= mixed >> np.uint64(48)
    drawn: Words = mixed * (low | _ONE)
    return drawn
