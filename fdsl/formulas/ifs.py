"""Iterated function systems (IFS): what the fractal formulas share before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 20_000
MAX_MAPS = 256
MAX_COEFFICIENT = 1000.0  # so that an orbit passes every bound before it can overflow to infinity
BOUND = 1e6  # an orbit beyond it counts as diverged
FAR = 1e100  # how far a diverged orbit is followed where it is kept
MAX_HALVINGS = 60
DIVERGES = (
    "the system diverges even without a weight: sample the parameters again, or set diverged ="
    " 'keep' to draw what there is"
)


Systems = Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]  # coefficients, probabilities


def candidates(
    rng: np.random.Generator, *, coefficients: int, limit: float, maps: tuple[int, int]
) -> Systems:
    """Yield random systems: float64 (maps, coefficients) uniform in [-limit, limit), with
    probabilities proportional to |det|.

    The number of maps is uniform on `maps`, both ends included. Source: section 3.1 of the
    FractalDB paper and its released code.
    """
    while True:
        count = rng.integers(maps[0], maps[1], endpoint=True)
        system = rng.uniform(-limit, limit, (count, coefficients))
        yield system, probabilities(system)


def probabilities(system: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares of the maps, float64 (maps,): |determinant| over its sum; equal shares
    where all determinants are 0.
    """
    if system.shape[1] == 6:
        a, b, c, d = system[:, :4].T
        areas = np.abs(a * d - b * c)
    else:
        a, b, c, d, e, f, g, h, i = system[:, :9].T
        areas = np.abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    total = sum(areas.tolist())
    return areas / total if total > 0 else np.full(len(areas), 1 / len(areas))


def parameter_types(names: str) -> dict[str, str]:
    """Return the types of the parameter columns of systems with coefficients `names`, as `columns`
    makes them.
    """
    return {"map": "int32", **dict.fromkeys([*names, "p"], "float64"), "candidate": "int32"}


def columns(
    names: str, system: NDArray[np.float64], shares: NDArray[np.float64], *, candidate: int
) -> dict[str, NDArray]:
    """Return a system as parameter columns: map, one column per coefficient, p, candidate."""
    return {
        "map": np.arange(len(system), dtype=np.int32),
        **{name: np.ascontiguousarray(system[:, k]) for k, name in enumerate(names)},
        "p": shares,
        "candidate": np.full(len(system), candidate, dtype=np.int32),
    }


def read_system(
    names: str, parameters: dict[str, NDArray]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients (maps, len(names)) and probabilities (maps,) of one category.

    Raises
    ------
    ValueError
        If a column is missing, there is no map or more than 256, a value is not finite or beyond
        ±1000, or the probabilities are not.
    """
    wanted = [*names, "p"]
    if missing := [name for name in wanted if name not in parameters]:
        raise ValueError(f"parameter columns {missing} are missing: sample the parameters again")
    table = np.array([parameters[name] for name in wanted], dtype=np.float64)
    if table.ndim != 2 or not 1 <= table.shape[1] <= MAX_MAPS:
        raise ValueError(
            f"parameters of shape {table.shape[1:]}: a system has 1 to {MAX_MAPS} maps, each"
            " one row"
        )
    shares = table[-1].copy()
    if not np.abs(table).max() <= MAX_COEFFICIENT:
        raise ValueError(
            f"coefficients or probabilities are not finite or beyond ±{MAX_COEFFICIENT:g}: sample"
            " the parameters again"
        )
    if shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"probabilities p = {shares.tolist()} must be at least 0 and sum to 1")
    return np.ascontiguousarray(table[:-1].T), shares


def choice(shares: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return what the chaos game needs to choose maps with probabilities `shares` (maps,)."""
    from fdsl.raster.choice import prepare_choice

    thresholds, guide = np.empty(len(shares), np.uint64), np.empty(256, np.uint8)
    prepare_choice(shares, thresholds, guide)
    return thresholds, guide


def weight_table(
    coefficients: int, multipliers: list[float], *, identity_row: int
) -> NDArray[np.float64]:
    """Return the factors of the instances, (coefficients * multipliers + 1, coefficients).

    One coefficient at a time has one of `multipliers`, in order; a row of ones stands at
    `identity_row`.
    """
    rows = np.ones((coefficients * len(multipliers), coefficients))
    for k in range(coefficients):
        rows[k * len(multipliers) : (k + 1) * len(multipliers), k] = multipliers
    return np.insert(rows, identity_row, 1.0, axis=0)


def halved(weights: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield `weights`, then the same with half, a quarter, … of their distance from 1, and at last
    ones.
    """
    yield weights
    for halving in range(1, MAX_HALVINGS):
        yield 1 + (weights - 1) * 0.5**halving
    yield np.ones_like(weights)
