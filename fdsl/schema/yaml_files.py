"""Strict reading of YAML files, once each, with file and line in every error."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from fdsl.schema.base import ConfigError, FrozenModel, validate

Model = TypeVar("Model", bound=FrozenModel)

NAME = r"^[a-z][a-z0-9_]*$"  # of datasets, models, scales: used in file names and run keys
MAX_DEPTH = 32  # of collections within collections
MAX_VALUES = 100_000  # of one file, with aliases expanded


def workflow_folder() -> Path:
    """Return the folder with catalogues, recipes, scales and studies: the checkout's or a copy."""
    package = Path(__file__).parents[1]
    installed = package / "workflow_files"
    return installed if installed.is_dir() else package.parent / "workflow"


def catalog(folder: Path, name: str, model: type[Model]) -> dict[str, Model]:
    """Read one catalogue: a mapping of names to entries."""
    where = f"workflow/catalog/{name}.yaml"
    entries = read_mapping(folder / "catalog" / f"{name}.yaml")
    for key in entries:
        if not re.fullmatch(NAME, key):
            raise ConfigError(
                f"{where}: {key!r} cannot be a name. Use lower-case letters, digits and _,"
                " beginning with a letter."
            )
    return {key: validate(model, value, where=f"{where}: {key}") for key, value in entries.items()}


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; ConfigError if it holds anything else."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, expected names with values")
    return content


@cache
def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Only plain data are constructed. Duplicate keys, keys that are no text, collections nested
    deeper than 32, and more than 100,000 values after expansion of aliases are refused.

    Raises
    ------
    ConfigError
        Naming file and, where known, line of a fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _require_small(text)
        return yaml.load(text, Loader=_UniqueKeys)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; restore it from the repository") from None
    # a value that only looks like a date or a number fails in PyYAML's constructors in many ways
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A YAML loader that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {str(key.value)[:80]!r} is no text", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


def _require_small(text: str) -> None:
    """Raise YAMLError for text that expands too far in memory: by aliases or by nesting."""
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = []
    values = 0
    for event in yaml.parse(text, Loader=_UniqueKeys):
        if isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise yaml.YAMLError(f"the alias {event.anchor!r} is undefined or recursive")
            values += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor:
                sizes[anchor] = values - before
        if len(begun) > MAX_DEPTH:
            raise yaml.YAMLError(f"collections are nested deeper than {MAX_DEPTH}")
        if values > MAX_VALUES:
            raise yaml.YAMLError(f"it stands for more than {MAX_VALUES} values")
