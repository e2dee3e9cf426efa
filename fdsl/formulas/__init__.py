"""The registry of formulas, and what each of their modules offers."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fdsl.schema.base import FrozenModel, choose

FORMULAS = {
    "fractaldb": "fdsl.formulas.fractaldb",
    "exfractaldb": "fdsl.formulas.exfractaldb",
    "rcdb": "fdsl.formulas.rcdb",
    "visualatom": "fdsl.formulas.visualatom",
    "one_parameter": "fdsl.formulas.one_parameter",
    "perlin": "fdsl.formulas.perlin",
    "dead_leaves": "fdsl.formulas.dead_leaves",
    "bezier": "fdsl.formulas.bezier",
}


class Formula(Protocol):
    """A module of this package that turns a seed and two indices into an image."""

    FORMULA_ID: int  # permanent: it is a part of every seed path
    TITLE: str
    Settings: type[FrozenModel]  # has at least image_size_px; the defaults are the published values
    PARAMETERS: dict[str, str]  # column -> numpy dtype, without the category

    @staticmethod
    def sample_category(settings: FrozenModel, *, seed: int, category: int) -> dict[str, NDArray]:
        """Return the columns of PARAMETERS for one category, equally long; independent of all other
        categories.
        """

    @staticmethod
    def render(
        settings: FrozenModel,
        parameters: dict[str, NDArray],
        *,
        seed: int,
        category: int,
        instance: int,
    ) -> NDArray[np.uint8]:
        """Return one image, (H, W); a pure function of its arguments. Impossible parameters raise a
        ValueError.
        """


@runtime_checkable
class MayDiverge(Protocol):
    """A formula that some of its own variations make diverge, and that can tell."""

    @staticmethod
    def draw(
        settings: FrozenModel,
        parameters: dict[str, NDArray],
        *,
        seed: int,
        category: int,
        instance: int,
    ) -> tuple[NDArray[np.uint8], bool]:
        """Return the image that `render` does, and whether the system diverged, which the settings
        say how to treat.
        """


def get(name: str) -> Formula:
    """Return the module of a formula; the one dynamic import of this package, so that a formula
    costs nothing until it is used.

    Raises
    ------
    ConfigError
        If the name is not in FORMULAS; the message lists the names.
    """
    return import_module(FORMULAS[choose("formula", name, list(FORMULAS), where="fdsl.formulas")])
