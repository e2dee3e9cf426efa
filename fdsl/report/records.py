"""Read the records that finished fine-tunings leave, and refuse those that cannot stand in a table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ConfigDict, Field, model_validator

from fdsl.storage import DamagedFile, digest_json, read_json
from fdsl.strict import ConfigError, Strict, validate

# A record may state percentages rounded to two decimals.
ROUNDING_POINTS = 0.005 + 1e-9
COLUMNS = (
    "pretraining",
    "downstream",
    "seed",
    "top1",
    "images",
    "model",
    "code",
    "recipe",
    "record",
)


class RecordRefused(ValueError):
    """A record that must not enter a table; the message names the file, the fault and the remedy."""


class Result(Strict):
    """What one evaluation counted."""

    model_config = ConfigDict(extra="ignore", strict=True)

    images: int = Field(gt=0, description="evaluated images")
    correct: int = Field(
        ge=0, description="images classified correctly by the weights of the last epoch"
    )
    top1_last: float = Field(ge=0, le=100, description="percent, last epoch")
    top1_best: float = Field(
        ge=0,
        le=100,
        description="percent, best epoch on the evaluation images; never used in tables",
    )

    @model_validator(mode="after")
    def _counts_agree(self) -> Result:
        if self.correct > self.images:
            raise ValueError(f"{self.correct} correct of {self.images} images is impossible")
        counted = 100 * self.correct / self.images
        if abs(counted - self.top1_last) > ROUNDING_POINTS:
            raise ValueError(
                f"top1_last = {self.top1_last} is not {self.correct} of {self.images} images, which is {counted:.4f}"
            )
        if self.top1_best < self.top1_last - ROUNDING_POINTS:
            raise ValueError(
                f"top1_best = {self.top1_best} must not be below top1_last = {self.top1_last}"
            )
        return self


class Record(Strict):
    """The fields of a record.json that tables use; what a newer record adds is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    kind: Literal["finetune"]
    run: str = Field(min_length=1)
    scale: str
    seed: int = Field(ge=0)
    pretraining: str = Field(description="synthetic dataset, or scratch")
    dataset: str = Field(description="downstream dataset")
    model: str
    result: Result
    recipe: dict[str, Any] = Field(description="resolved")
    code: str = Field(description="digest of the code that trained")


def read_record(path: str | Path, *, scale: str) -> Record:
    """Read one record.

    Parameters
    ----------
    path
        A record.json.
    scale
        The scale that the table is about.

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
            f"{path} holds {type(content).__name__}, not a record; delete it and run its fine-tuning again"
        )
    try:
        record = validate(Record, content, where=str(path))
    except ConfigError as error:
        raise RecordRefused(f"{error} Delete {path} and run its fine-tuning again.") from None
    if record.scale != scale:
        raise RecordRefused(
            f"{path} is of scale {record.scale!r}, the table is of scale {scale!r}: scales are never mixed in one table"
        )
    return record


def read_runs(paths: Iterable[str | Path], *, scale: str) -> pd.DataFrame:
    """Read the records of one table.

    Parameters
    ----------
    paths
        Files, in any order.
    scale
        The scale that the table is about.

    Returns
    -------
    pandas.DataFrame
        One row per run in the order of the paths' names: pretraining, downstream, seed, top1 (percent, from the counts),
        images, model, code, recipe (digests), record (path).

    Raises
    ------
    DamagedFile, RecordRefused
        As `read_record`; also when two records claim the same run, when a dataset was evaluated on different numbers of
        images, or when the records are of different models.
    """
    rows = [_run(path, scale=scale) for path in sorted({Path(path).as_posix() for path in paths})]
    runs = pd.DataFrame(rows, columns=COLUMNS)
    for (pretraining, downstream, seed), same in runs.groupby(
        ["pretraining", "downstream", "seed"]
    ):
        if len(same) > 1:
            raise RecordRefused(
                f"{' and '.join(same['record'])} are both {pretraining} on {downstream} with seed {seed}: keep one of them"
            )
    for downstream, same in runs.groupby("downstream"):
        _require_one(same, "images", f"{downstream!s} was evaluated on different numbers of images")
    _require_one(runs, "model", "one table is about one model")
    return runs


def _run(path: str, *, scale: str) -> tuple[object, ...]:
    """Return one row of `read_runs`."""
    record = read_record(path, scale=scale)
    top1 = 100 * record.result.correct / record.result.images
    return (
        record.pretraining, record.dataset, record.seed, top1, record.result.images,
        record.model, record.code, digest_json(record.recipe), path,
    )  # fmt: skip


def _require_one(runs: pd.DataFrame, column: str, rule: str) -> None:
    """Refuse runs whose `column` differs, naming one record per value."""
    first = dict(zip(reversed(list(runs[column])), reversed(list(runs["record"])), strict=True))
    if len(first) > 1:
        found = ", ".join(f"{value!r} in {record}" for value, record in sorted(first.items()))
        raise RecordRefused(f"{rule}: {found}. Run the odd ones again with the same settings")
