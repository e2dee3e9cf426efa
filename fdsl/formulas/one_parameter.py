"""1p-frac: one fractal, and slight perturbations of it as the categories.

Source: Nakamura et al., "Scaling backwards: minimal synthetic pre-training?" (ECCV 2024) and its
released code. The code multiplies each coefficient; the paper writes a sum. Ours: the base system
is a function of the seed alone and must fill the image itself, and retries end with an error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Unpack

import numpy as np
from pydantic import Field, model_validator

from fdsl.formulas import attractor, ifs, svd_sampler
from fdsl.formulas.arrays import Floats, Parameters, Pixels, Place, State
from fdsl.formulas.attractor import Look, WindowSettings
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

FORMULA_ID = 5
TITLE = "1p-frac"
COEFFICIENTS = "abcdef"
PARAMETERS = ifs.parameter_types(COEFFICIENTS)
BASE = 2**32 - 1  # the base system's place in the seed tree: a category that no dataset has
MAX_CANDIDATES = 1000


class Settings(WindowSettings):
    """Base system, perturbation and drawing. The defaults are those of the released code, but for
    the sigma factor of the paper's table.
    """

    image_size_px: int = Field(512, ge=4, le=8192, description="side of the square image")
    points: int = Field(100_000, ge=1, le=100_000_000, description="points of the chaos game")
    mask: Literal["random", "fill"] = Field("random", description="random patterns, or nine pixels")
    gray_level: int = Field(127, ge=1, le=255, description="of the patches, on black")
    maps: int = Field(2, ge=1, le=16, description="maps of the system")
    sigma_factor: float = Field(
        3.5, ge=0, le=48, description="singular values' sum, the smaller doubled; at most 3 a map"
    )
    sigma_spread: float = Field(0.1, ge=0, le=1, description="sigma factor is uniform in ± this")
    delta: float = Field(0.1, gt=0, le=1, description="of perturbations; 0.01 to 0.2 in the paper")
    perturbation: Literal["multiplicative", "additive"] = Field(
        "multiplicative", description="times 1 ± delta, as coded; or plus ± delta / 2, as written"
    )
    filling_rate: float = Field(0.05, gt=0, lt=1, description="share of lit pixels to exceed")

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        low, high = self.sigma_factor - self.sigma_spread, self.sigma_factor + self.sigma_spread
        if not 0 <= low <= high <= 3 * self.maps:
            raise ValueError(
                f"sigma_factor ± sigma_spread = {low:g} to {high:g} must be within 0 to"
                f" {3 * self.maps}, 3 for each of the maps"
            )
        reachable = min(1.0, 9 * self.search_points / self.search_size_px**2)
        if self.filling_rate >= reachable:
            raise ValueError(
                f"filling_rate = {self.filling_rate} needs more than search_points ="
                f" {self.search_points} on {self.search_size_px} px"
            )
        return self


def sample_category(settings: Settings, *, seed: int, category: int) -> Parameters:
    """Draw one category: the first perturbation of the seed's base system that fills enough of the
    image.

    Returns
    -------
    dict
        PARAMETERS, one row per map; p is the base system's. `candidate` is how many perturbations
        were tried.

    Raises
    ------
    ValueError
        If 1000 base systems or 1000 perturbations in a row fail.
    """
    base, shares = base_system(settings, seed=seed)
    rng = tree.generator(seed, FORMULA_ID, category, 0, Stage.PARAMETERS)
    perturbations = ((perturbed(settings, base, rng), shares) for _ in range(MAX_CANDIDATES))
    system, shares, candidate = _search(
        settings, perturbations, "perturbations", seed=seed, category=category
    )
    return ifs.columns(COEFFICIENTS, system, shares.copy(), candidate=candidate)


@lru_cache(maxsize=8)
def base_system(settings: Settings, *, seed: int) -> tuple[Floats, Floats]:
    """Return the system that all categories of a seed perturb; cached, do not change it.

    Returns
    -------
    tuple
        Coefficients (maps, 6) and probabilities (maps,).

    Raises
    ------
    ValueError
        If none of 1000 random systems fills enough of the image.
    """
    centre, spread = settings.sigma_factor, settings.sigma_spread
    systems = svd_sampler.candidates(
        tree.generator(seed, FORMULA_ID, BASE, 0, Stage.PARAMETERS),
        maps=(settings.maps, settings.maps),
        sigma_factor=(centre - spread, centre + spread),
        shift_limit=1.0,
    )
    system, shares, _ = _search(settings, systems, "base systems", seed=seed, category=BASE)
    system.setflags(write=False)  # it is cached
    return system, shares


def _search(
    settings: Settings, systems: ifs.Systems, kind: str, *, seed: int, category: int
) -> tuple[Floats, Floats, int]:
    """Return the first system that fills enough of the image, and how many were tried."""
    return ifs.search(
        systems,
        lambda *found: filling_rate(settings, *found) > settings.filling_rate,
        path=(seed, FORMULA_ID, category),
        tries=MAX_CANDIDATES,
        failure=f"{kind} fills more than {settings.filling_rate} of the image: lower filling_rate"
        " or delta",
    )


def perturbed(settings: Settings, base: Floats, rng: np.random.Generator) -> Floats:
    """Return `base` (maps, 6) with every coefficient perturbed by itself."""
    u = rng.uniform(-settings.delta, settings.delta, base.shape)
    return base * (1 + u) if settings.perturbation == "multiplicative" else base + u / 2


def filling_rate(settings: Settings, system: Floats, shares: Floats, state: State) -> float:
    """Return the share of lit pixels of the test image; 0 for an orbit that leaves ±1e6."""
    orbit = attractor.bounded_orbit(settings.search_points, system, shares, state)
    if orbit is None:
        return 0.0
    look = _look(settings, settings.search_size_px, settings.search_pad_px)
    return np.count_nonzero(attractor.paint(orbit, look, state)) / settings.search_size_px**2


def render(settings: Settings, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
    """Draw one instance, points and patches from a stream of its own; the published datasets have
    one of each category.

    Returns
    -------
    ndarray
        uint8 (image_size_px, image_size_px), gray_level on black.

    Raises
    ------
    ValueError
        If the parameters are impossible or the system diverges.
    """
    system, shares = ifs.read_system(COEFFICIENTS, parameters)
    state = tree.render_state(FORMULA_ID, **place)
    orbit = attractor.bounded_orbit(settings.points, system, shares, state)
    if orbit is None:
        raise ValueError(f"category {place['category']} diverges: sample the parameters again")
    return attractor.paint(orbit, _look(settings, settings.image_size_px, settings.pad_px), state)


def _look(settings: Settings, size: int, pad: int) -> Look:
    pattern: Literal["per_point", "full"] = "per_point" if settings.mask == "random" else "full"
    return Look(size, pad, "patch", pattern, settings.gray_level)
