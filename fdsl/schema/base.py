"""The base of everything that a user can write: frozen models that refuse unknown keys, and errors
that people can act on.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fdsl.io.escaping import printable

Model = TypeVar("Model", bound="FrozenModel")


class FrozenModel(BaseModel):
    """A frozen settings model. Unknown keys, wrong types and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ConfigError(ValueError):
    """A setting that cannot be used; the message names file, key, value, what is allowed and the
    remedy.
    """


def validate(model: type[Model], values: Any, *, where: str) -> Model:
    """Build `model` from plain `values`.

    Parameters
    ----------
    model
        A `FrozenModel` model.
    values
        Plain data, as YAML, JSON or a command line gives it.
    where
        What the user would have to edit, usually a file name with the path of keys to `values`.

    Raises
    ------
    ConfigError
        One line per fault: file, key, value, what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, model, where))) from None


def choose(kind: str, name: str, allowed: Iterator[str] | list[str], *, where: str) -> str:
    """Return `name` if it is one of `allowed`, else raise a ConfigError that lists them and the
    nearest match.
    """
    names = sorted(allowed)
    if name in names:
        return name
    raise ConfigError(
        f"{where}: {kind} = {name!r} is unknown{_hint(str(name), names)}. Allowed:"
        f" {', '.join(names)}."
    )


def _explain(error: ValidationError, model: type[FrozenModel], where: str) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        key = printable(".".join(str(part) for part in fault["loc"])) or "(all of it)"
        if fault["type"] == "extra_forbidden":
            known = sorted(_fields_at(model, fault["loc"][:-1]))
            hint = _hint(str(fault["loc"][-1]), known)
            yield (
                f"{where}: {key} = {fault['input']!r} is an unknown key{hint}. Allowed:"
                f" {', '.join(known)}."
            )
        elif fault["type"] == "missing":
            yield f"{where}: {key} is missing and has no default."
        else:
            text = fault["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
            yield f"{where}: {key} = {fault['input']!r}: {text}."


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that stands at `path` below `model`; empty where the path
    leaves the models.
    """
    for part in path:
        if part not in model.model_fields:
            continue
        annotation = model.model_fields[str(part)].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
