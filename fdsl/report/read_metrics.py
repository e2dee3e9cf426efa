"""Read the metrics.jsonl of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from fdsl.io.records import check_digest
from fdsl.io.storage import AGAIN, DamagedFile


def read_metrics(path: Path) -> dict[str, pd.DataFrame]:
    """Return the lines of a metrics.jsonl by their kind (train, evaluation), one row each.

    A column that a line lacks is missing (NaN) there. Steps and counts are integers, `epoch`, `lr`,
    `loss` and `images_per_second` floats.

    Raises
    ------
    DamagedFile
        If the file is not the one that the record beside it describes, or a line cannot be read.
    """
    check_digest(path)
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        kinds: dict[str, list[dict[str, Any]]] = {"train": [], "evaluation": []}
        for line in lines:
            kinds.setdefault(line["kind"], []).append(line)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{path} cannot be read ({error}); {AGAIN}") from None
    return {kind: pd.DataFrame(found) for kind, found in kinds.items()}
