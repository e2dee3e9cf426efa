"""The only place where random generators are made: a tree of seeds with one branch per thing that
is drawn.

An image depends on its own branch (root seed, formula, category, instance, stage) and on nothing
else, so that order, shard size, worker count, host and resume cannot change it. The same holds for
shuffles, splits and augmentations in training.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**63 - 1


class Stage(IntEnum):
    """What a branch of the tree is used for. Numbers are permanent: changing one changes every
    dataset.
    """

    PARAMETERS = 0
    RENDER = 1
    SPLIT = 2
    SHUFFLE = 3
    AUGMENT = 4
    MIX = 5
    INITIALISE = 6
    STOCHASTIC_LAYERS = 7
    BOOTSTRAP = 8
    VIEW = 9
    VARY = 10
    COMPOSE = 11
    SHUFFLE_LABELS = 12


def sequence(root: int, *path: int) -> np.random.SeedSequence:
    """Return the branch `path` of the seed tree with root seed `root`.

    Parameters
    ----------
    root
        0 … 2**63 - 1.
    path
        Non-negative integers, each below 2**32. For images: formula id, category, instance, stage.

    Raises
    ------
    ValueError
        If the root or an element of the path is out of range.
    """
    if not 0 <= root <= MAX_SEED:
        raise ValueError(f"seed {root} is out of range: use an integer from 0 to {MAX_SEED}")
    if any(not 0 <= part < 2**32 for part in path):
        raise ValueError(
            f"seed path {path} is out of range: each part must be from 0 to {2**32 - 1}"
        )
    return np.random.SeedSequence(root, spawn_key=path)


def generator(root: int, *path: int) -> np.random.Generator:
    """Return a PCG64DXSM generator for one branch; for everything that is not the inside of a
    compiled loop.
    """
    return np.random.Generator(np.random.PCG64DXSM(sequence(root, *path)))


def kernel_state(root: int, *path: int) -> NDArray[np.uint64]:
    """Return the state, uint64 (4,), of the xoshiro256++ generator that compiled kernels take as an
    argument.
    """
    return sequence(root, *path).generate_state(4, np.uint64).astype(np.uint64, copy=False)


def render_state(formula: int, *, seed: int, category: int, instance: int) -> NDArray[np.uint64]:
    """Return the `kernel_state` of one image of a formula."""
    return kernel_state(seed, formula, category, instance, Stage.RENDER)
