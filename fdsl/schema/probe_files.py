"""The probe as it is written down: every value with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdsl.schema.base import validate
from fdsl.schema.probe import Probe
from fdsl.schema.recipe_files import Sourced
from fdsl.schema.yaml_files import read_mapping


def read_probe(folder: Path) -> Probe:
    """Read the probe of a workflow folder: every value with its source.

    Raises
    ------
    ConfigError
        If a value lacks a source, is missing, unknown or out of range.
    """
    return validate(Probe, _values(folder), where="workflow/probe.yaml")


def _values(folder: Path) -> dict[str, Any]:
    """Return the plain values of probe.yaml, each of which must carry a source."""
    entries = read_mapping(folder / "probe.yaml")
    return {
        key: validate(Sourced, entry, where=f"workflow/probe.yaml: {key}").value
        for key, entry in entries.items()
    }
