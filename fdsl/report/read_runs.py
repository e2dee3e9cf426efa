"""Read the records that finished fine-tunings leave, and refuse those that cannot stand in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import ConfigDict, Field, model_validator

from fdsl.io.checksums import digest_json
from fdsl.io.storage import DamagedFile, read_json
from fdsl.schema.base import ConfigError, FrozenModel, validate
from fdsl.schema.study.tables import Evaluation

# A record may state percentages rounded to two decimals.
ROUNDING_POINTS = 0.005 + 1e-9
COLUMNS = (
    "pretraining",
    "downstream",
    "model",
    "evaluation",
    "seed",
    "score",
    "images",
    "code",
    "recipe",
    "record",
)
Percent = Annotated[float, Field(ge=0, le=100)]


class RecordRefused(ValueError):
    """A record that must not enter a table; the message names the file, the fault and the remedy."""


class _Part(FrozenModel):
    """A part of a record; what a newer record adds is left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)


class FinetuneResult(_Part):
    """What one evaluation counted."""

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
    def _counts_agree(self) -> FinetuneResult:
        counted = _percent(self.correct, self.images)
        if abs(counted - self.top1_last) > ROUNDING_POINTS:
            raise ValueError(
                f"top1_last = {self.top1_last} is not {self.correct} of {self.images} images, which"
                f" is {counted:.4f}"
            )
        if self.top1_best < self.top1_last - ROUNDING_POINTS:
            raise ValueError(
                f"top1_best = {self.top1_best} must not be below top1_last = {self.top1_last}"
            )
        return self

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {"finetune": _percent(self.correct, self.images)}


class MultiLabelResult(_Part):
    """What an evaluation on images with several labels found."""

    metric: Literal["mAP"]
    images: int = Field(gt=0, description="evaluated images")
    average_precision: list[Percent] = Field(min_length=2, description="of each class, last epoch")
    map_last: Percent = Field(description="last epoch")
    map_best: Percent = Field(
        description="best epoch on the evaluation images; never used in tables"
    )

    @model_validator(mode="after")
    def _mean_agrees(self) -> MultiLabelResult:
        mean = self.scores()["map"]
        if abs(mean - self.map_last) > ROUNDING_POINTS:
            raise ValueError(
                f"map_last = {self.map_last} is not the mean of average_precision, which is"
                f" {mean:.4f}"
            )
        if self.map_best < self.map_last - ROUNDING_POINTS:
            raise ValueError(
                f"map_best = {self.map_best} must not be below map_last = {self.map_last}"
            )
        return self

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {"map": sum(self.average_precision) / len(self.average_precision)}


class Counted(_Part):
    """Right answers of one classifier on frozen features."""

    correct: int = Field(ge=0)


class ProbeResult(_Part):
    """What two classifiers on frozen features counted."""

    images: int = Field(gt=0)
    knn: Counted
    linear: Counted

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {
            "knn": _percent(self.knn.correct, self.images),
            "linear": _percent(self.linear.correct, self.images),
        }


class Precisions(_Part):
    """Average precision in percent, as COCO defines it."""

    ap50: Percent
    ap: Percent
    ap75: Percent


class DetectResult(_Part):
    """What detection and instance segmentation reached."""

    images: int = Field(gt=0)
    box: Precisions
    mask: Precisions

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {
            "box_ap50": self.box.ap50,
            "box_ap": self.box.ap,
            "box_ap75": self.box.ap75,
            "mask_ap50": self.mask.ap50,
            "mask_ap": self.mask.ap,
            "mask_ap75": self.mask.ap75,
        }


class _Record(_Part):
    """The fields of a record.json that tables use."""

    run: str = Field(min_length=1)
    scale: str
    seed: int = Field(ge=0)
    pretraining: str = Field(description="synthetic dataset, real pre-training, or scratch")
    dataset: str = Field(description="downstream dataset")
    model: str
    recipe: dict[str, Any] = Field(description="resolved")
    code: str = Field(description="digest of the code that trained")


class FinetuneRecord(_Record):
    """What a fine-tuning leaves."""

    kind: Literal["finetune"]
    result: FinetuneResult


class MultiLabelRecord(_Record):
    """What a fine-tuning on images with several labels leaves."""

    kind: Literal["finetune"]
    result: MultiLabelResult


class ProbeRecord(_Record):
    """What an evaluation of frozen features leaves."""

    kind: Literal["probe"]
    result: ProbeResult


class DetectRecord(_Record):
    """What a detection training leaves."""

    kind: Literal["detect"]
    result: DetectResult


Record = FinetuneRecord | MultiLabelRecord | ProbeRecord | DetectRecord
KINDS: dict[str, type[Record]] = {
    "finetune": FinetuneRecord,
    "probe": ProbeRecord,
    "detect": DetectRecord,
}


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
            f"{path} holds {type(content).__name__}, not a record; delete it and run its"
            " fine-tuning again"
        )
    kind = KINDS.get(str(content.get("kind")), FinetuneRecord)
    if kind is FinetuneRecord and _several_labels(content):
        kind = MultiLabelRecord
    try:
        record: Record = validate(kind, content, where=str(path))
    except ConfigError as error:
        raise RecordRefused(f"{error} Delete {path} and run its fine-tuning again.") from None
    if record.scale != scale:
        raise RecordRefused(
            f"{path} is of scale {record.scale!r}, the table is of scale {scale!r}: scales are"
            " never mixed in one table"
        )
    return record


def _several_labels(content: dict[str, Any]) -> bool:
    """Return whether a record is about mean average precision; one that names no metric is about
    top-1.
    """
    result = content.get("result")
    return isinstance(result, dict) and result.get("metric") == "mAP"


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
        One row per run and evaluation in the order of the paths' names: pretraining, downstream,
        model, evaluation, seed, score (percent, from the counts), images, code, recipe (digests),
        record (path).

    Raises
    ------
    DamagedFile, RecordRefused
        As `read_record`; also when two records claim the same run, or when a dataset was evaluated
        on different numbers of images.
    """
    names = sorted({Path(path).as_posix() for path in paths})
    rows = [row for name in names for row in _rows(name, scale=scale)]
    runs = pd.DataFrame(rows, columns=COLUMNS)
    for (pretraining, downstream, _, _, seed), same in runs.groupby(
        ["pretraining", "downstream", "model", "evaluation", "seed"]
    ):
        if len(same) > 1:
            raise RecordRefused(
                f"{' and '.join(same['record'])} are both {pretraining} on {downstream} with seed"
                f" {seed}: keep one of them"
            )
    for (downstream, _), same in runs.groupby(["downstream", "evaluation"]):
        require_one(same, "images", f"{downstream!s} was evaluated on different numbers of images")
    return runs


def _rows(path: str, *, scale: str) -> Iterator[tuple[object, ...]]:
    """Yield the rows of `read_runs` that one record makes."""
    record = read_record(path, scale=scale)
    for evaluation, score in record.result.scores().items():
        yield (
            record.pretraining,
            record.dataset,
            record.model,
            evaluation,
            record.seed,
            score,
            record.result.images,
            record.code,
            digest_json(record.recipe),
            path,
        )


def _percent(correct: int, images: int) -> float:
    if correct > images:
        raise ValueError(f"{correct} correct of {images} images is impossible")
    return 100 * correct / images


def require_one(runs: pd.DataFrame, column: str, rule: str) -> None:
    """Refuse runs whose `column` differs, naming one record per value."""
    first = dict(zip(reversed(list(runs[column])), reversed(list(runs["record"])), strict=True))
    if len(first) > 1:
        found = ", ".join(f"{value!r} in {record}" for value, record in sorted(first.items()))
        raise RecordRefused(f"{rule}: {found}. Run the odd ones again with the same settings")
