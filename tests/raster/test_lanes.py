"""Each function on lanes against numpy on eight numbers: bit by bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from fdsl.raster import kernel
from fdsl.raster.lanes import (
    LANES,
    add_where_above,
    highest,
    load_bytes,
    load_lanes,
    lower,
    lowest,
    pick,
    reverse_bytes,
    store_apart,
    store_lanes,
    upper,
    words,
)

_0, _3, _5 = np.uint64(0), np.uint64(3), np.uint64(5)
RNG = np.random.default_rng(5)
FLOATS = RNG.standard_normal((3, LANES)) * 10.0 ** RNG.integers(-300, 100, (3, LANES))
WORDS = RNG.integers(0, 2**64, (3, LANES), dtype=np.uint64)


@kernel("void(f8[:,::1], f8[:,::1])")
def on_floats(given, found):
    a, b, c = load_lanes(given[0], _0), load_lanes(given[1], _0), load_lanes(given[2], _0)
    store_lanes(found[0], _0, a * b + c)
    store_lanes(found[1], _0, lower(a, b))
    store_lanes(found[2], _0, upper(a, b))
    store_lanes(found[3], _0, a * 3.0 + 0.1)
    found[4, 0], found[4, 1] = lowest(a), highest(a)


def test_floats_are_rounded_as_one_by_one():
    a, b, c = FLOATS
    found = np.zeros((5, LANES))
    on_floats(FLOATS, found)
    expected = [a * b + c, np.minimum(a, b), np.maximum(a, b), a * 3.0 + 0.1]
    assert found[:4].tobytes() == np.array(expected).tobytes()  # no fused multiply-add
    assert found[4, :2].tolist() == [a.min(), a.max()]


@kernel("void(u8[:,::1], u8[:,::1])")
def on_words(given, found):
    a, b, c = load_lanes(given[0], _0), load_lanes(given[1], _0), load_lanes(given[2], _0)
    store_lanes(found[0], _0, a + b)
    store_lanes(found[1], _0, a ^ (b & c))
    store_lanes(found[2], _0, (a << _5) | (a >> _3))
    store_lanes(found[3], _0, reverse_bytes(a))
    store_lanes(found[4], _0, pick(a, b))
    store_lanes(found[5], _0, add_where_above(a, b, c, _3))
    store_lanes(found[6], _0, words(given[0, 1]))


def test_words():
    a, b, c = WORDS
    c[2], c[5] = b[2], b[5] - np.uint64(1)  # not above, and just above
    found = np.zeros((7, LANES), np.uint64)
    on_words(WORDS, found)
    expected = [
        a + b,
        a ^ (b & c),
        (a << _5) | (a >> _3),
        a.byteswap(),
        a[b % np.uint64(LANES)],
        a + np.where(b > c, _3, _0),
        np.full(LANES, a[1]),
    ]
    assert np.array_equal(found, expected)


@kernel("void(f8[::1], u8[::1], f8[::1])")
def on_table(table, index, found):
    store_lanes(found, _0, pick(load_lanes(table, _0), load_lanes(index, _0)))


def test_floats_are_picked_by_the_lowest_three_bits():
    found = np.empty(LANES)
    on_table(FLOATS[0].copy(), WORDS[1].copy(), found)
    assert found.tolist() == FLOATS[0][WORDS[1] % np.uint64(8)].tolist()


@kernel("void(u1[::1], u8[::1], u8[::1])")
def in_memory(small, large, found):
    store_lanes(found, _0, load_bytes(small, _3))
    store_apart(found, np.uint64(LANES), _3, load_lanes(large, _5))


def test_neighbours_begin_anywhere():
    small = np.arange(100, 120, dtype=np.uint8)
    large = np.arange(40, dtype=np.uint64)
    found = np.zeros(40, np.uint64)
    in_memory(small, large, found)
    assert found[:8].tolist() == list(range(103, 111))
    assert found[8:32:3].tolist() == list(range(5, 13))
    assert np.count_nonzero(found) == 16


@pytest.mark.slow
def test_processors_without_wide_registers_give_the_same(tmp_path):
    narrow = {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "not without_wide"]
    subprocess.run(command, env=os.environ | narrow, check=True, cwd=tmp_path)
