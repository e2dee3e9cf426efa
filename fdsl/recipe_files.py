"""Recipes as they are written down: every value with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from fdsl.recipe import Recipe
from fdsl.strict import Strict, validate
from fdsl.yaml_files import read_yaml

Source = Literal["paper", "supplement", "released code", "authors' reply", "inferred", "ours"]


class Sourced(Strict):
    """One value of a recipe and where it is stated."""

    value: Any
    source: Source
    where: str = Field(
        min_length=1, description="a key of the recipe's `references`, or a sentence"
    )


def recipes(folder: Path) -> dict[str, dict[str, Any]]:
    """Read all recipes: nested mappings of keys to Sourced values."""
    return {path.stem: _recipe(path) for path in sorted((folder / "recipes").glob("*.yaml"))}


def flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Sourced]:
    """Return a recipe's Sourced values by their dotted keys."""
    values: dict[str, Sourced] = {}
    for key, value in recipe.items():
        values |= (
            {prefix + key: value} if isinstance(value, Sourced) else flat(value, f"{prefix}{key}.")
        )
    return values


def _recipe(path: Path) -> dict[str, Any]:
    """Read a recipe: every leaf is a Sourced value."""
    values = read_yaml(path)
    where = f"workflow/recipes/{path.name}"

    references = values.get("references", {})

    def read(entry: Any, key: str) -> Any:
        if isinstance(entry, dict) and "value" not in entry and "source" not in entry:
            return {name: read(value, f"{key}.{name}") for name, value in entry.items()}
        sourced = validate(Sourced, entry, where=f"{where}: {key}")
        return sourced.model_copy(update={"where": references.get(sourced.where, sourced.where)})

    recipe = {key: read(value, key) for key, value in values.items() if key != "references"}
    validate(Recipe, plain(recipe), where=where)
    return recipe


def plain(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's values without their sources."""
    return {k: v.value if isinstance(v, Sourced) else plain(v) for k, v in recipe.items()}
