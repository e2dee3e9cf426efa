"""Read the records of finished runs, and refuse those that must not enter a table."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fdsl.io.checksums import digest_json
from fdsl.io.storage import DamagedFile, read_json
from fdsl.report.record_fields import (
    DetectResult,
    FinetuneResult,
    MultiLabelResult,
    PretrainRecord,
    ProbeResult,
    Record,
)
from fdsl.schema.base import ConfigError, validate

COLUMNS = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "images", "code"]
COLUMNS += ["recipe", "record", "correct_bits"]


class RecordRefused(ValueError):
    """A record that must not enter a table; the message names file, fault and remedy."""


def read_record(path: str | Path, *, scale: str) -> Record[Any]:
    """Read one record.

    Parameters
    ----------
    path
        A record.json.
    scale
        The scale of the table.

    Raises
    ------
    DamagedFile
        If the file is not JSON.
    RecordRefused
        If a field is missing or impossible, or the record is of another scale or kind of run.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DamagedFile(
            f"{path} holds {type(content).__name__}, not a record; delete it and run its"
            " fine-tuning again"
        )
    results = {"probe": Record[ProbeResult], "detect": Record[DetectResult]}
    result = content.get("result")
    ranked = isinstance(result, dict) and result.get("metric") == "mAP"
    finetune = Record[MultiLabelResult] if ranked else Record[FinetuneResult]
    try:
        kind: Any = results.get(str(content.get("kind")), finetune)
        record: Record[Any] = validate(kind, content, where=str(path))
    except ConfigError as error:
        raise RecordRefused(f"{error} Delete {path} and run its fine-tuning again.") from None
    _require_scale(path, record.scale, scale)
    return record


def read_runs(paths: Iterable[str | Path], *, scale: str) -> pd.DataFrame:
    """Read the records of one table.

    Parameters
    ----------
    paths
        Files, in any order.
    scale
        The scale of the table.

    Returns
    -------
    pandas.DataFrame
        One row per run and evaluation, ordered by path: pretraining, downstream, model, evaluation,
        seed (the replicate's number), score (percent, from the counts), images, code, recipe
        (digest), record (path), correct_bits (bytes, packed one bit per test image; or None).

    Raises
    ------
    DamagedFile, RecordRefused
        As `read_record`; also if two records are of the same run, or a dataset was evaluated on
        different numbers of images.
    """
    names = sorted({Path(path).as_posix() for path in paths})
    rows = [row for name in names for row in _rows(name, scale=scale)]
    runs = pd.DataFrame(rows, columns=COLUMNS)
    for (pretraining, downstream, _, _, seed), same in runs.groupby(COLUMNS[:5]):
        if len(same) > 1:
            raise RecordRefused(
                f"{' and '.join(same['record'])} are both {pretraining} on {downstream} of"
                f" replicate {seed}: keep one of them"
            )
    for (downstream, _), same in runs.groupby(["downstream", "evaluation"]):
        require_one(same, "images", f"{downstream!s} was evaluated on different numbers of images")
    return runs


def read_pretrainings(paths: Iterable[str | Path], *, scale: str) -> pd.DataFrame:
    """Read the records of pre-trainings.

    Returns
    -------
    pandas.DataFrame
        One row per record, ordered by path: pretraining, seed, accuracy (of the last epoch,
        percent) and chance (percent), both NaN where they are not known.

    Raises
    ------
    DamagedFile, RecordRefused
        As `read_record`.
    """
    rows = []
    for path in sorted({Path(path).as_posix() for path in paths}):
        try:
            record = validate(PretrainRecord, read_json(path), where=path)
        except ConfigError as error:
            raise RecordRefused(f"{error} Delete {path} and run its pre-training again.") from None
        _require_scale(path, record.scale, scale)
        known = (record.result.accuracy_last_epoch, record.result.chance)
        rows.append((record.pretraining, record.seed, *known))
    columns = ["pretraining", "seed", "accuracy", "chance"]
    return pd.DataFrame(rows, columns=columns).astype({"accuracy": float, "chance": float})


def require_one(runs: pd.DataFrame, column: str, rule: str) -> None:
    """Refuse runs whose `column` differs; the message names one record per value."""
    first = runs.drop_duplicates(column).sort_values(column)
    if len(first) > 1:
        pairs = zip(first[column].tolist(), first["record"], strict=True)
        found = ", ".join(f"{value!r} in {record}" for value, record in pairs)
        raise RecordRefused(f"{rule}: {found}. Run the odd ones again with the same settings")


def _rows(path: str, *, scale: str) -> Iterator[tuple[object, ...]]:
    """Yield the rows of `read_runs` that one record makes."""
    record = read_record(path, scale=scale)
    run = (record.pretraining, record.dataset, record.model)
    made = (record.result.images, record.code, digest_json(record.recipe), path)
    bits = getattr(record.result, "correct_bits", None)
    packed = base64.b64decode(bits) if bits is not None else None
    for evaluation, score in record.result.scores().items():
        yield *run, evaluation, record.seed, score, *made, packed


def _require_scale(path: str | Path, found: str, scale: str) -> None:
    if found != scale:
        raise RecordRefused(
            f"{path} is of scale {found!r}, the table is of scale {scale!r}: scales are never mixed"
            " in one table"
        )
