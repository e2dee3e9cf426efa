"""Random affine maps of the plane that are contractive by construction: their singular values are
drawn, not their coefficients.

Source: Anderson & Farrell, "Improving fractal pre-training" (WACV 2022), section 4, and its
released code. The sum of a system's singular values, the smaller ones doubled, is its sigma factor;
the paper finds that it decides how an attractor looks. Ours: the limits between which a singular
value is drawn never leave [0, 1], where a comparison in place of an assignment lets the released
code go out of them.
"""

from __future__ import annotations

import numpy as np

from fdsl.formulas import ifs
from fdsl.formulas.arrays import Floats


def candidates(
    rng: np.random.Generator,
    *,
    maps: tuple[int, int],
    sigma_factor: tuple[float, float] | None,
    shift_limit: float,
) -> ifs.Systems:
    """Yield random systems, float64 (maps, 6), with probabilities proportional to |det|; the number
    of maps is uniform on `maps`.
    """
    while True:
        count = int(rng.integers(maps[0], maps[1], endpoint=True))
        low, high = sigma_factor or default_sigma_factor(count)
        system = sample_system(
            rng, maps=count, sigma_factor=rng.uniform(low, high), shift_limit=shift_limit
        )
        yield system, ifs.probabilities(system)


def default_sigma_factor(maps: int) -> tuple[float, float]:
    """Return the range of the paper: systems of `maps` maps whose attractors have neither too few
    points nor no structure.
    """
    return (5 + maps) / 2, (6 + maps) / 2


def sample_system(
    rng: np.random.Generator, *, maps: int, sigma_factor: float, shift_limit: float
) -> Floats:
    """Return one system, (maps, 6), columns a … f: a rotation, scaling by the singular values with
    signs, a rotation; then a shift.

    Angles and signs are uniform and independent, shifts uniform in ± shift_limit. (The signs of the
    second rotation in the paper do not change this law, because its angle is uniform.)

    Raises
    ------
    ValueError
        If the sigma factor is not from 0 to 3 * maps.
    """
    from fdsl.raster import circle

    signs = np.where(rng.random((2, maps)) < 0.5, -1.0, 1.0)
    cosines, sines = np.empty((2, 2 * maps))
    circle.circle(rng.random(2 * maps), cosines, sines)
    (c1, c2), (s1, s2) = cosines.reshape(2, maps), sines.reshape(2, maps)
    large, small = sample_singular_values(rng, maps=maps, sigma_factor=sigma_factor)
    large, small = large * signs[0], small * signs[1]
    system = np.empty((maps, 6))
    system[:, 0] = c1 * large * c2 - s1 * small * s2
    system[:, 1] = -c1 * large * s2 - s1 * small * c2
    system[:, 2] = s1 * large * c2 + c1 * small * s2
    system[:, 3] = -s1 * large * s2 + c1 * small * c2
    system[:, 4:] = rng.uniform(-shift_limit, shift_limit, (maps, 2))
    return system


def sample_singular_values(
    rng: np.random.Generator, *, maps: int, sigma_factor: float
) -> tuple[Floats, Floats]:
    """Return the larger and the smaller singular values, (maps,) each, with 1 >= larger >= smaller
    >= 0.

    The sum of larger + 2 smaller is the sigma factor. Each value is uniform between the limits that
    those before it and the possible values of those after it leave.
    """
    if not 0 <= sigma_factor <= 3 * maps:
        raise ValueError(
            f"sigma factor {sigma_factor} cannot be reached by {maps} maps: use 0 to {3 * maps}"
        )
    large, small = np.empty((2, maps))
    left = sigma_factor  # for this map and those after it
    for k in range(maps - 1):
        must = left - 3 * (maps - 1 - k)  # what those after it cannot take
        large[k] = _between(rng, max(0.0, must / 3), min(1.0, left))
        left, must = left - large[k], must - large[k]
        small[k] = _between(rng, max(0.0, must / 2), min(large[k], left / 2))
        left -= 2 * small[k]
    small[-1] = _between(rng, max(0.0, (left - 1) / 2), left / 3)
    large[-1] = min(1.0, left - 2 * small[-1])
    return large, small


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a uniform number in [low, high], or `high` if rounding put that below `low`."""
    return min(high, low + (high - low) * rng.random())
