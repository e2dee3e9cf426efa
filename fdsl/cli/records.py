"""The records that verbs leave; those of trainings are written by the training itself, with the
same entries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fdsl.io import checksums
from fdsl.io import records as record_files


def asked(order: str) -> dict[str, Any]:
    """Return what a record says of the beginning of its job; to be called first of all."""
    return {"order": json.loads(order), "started": record_files.now()}


def leave(
    record: Path,
    kind: str,
    asked: Mapping[str, Any],
    code: str,
    *,
    run: str | None = None,
    seed: int | None = None,
    inputs: Iterable[Path] = (),
    outputs: Iterable[Path],
    **entries: Any,
) -> None:
    """Write the record of a job that is no training.

    Parameters
    ----------
    record
        NAME.record.json.
    kind
        The rule.
    run
        Name of what was made; None = NAME.
    asked, code
        What `asked` returned, and the digest of the code.
    seed
        Root seed, where something is drawn.
    inputs, outputs
        Files that were read and made.
    entries
        What else the record holds.
    """
    from fdsl.provenance import environment

    content = {
        "kind": kind,
        "run": run or record.name.removesuffix(f".{record_files.NAME}"),
        "seed": seed,
        **entries,
        **asked,
        "code": code,
        "inputs": digests(inputs),
        "environment": environment(),
    }
    record_files.write(record, content, outputs=outputs)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files, by the names that records give them."""
    return {_named(path): checksums.digest(path) for path in paths}


def _named(path: Path) -> str:
    """Return a path as given or, of a file of the workflow, below its folder, so that no record
    holds where the checkout lies.
    """
    from fdsl.schema.yaml_files import workflow_folder

    folder, whole = workflow_folder().resolve(), path.resolve()
    if whole.is_relative_to(folder):
        return f"workflow/{whole.relative_to(folder).as_posix()}"
    return str(path)
