"""The random numbers of the kernels: xoshiro256++ with its four words of state in an array that the
caller owns.

Source: D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47
(2021), and https://prng.di.unimi.it. Inside a kernel the words stand in local variables
(`advance`); `load` and `store` are the ends.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel
from fdsl.raster.lanes import LANES, load_lanes, words

TO_UNIT = 2.0**-53
STRIDE = 2048  # numbers between two lanes of `split`

# The state STRIDE * lane numbers later is this polynomial of the step, x**(STRIDE * lane) modulo
# the characteristic polynomial of the generator over GF(2); coefficient i is bit i % 64 of word i
# // 64.
JUMPS = np.array(
    [
        [0x0000000000000001, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000],
        [0x876C2301125A85C0, 0x15FE822628B16F04, 0x3C8CA36EC9A74FA7, 0x51EDEF31819E01FF],
        [0xD7F4E8DA7E228B85, 0xD638D47EC5BCF595, 0xAA6EB691CBF9CE10, 0x0F41CCE3698FAD39],
        [0xA82BD707A5C0BBCD, 0x557D6BD4A66701D2, 0x27E81077D42D6234, 0x70B2BD03010451A7],
        [0x669DA12373880674, 0xB1DF898A4A6F1548, 0x32104B94FE2534D3, 0xDA66E09E52B341D1],
        [0x0D62783CBB52918C, 0x6E84CE91FE2E29D7, 0xD74A28CEF5A8BE79, 0x90479E96A10C1E56],
        [0x2F8694C414AB14D4, 0xB9AA0DF930906447, 0x8D238798B0472623, 0x47038A0BCD5CAD87],
        [0x2FEB50AB077BAC1A, 0xA9B302D307A6D345, 0x64DCF3FB942666EF, 0x3972A4B76A145204],
    ],
    np.uint64,
)
_BITS = (JUMPS[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
_TAKEN = (np.uint64(0) - _BITS.reshape(LANES, 256)).T.ravel()  # all bits where a coefficient is 1

_U0, _LANES = np.uint64(0), np.uint64(LANES)
_U11, _U17, _U19, _U23, _U41, _U45 = (np.uint64(bits) for bits in (11, 17, 19, 23, 41, 45))
_U27, _U30, _U31 = (np.uint64(bits) for bits in (27, 30, 31))
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@inlined
def advance(s0, s1, s2, s3):
    """Return 64 random bits and the next state; in lanes, of eight generators at once."""
    total = s0 + s3
    bits = ((total << _U23) | (total >> _U41)) + s0
    shifted = s1 << _U17
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    s1 = s1 ^ s2
    s0 = s0 ^ s3
    s2 = s2 ^ shifted
    s3 = (s3 << _U45) | (s3 >> _U19)
    return bits, s0, s1, s2, s3


@inlined
def load(state):
    """The four words of a state."""
    return state[0], state[1], state[2], state[3]


@inlined
def store(state, s0, s1, s2, s3):
    """Put four words back."""
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3


@inlined
def skip(state, count):
    """Leave out `count` numbers."""
    s0, s1, s2, s3 = load(state)
    for _ in range(count):
        _, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
    store(state, s0, s1, s2, s3)


@inlined
def split(state):
    """The states 0, STRIDE, … 7 * STRIDE numbers after `state`, as four words of lanes, which
    `advance` takes together.
    """
    s0, s1, s2, s3 = load(state)
    l0 = l1 = l2 = l3 = words(_U0)
    for i in range(np.uint64(256)):
        taken = load_lanes(_TAKEN, i * _LANES)
        l0 = l0 ^ (words(s0) & taken)
        l1 = l1 ^ (words(s1) & taken)
        l2 = l2 ^ (words(s2) & taken)
        l3 = l3 ^ (words(s3) & taken)
        _, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
    return l0, l1, l2, l3


@inlined
def unit(bits):
    """The upper 53 of 64 random bits as a number in [0, 1)."""
    return np.int64(bits >> _U11) * TO_UNIT


@kernel("void(u8[::1], u8[::1])")
def fill_bits(state, values):
    """Fill `values` with 64 random bits each."""
    s0, s1, s2, s3 = load(state)
    for i in range(values.size):
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        values[i] = bits
    store(state, s0, s1, s2, s3)


@kernel("void(u8[::1], f8[::1])")
def fill_uniform(state, values):
    """Fill `values` with numbers in [0, 1), multiples of 2**-53."""
    s0, s1, s2, s3 = load(state)
    for i in range(values.size):
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        values[i] = unit(bits)
    store(state, s0, s1, s2, s3)


@kernel("void(u8, u8[::1])")
def splitmix64(seed, values):
    """Fill `values` with the sequence of splitmix64, the generator that its authors recommend for
    seeding xoshiro.
    """
    for i in range(values.size):
        seed += _GAMMA
        word = (seed ^ (seed >> _U30)) * _MIX_1
        word = (word ^ (word >> _U27)) * _MIX_2
        values[i] = word ^ (word >> _U31)
