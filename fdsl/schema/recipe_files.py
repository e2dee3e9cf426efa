"""Files of recipes and of the probe: each value with its source, or the difference to another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from fdsl.schema.base import ConfigError, FrozenModel, choose, validate
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Recipe
from fdsl.schema.yaml_files import read_mapping, read_yaml

Source = Literal["paper", "supplement", "released code", "authors' reply", "inferred", "ours"]


class Sourced(FrozenModel):
    """One value of a recipe and where it is stated."""

    value: Any
    source: Source
    where: str = Field(
        min_length=1, description="a key of `references`, or with , : or ; and a remark; or a text"
    )


class Stated(Sourced):
    """A sourced value and the recipe whose file holds it."""

    recipe: str


class Head(FrozenModel):
    """The keys of a recipe file that are no values."""

    like: str | None = Field(None, description="the recipe that this file changes")
    references: dict[str, str] = Field({}, description="sources of several values")


def recipes(
    folder: Path, kind: type[FrozenModel] = Recipe, *, below: str = ""
) -> dict[str, dict[str, Any]]:
    """Read all recipes of a kind, each complete: nested mappings of keys to Stated values.

    A file with `like: NAME` takes over the values of NAME, which may itself be like another, and
    overrides those that it names.

    Parameters
    ----------
    folder
        The workflow folder.
    kind
        What the values must be.
    below
        Folder of the kind's recipes below `recipes`, which ends in `/` and begins their names;
        empty for classification.

    Raises
    ------
    ConfigError
        If a value has no source or is out of range, if `like` names no recipe or leads back to its
        own, or if a file overrides nothing, a key that NAME lacks, or a value by the same value of
        the same kind of source.
    """
    found = sorted((folder / "recipes" / below).glob("*.yaml"))
    files = {f"{below}{path.stem}": _read(f"{below}{path.stem}", path) for path in found}
    whole: dict[str, dict[str, Any]] = {}
    for name in files:
        for member in reversed(_ancestry(name, files)):
            if member not in whole:
                head, values = files[member]
                recipe = values if head.like is None else _merged(whole[head.like], values, member)
                validate(kind, plain(recipe), where=_file(member))
                whole[member] = recipe
    return {name: whole[name] for name in files}


def read_probe(folder: Path) -> Probe:
    """Read probe.yaml of a workflow folder.

    Raises
    ------
    ConfigError
        If a value lacks a source, is missing, unknown or out of range.
    """
    where, entries = "workflow/probe.yaml", read_mapping(folder / "probe.yaml")
    values = {k: validate(Sourced, v, where=f"{where}: {k}").value for k, v in entries.items()}
    return validate(Probe, values, where=where)


def flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Stated]:
    """Return a recipe's Stated values by their dotted keys."""
    values: dict[str, Stated] = {}
    for key, value in recipe.items():
        values |= (
            {prefix + key: value} if isinstance(value, Stated) else flat(value, f"{prefix}{key}.")
        )
    return values


def plain(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's values without their sources."""
    return {k: v.value if isinstance(v, Stated) else plain(v) for k, v in recipe.items()}


def _file(name: str) -> str:
    return f"workflow/recipes/{name}.yaml"


def _read(name: str, path: Path) -> tuple[Head, dict[str, Any]]:
    """Read one file: its head, and the values that it names itself."""
    where, content = _file(name), read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{where} must be a mapping of keys to values with their sources")
    head = validate(Head, {k: v for k, v in content.items() if k in Head.model_fields}, where=where)

    def read(entry: Any, key: str) -> Any:
        if isinstance(entry, dict) and "value" not in entry and "source" not in entry:
            return {name: read(value, f"{key}.{name}") for name, value in entry.items()}
        sourced = validate(Sourced, entry, where=f"{where}: {key}")
        text = _spelled_out(sourced.where, head.references)
        return Stated(value=sourced.value, source=sourced.source, where=text, recipe=name)

    values = {k: read(v, k) for k, v in content.items() if k not in Head.model_fields}
    if not flat(values):
        raise ConfigError(f"{where} names no values; state what differs, or remove the file")
    return head, values


def _spelled_out(where: str, references: dict[str, str]) -> str:
    """Return `where` with the reference that it begins with written out."""
    key = re.split("[,:;]", where, maxsplit=1)[0]
    return references.get(key, key) + where[len(key) :]


def _ancestry(name: str, files: dict[str, tuple[Head, dict[str, Any]]]) -> list[str]:
    """Return a recipe, the one that it is like, the one that this is like, …"""
    chain = [name]
    while (parent := files[chain[-1]][0].like) is not None:
        choose("like", parent, list(files), where=_file(chain[-1]))
        if parent in chain:
            circle = " -> ".join([*chain, parent])
            raise ConfigError(
                f"{_file(name)}: like = {files[name][0].like!r} leads in a circle: {circle}. One of"
                " these recipes must state all of its values."
            )
        chain.append(parent)
    return chain


def _merged(
    base: dict[str, Any], changes: dict[str, Any], name: str, prefix: str = ""
) -> dict[str, Any]:
    """Return `base` with the values that the file of recipe `name` states."""
    where, merged = _file(name), dict(base)
    for key, new in changes.items():
        choose("key", key, list(base), where=f"{where}{prefix and ': '}{prefix.rstrip('.')}")
        old, dotted = base[key], f"{prefix}{key}"
        if isinstance(old, dict) != isinstance(new, dict):
            kinds = ("a mapping of keys", "one value with its source")
            right, wrong = kinds if isinstance(old, dict) else reversed(kinds)
            raise ConfigError(f"{where}: {dotted} must be {right}, not {wrong}")
        if isinstance(new, dict):
            merged[key] = _merged(old, new, name, f"{dotted}.")
            continue
        if (new.value, new.source) == (old.value, old.source):
            raise ConfigError(
                f"{where}: {dotted} = {new.value!r} ({new.source}) is what {_file(old.recipe)}"
                " states already; remove it"
            )
        merged[key] = new
    return merged
