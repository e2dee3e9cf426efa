"""Iterated function systems (IFS): what the fractal formulas share before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fdsl.formulas.arrays import Floats, Parameters, State
from fdsl.schema.base import FrozenModel
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

MAX_CANDIDATES = 20_000
MAX_MAPS = 256
MAX_COEFFICIENT = 1000.0  # so that an orbit passes every bound before it can overflow to infinity
BOUND = 1e6  # an orbit beyond it counts as diverged
FAR = 1e100  # how far a diverged orbit is followed where it is kept
MAX_HALVINGS = 60

Systems = Iterator[tuple[Floats, Floats]]  # coefficients, probabilities
Accepts = Callable[[Floats, Floats, State], bool]


class IfsSettings(FrozenModel):
    """Settings of FractalDB and ExFractalDB: the search, and the weights of the instances."""

    weighted: bool = Field(True, description="vary one coefficient per instance, else none")
    instance_row: int | None = Field(
        None, ge=0, description="weight row of all instances; null: by turns; 0: released OFDB"
    )
    diverged: Literal["shrink", "keep"] = Field(
        "shrink", description="halve the distance of a diverging weight from 1, or draw it as it is"
    )
    coefficient_limit: float = Field(
        1.0, gt=0, le=10, description="coefficients are uniform within ± limit; svd: shifts only"
    )
    maps: tuple[int, int] = Field((2, 7), description="fewest and most maps of a system")

    def weight_rows(self) -> Floats:
        """Return the factors of the coefficients, (rows, coefficients), one row an instance."""
        raise NotImplementedError

    def instance_weights(self) -> Floats:
        """Return the rows of `weight_rows` that the instances use by turns."""
        rows, row = self.weight_rows(), self.instance_row
        if not self.weighted:
            return np.ones((1, rows.shape[1]))
        return rows if row is None else rows[row : row + 1]

    @model_validator(mode="after")
    def _maps_ascend_and_row_exists(self) -> Self:
        if not 1 <= self.maps[0] <= self.maps[1] <= MAX_MAPS:
            raise ValueError(f"maps = {self.maps} must be two ascending numbers, 1 to {MAX_MAPS}")
        if self.maps[1] < 2:
            raise ValueError(
                f"maps = {self.maps}: the attractor of a single map is a point, so no search would"
                " end; allow at least 2"
            )
        row, last = self.instance_row, len(self.weight_rows()) - 1
        if row is not None and not self.weighted:
            raise ValueError(f"instance_row = {row} with weighted = false: set one of the two")
        if row is not None and row > last:
            raise ValueError(f"instance_row = {row} is none of the rows 0 to {last} of the weights")
        return self


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


def search(
    systems: Systems, accepts: Accepts, *, path: tuple[int, int, int], tries: int, failure: str
) -> tuple[Floats, Floats, int]:
    """Return the first accepted system: coefficients, probabilities, and how many were tried.

    Parameters
    ----------
    systems
        Candidates, in order.
    accepts
        Called with coefficients, probabilities and the candidate's own generator state.
    path
        Root seed, formula id, category.
    tries
        Largest number of candidates.
    failure
        Ends the error message "none of TRIES …".

    Raises
    ------
    ValueError
        If no candidate is accepted.
    """
    for candidate, (system, shares) in zip(range(1, tries + 1), systems, strict=False):
        if accepts(system, shares, tree.kernel_state(*path, candidate, Stage.PARAMETERS)):
            return system, shares, candidate
    raise ValueError(f"none of {tries} {failure}")


def probabilities(system: Floats) -> Floats:
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


def columns(names: str, system: Floats, shares: Floats, *, candidate: int) -> Parameters:
    """Return a system as parameter columns: map, one column per coefficient, p, candidate."""
    return {
        "map": np.arange(len(system), dtype=np.int32),
        **{name: np.ascontiguousarray(system[:, k]) for k, name in enumerate(names)},
        "p": shares,
        "candidate": np.full(len(system), candidate, dtype=np.int32),
    }


def read_system(names: str, parameters: Parameters) -> tuple[Floats, Floats]:
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
            f"parameters of shape {table.shape[1:]}: one row for each of 1 to {MAX_MAPS} maps"
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


def choice(shares: Floats) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return what the chaos game needs to choose maps with probabilities `shares` (maps,)."""
    from fdsl.raster.choice import prepare_choice

    thresholds, guide = np.empty(len(shares), np.uint64), np.empty(256, np.uint8)
    prepare_choice(shares, thresholds, guide)
    return thresholds, guide


def weight_table(coefficients: int, multipliers: list[float], *, identity_row: int) -> Floats:
    """Return the factors of the instances, (coefficients * multipliers + 1, coefficients).

    Read-only. One coefficient at a time has one of `multipliers`; row `identity_row` is ones.
    """
    rows = np.ones((coefficients * len(multipliers), coefficients))
    for k in range(coefficients):
        rows[k * len(multipliers) : (k + 1) * len(multipliers), k] = multipliers
    table = np.insert(rows, identity_row, 1.0, axis=0)
    table.setflags(write=False)  # callers cache it
    return table


def play_weighted(
    game: Callable[..., int],
    settings: IfsSettings,
    parameters: tuple[Floats, Floats, Floats],
    state: State,
    *outputs: Floats,
) -> tuple[int, bool]:
    """Play the chaos game of a weighted system and advance `state`.

    Parameters
    ----------
    game
        A kernel of `fdsl.raster.chaos_game`.
    settings
        `diverged` says what happens to a system that the weights make diverge.
    parameters
        Coefficients (maps, coefficients), probabilities (maps,), weights (coefficients,).
    state
        Of the image's own stream.
    outputs
        Arrays that `game` fills; the first has one column per point.

    Returns
    -------
    tuple
        How many points count, and whether the weights made the system diverge.

    Raises
    ------
    ValueError
        If the unweighted system diverges while diverged = "shrink".
    """
    system, shares, weights = parameters
    points, start, maps = outputs[0].shape[-1], state.copy(), choice(shares)
    keep = settings.diverged == "keep"
    for factors in halved(weights):
        state[:] = start
        count = game(system * factors, *maps, state, FAR if keep else BOUND, *outputs)
        if count == points or (keep and count > 0):
            return count, factors is not weights or count < points
    raise ValueError(
        "the system diverges even without a weight: sample the parameters again, or set diverged ="
        " 'keep' to draw what there is"
    )


def halved(weights: Floats) -> Iterator[Floats]:
    """Yield `weights`, then the same with half, a quarter, … of their distance from 1, and at last
    ones.
    """
    yield weights
    for halving in range(1, MAX_HALVINGS):
        yield 1 + (weights - 1) * 0.5**halving
    yield np.ones_like(weights)
