"""What a report reads of a record, checked: counts, scores, and which images were correct."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import Evaluation

# A record may state percentages rounded to two decimals.
ROUNDING_POINTS = 0.005 + 1e-9
Count = Annotated[int, Field(ge=0)]
Images = Annotated[int, Field(gt=0, description="evaluated images")]
Percent = Annotated[float, Field(ge=0, le=100)]


class RecordPart(FrozenModel):
    """A part of a record; fields that a newer version adds are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class FinetuneResult(RecordPart):
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


class MultiLabelResult(RecordPart):
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


class ClassifierCount(RecordPart):
    """Correct predictions of one classifier on frozen features."""

    correct: Count


class ProbeResult(RecordPart):
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


class Precisions(RecordPart):
    """Average precision in percent, as COCO defines it."""

    ap50: Percent
    ap: Percent
    ap75: Percent


class DetectResult(RecordPart):
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


class Record(RecordPart, Generic[Result]):
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


class PretrainResult(RecordPart):
    """Training accuracy; older and self-supervised records have none."""

    accuracy_last_epoch: Percent | None = None
    chance: Percent | None = Field(default=None, gt=0)


class PretrainRecord(RecordPart):
    """The fields of a pre-training's record that gates use."""

    kind: Literal["pretrain"]
    scale: str
    seed: Count
    pretraining: str
    result: PretrainResult


def _require_agreement(result: RecordPart, name: str, percent: float, counted: str) -> None:
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
