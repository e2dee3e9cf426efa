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


def assignment(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE, the value as YAML.

    Raises
    ------
    ConfigError
        If there is no key, or the value is not YAML.
    """
    import yaml

    from fdsl.schema.base import ConfigError

    key, separator, value = text.partition("=")
    if not (key and separator):
        raise ConfigError(f"{text!r} must have the form KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: not valid YAML: {error}") from None


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
    changed = dict(assignment(text) for text in changes or [])
    return load({**read_yaml(path), **changed, **forced}, where=str(path))
