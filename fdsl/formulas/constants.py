"""Categories that are one row of constants: make, read and check the row and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl.formulas.arrays import Parameters
from fdsl.schema.base import FrozenModel


def parameter_types(limits: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """Return the dtypes of the columns: int32 where the limits are integers, else float64."""
    return {k: "int32" if isinstance(low, int) else "float64" for k, (low, _) in limits.items()}


def row(types: Mapping[str, str], *values: float | np.number[Any]) -> Parameters:
    """Return the columns of one category: `values` in the order of `types`, its PARAMETERS."""
    return {
        name: np.array([value], dtype=dtype)
        for (name, dtype), value in zip(types.items(), values, strict=True)
    }


def read(
    parameters: Mapping[str, NDArray[Any]], limits: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Return the constants of one category by name, as int or float.

    Parameters
    ----------
    limits
        Name -> smallest and largest value; two integers ask for an integer.

    Raises
    ------
    ValueError
        If a column is missing, there is not exactly one row, or a value is not finite or out of its
        limits.
    """
    if missing := [name for name in limits if name not in parameters]:
        raise ValueError(f"parameter columns {missing} are missing: sample the parameters again")
    values = {}
    for name, (lowest, highest) in limits.items():
        if len(parameters[name]) != 1:
            raise ValueError(f"{len(parameters[name])} rows of parameters: a category has one")
        value = parameters[name][0].item()
        whole = isinstance(lowest, int)
        if not (lowest <= value <= highest and (not whole or value == int(value))):
            kind = "an integer" if whole else "a number"
            raise ValueError(
                f"{name} = {value} must be {kind} from {lowest} to {highest}: sample again"
            )
        values[name] = int(value) if whole else value
    return values


def square_cell(category: int, *, side: int, setting: str) -> tuple[int, int]:
    """Return category % side and category // side, the cell of a square grid whose side is the
    named setting.

    Raises
    ------
    ValueError
        If the grid has fewer categories.
    """
    if category >= side**2:
        raise ValueError(
            f"category {category} is outside of the grid of {side} x {side}: use at most {side**2}"
            f" classes, or raise {setting}"
        )
    return category % side, category // side


def check_ranges(settings: FrozenModel, limits: Mapping[str, tuple[float, float]]) -> None:
    """Raise a ValueError unless each named setting is two ascending numbers within its limits."""
    for name, (lowest, highest) in limits.items():
        low, high = getattr(settings, name)
        if not lowest <= low <= high <= highest:
            raise ValueError(
                f"{name} = ({low}, {high}) must be two ascending numbers from {lowest} to {highest}"
            )
