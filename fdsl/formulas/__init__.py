"""The registry of formulas, and the interface of their modules."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, Unpack, cast, runtime_checkable

from fdsl.formulas.arrays import Parameters, Pixels, Place
from fdsl.schema.base import FrozenModel, choose

NAMES = "fractaldb exfractaldb rcdb visualatom one_parameter perlin dead_leaves bezier"
FORMULAS = tuple(NAMES.split())


class Formula(Protocol):
    """A module of this package that turns a seed and two indices into an image."""

    FORMULA_ID: int  # permanent: it is a part of every seed path
    TITLE: str
    Settings: type[FrozenModel]  # has at least image_size_px; the defaults are the published values
    PARAMETERS: dict[str, str]  # column -> numpy dtype, without the category

    @staticmethod
    def sample_category(settings: FrozenModel, *, seed: int, category: int) -> Parameters:
        """Return the columns of PARAMETERS for one category, independent of all others."""

    @staticmethod
    def render(settings: FrozenModel, parameters: Parameters, **place: Unpack[Place]) -> Pixels:
        """Return one image, (H, W) or (H, W, 3), a pure function of the arguments.

        Raises
        ------
        ValueError
            If the parameters are impossible.
        """


@runtime_checkable
class MayDiverge(Protocol):
    """A formula whose variations can diverge."""

    @staticmethod
    def draw(
        settings: FrozenModel, parameters: Parameters, **place: Unpack[Place]
    ) -> tuple[Pixels, bool]:
        """Return the image of `render`, and whether the varied system diverged."""


def get(name: str) -> Formula:
    """Return the module of a formula.

    It is imported here and not before, so that a formula costs nothing until it is used.

    Raises
    ------
    ConfigError
        If the name is not in FORMULAS; the message lists the names.
    """
    module = choose("formula", name, FORMULAS, where="fdsl.formulas")
    return cast("Formula", import_module(f"fdsl.formulas.{module}"))
