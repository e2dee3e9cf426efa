"""The random numbers of the kernels: xoshiro256++ with its four words of state in an array that the caller owns.

Source: D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021), and
https://prng.di.unimi.it. Inside a kernel the words stand in local variables (`advance`); `load` and `store` are the ends.
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel

TO_UNIT = 2.0**-53

_U11, _U17, _U19, _U23, _U41, _U45 = (np.uint64(bits) for bits in (11, 17, 19, 23, 41, 45))
_U27, _U30, _U31 = (np.uint64(bits) for bits in (27, 30, 31))
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@inlined
def advance(s0, s1, s2, s3):
    """Return 64 random bits and the next state."""
    total = s0 + s3
    bits = ((total << _U23) | (total >> _U41)) + s0
    shifted = s1 << _U17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
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
    """Fill `values` with the sequence of splitmix64, the generator that its authors recommend for seeding xoshiro."""
    for i in range(values.size):
        seed += _GAMMA
        word = (seed ^ (seed >> _U30)) * _MIX_1
        word = (word ^ (word >> _U27)) * _MIX_2
        values[i] = word ^ (word >> _U31)
