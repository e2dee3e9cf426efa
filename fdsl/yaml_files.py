"""Reading what maintainers write in YAML: strictly, once, with file and line in every complaint."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from fdsl.strict import ConfigError, Strict, validate

Model = TypeVar("Model", bound=Strict)

NAME = r"^[a-z][a-z0-9_]*$"  # of datasets, models, scales: they stand in file names and run keys


def workflow_folder() -> Path:
    """Return the folder with catalogues, recipes, scales and studies: the checkout's, or the copy inside an installed package."""
    inside = Path(__file__).parent / "workflow"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "workflow"


def catalog(folder: Path, name: str, model: type[Model]) -> dict[str, Model]:
    """Read one catalogue: a mapping of names to entries."""
    path = folder / "catalog" / f"{name}.yaml"
    entries = read_yaml(path)
    return {
        key: validate(model, value, where=f"workflow/catalog/{path.name}: {key}")
        for key, value in entries.items()
        if _is_name(key, f"workflow/catalog/{path.name}")
    }


@cache
def read_yaml(path: Path) -> Any:
    """Read a YAML file; a ConfigError names file and line of a fault."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; restore it from the repository") from None


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A YAML loader that refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


def _is_name(name: str, where: str) -> bool:
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"{where}: {name!r} cannot be a name. Use lower-case letters, digits and _, beginning with a letter."
        )
    return True
