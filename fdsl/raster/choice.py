"""The choice of maps in the chaos game: which of them each random number takes, one by one or in
lanes.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.lanes import (
    LANES,
    add_where_above,
    last_lane,
    load_lanes,
    pick,
    reverse_bytes,
    store_apart,
    words,
)
from fdsl.raster.xoshiro import STRIDE, advance, load, split, store

CHUNK = LANES * STRIDE  # numbers that the lanes take together

_U0, _U1, _U2, _U4, _U8 = (np.uint64(number) for number in (0, 1, 2, 4, 8))
_U11, _U45 = np.uint64(11), np.uint64(45)
_EVERYTHING = np.uint64(2**64 - 1)
_LARGEST = np.uint64(2**53 - 1)
_WORDS = np.uint64(STRIDE // LANES)


@kernel("void(f8[::1], u8[::1], u1[::1])")
def prepare_choice(probabilities, thresholds, guide):
    """Prepare the choice of a map: the first whose cumulative probability is not below a uniform
    number.

    Fills `thresholds` (maps,) with the running sum of `probabilities` in units of 2**-53, the step
    of the uniform numbers, so that the law is exact; what the sum lacks to 1 goes to the last map.
    Fills `guide` (256,) with the first map that can be chosen when the upper eight bits of the
    number are known. At most 256 maps.
    """
    total = 0.0
    for k in range(probabilities.size):
        total += probabilities[k]
        thresholds[k] = np.uint64(total * 2.0**53)
    thresholds[-1] = _EVERYTHING
    k = 0
    for first in range(256):
        while thresholds[k] < np.uint64(first) << _U45:
            k += 1
        guide[first] = k


@inlined
def choose(bits, thresholds, guide):
    """The first map whose threshold is not below the upper 53 bits."""
    number = bits >> _U11
    chosen = np.uint64(guide[number >> _U45])
    while number > thresholds[chosen]:
        chosen += _U1
    return chosen


@inlined
def choose_maps(thresholds, guide, state, chosen):
    """Fill `chosen` (n,) with the maps of the next n random numbers."""
    if chosen.size == CHUNK and thresholds.size <= LANES:
        _choose_in_lanes(thresholds, state, chosen.view(np.uint64))
        return
    s0, s1, s2, s3 = load(state)
    for i in range(np.uint64(chosen.size)):
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        chosen[i] = choose(bits, thresholds, guide)
    store(state, s0, s1, s2, s3)


@inlined
def _choose_in_lanes(thresholds, state, chosen):
    """As choose_maps for CHUNK numbers and at most 8 maps; lane k takes the k-th part of them.
    `chosen` has eight maps a word.

    The three comparisons of a bisection give a map its number: the new one stands in the lowest
    byte of a word, above those before.
    """
    edges = np.empty(LANES + 1, np.uint64)
    for k in range(edges.size):
        edges[k] = _EVERYTHING
        if k < thresholds.size and thresholds[k] < _LARGEST:
            edges[k] = ((thresholds[k] + _U1) << _U11) - _U1  # the last bits that choose map k
    even, odd, middle = load_lanes(edges, _U0), load_lanes(edges, _U1), words(edges[3])
    s0, s1, s2, s3 = split(state)
    for word in range(_WORDS):
        maps = words(_U0)
        for _ in range(LANES):
            bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
            maps = add_where_above(maps << _U8, bits, middle, _U4)
            maps = add_where_above(maps, bits, pick(odd, maps), _U2)
            maps = add_where_above(maps, bits, pick(even, maps), _U1)
        store_apart(chosen, word, _WORDS, reverse_bytes(maps))
    store(state, last_lane(s0), last_lane(s1), last_lane(s2), last_lane(s3))
