"""Read the records of finished runs, and refuse those that must not enter a table."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, model_validator

from fdsl.io.checksums import digest_json
from fdsl.io.storage import DamagedFile, read_json
from fdsl.schema.base import ConfigError, FrozenModel, validate
from fdsl.schema.study.tables import Evaluation

# A record may state percentages rounded to two decimals.
ROUNDING_POINTS = 0.005 + 1e-9
COLUMNS = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "images", "code"]
COLUMNS += ["recipe", "record", "correct_bits"]
Count = Annotated[int, Field(ge=0)]
Images = Annotated[int, Field(gt=0, description="evaluated images")]
Percent = Annotated[float, Field(ge=0, le=100)]


class RecordRefused(ValueError):
    """A record that must not enter a table; the message names file, fault and remedy."""


class _Part(FrozenModel):
    """A part of a record; fields that a newer version adds are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class FinetuneResult(_Part):
    """Counts of the evaluation after the last epoch."""

    images: Images
    correct: Count = Field(description="correct predictions with the weights of the last epoch")
    top1_last: Percent
    correct_bits: str | None = Field(
        default=None,
        description="base64 of numpy.packbits: which images, in their order, were correct",
    )

    @model_validator(mode="after")
    def _counts_agree(self) -> FinetuneResult:
        counted = f"{self.correct} of {self.images} images"
        _require_agreement(self, "top1", _percent(self.correct, self.images), counted)
        if self.correct_bits is not None:
            _require_bits(self.correct_bits, self.correct, self.images)
        return self

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {"finetune": _percent(self.correct, self.images)}


class MultiLabelResult(_Part):
    """Average precision of each class, on images with several labels."""

    metric: Literal["mAP"]
    images: Images
    average_precision: list[Percent] = Field(min_length=2, description="of each class, last epoch")
    map_last: Percent

    @model_validator(mode="after")
    def _mean_agrees(self) -> MultiLabelResult:
        _require_agreement(self, "map", self.scores()["map"], "the mean of average_precision")
        return self

    def scores(self) -> dict[Evaluation, float]:
        """Return the percentages that tables show."""
        return {"map": sum(self.average_precision) / len(self.average_precision)}


class ClassifierCount(_Part):
    """Correct predictions of one classifier on frozen features."""

    correct: Count


class ProbeResult(_Part):
    """Counts of two classifiers on frozen features."""

    images: Images
    knn: ClassifierCount
    linear: ClassifierCount

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
    """Average precision of detection and instance segmentation."""

    images: Images
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


Result = TypeVar("Result", FinetuneResult, MultiLabelResult, ProbeResult, DetectResult)


class Record(_Part, Generic[Result]):
    """The fields of a record.json that tables use."""

    kind: Literal["finetune", "probe", "detect"]
    run: str = Field(min_length=1)
    scale: str
    seed: Count
    pretraining: str = Field(description="synthetic dataset, real pre-training, or scratch")
    dataset: str = Field(description="downstream dataset")
    model: str
    recipe: dict[str, Any] = Field(description="resolved")
    code: str = Field(description="fingerprint of the training code")
    result: Result


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


class PretrainResult(_Part):
    """Training accuracy; older and self-supervised records have none."""

    accuracy_last_epoch: Percent | None = None
    chance: Percent | None = Field(default=None, gt=0)


class PretrainRecord(_Part):
    """The fields of a pre-training's record that gates use."""

    kind: Literal["pretrain"]
    scale: str
    seed: Count
    pretraining: str
    result: PretrainResult


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


def _require_agreement(result: _Part, name: str, percent: float, counted: str) -> None:
    """Raise ValueError if NAME_last, which may be rounded, is not `percent`."""
    last = getattr(result, f"{name}_last")
    if abs(percent - last) > ROUNDING_POINTS:
        raise ValueError(f"{name}_last = {last} is not {counted}, which is {percent:.4f}")


def _require_bits(text: str, correct: int, images: int) -> None:
    """Raise ValueError if packed bits are not of `images` images, `correct` of them set."""
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError:
        raise ValueError("correct_bits is not base64") from None
    bits = np.unpackbits(packed)
    if len(packed) != -(-images // 8) or bits[images:].any():
        raise ValueError(f"correct_bits has {len(packed)} bytes, which are not {images} images")
    if bits.sum() != correct:
        raise ValueError(f"correct_bits has {bits.sum()} images, but correct = {correct}")


def _percent(correct: int, images: int) -> float:
    if correct > images:
        raise ValueError(f"{correct} correct of {images} images is impossible")
    return 100 * correct / images
