"""The configuration that a command works with: config.yaml, or another file, with changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Another config.yaml than the checkout's.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of config.yaml, as Snakemake's --config does; repeatable.",
    ),
]


def assignments(texts: list[str] | None) -> dict[str, Any]:
    """Return the values of options KEY=VALUE, with VALUE read as YAML.

    Raises
    ------
    typer.BadParameter
        If a text is not of this form.
    """
    import yaml

    values = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE")
        try:
            values[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:
            raise typer.BadParameter(f"{text!r}: {error}") from None
    return values


def read_config(config: Path | None, changes: list[str] | None, **forced: Any) -> Any:
    """Return the checked configuration (`fdsl.workflow.config.Config`).

    Parameters
    ----------
    config
        A file, or None for the checkout's config.yaml.
    changes
        KEY=VALUE, each.
    forced
        Keys that are set last.
    """
    from fdsl.schema.yaml_files import read_yaml, workflow_folder
    from fdsl.workflow.load import load

    path = config or workflow_folder().parent / "config.yaml"
    return load({**read_yaml(path), **assignments(changes), **forced}, where=str(path))
