"""The base of all settings: frozen models that refuse unknown keys, and clear errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fdsl.io.escaping import printable

Model = TypeVar("Model", bound="FrozenModel")


def _unique(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is listed twice")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), AfterValidator(_unique)
]


class FrozenModel(BaseModel):
    """A frozen settings model. Unknown keys, wrong types and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ConfigError(ValueError):
    """An invalid setting; the message names file, key, value, what is allowed and the remedy."""


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


def choose(kind: str, name: str, allowed: Iterable[str], *, where: str) -> str:
    """Return `name` if it is in `allowed`; ConfigError with the nearest match if not."""
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
    """Return the fields of the model at `path` below `model`; empty if there is no model."""
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
