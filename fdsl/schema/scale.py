"""workflow/scales: budgets, and what they change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from fdsl.schema.base import FrozenModel
from fdsl.schema.seeds import Seeds
from fdsl.schema.study.tables import Column


class DatasetOverride(FrozenModel):
    """What a scale changes in a synthetic dataset."""

    classes: int | None = Field(default=None, ge=2)
    instances: int | None = Field(default=None, ge=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class Training(FrozenModel):
    """A recipe with what the scale changes in it."""

    recipe: str
    model: str | None = Field(default=None, description="replaces the recipe's model")
    override: dict[str, Any] = Field(default_factory=dict)


class Pretraining(Training):
    """A pre-training recipe and which pre-trainings it is for; the first rule that fits is taken."""

    of: list[str] | None = Field(
        default=None, description="names of pre-trainings; null = every one"
    )
    models: list[str] | None = Field(
        default=None, description="names of workflow/catalog/models.yaml; null = every one"
    )


class RealStandIn(FrozenModel):
    """Real pictures that a scale pre-trains on in place of those that the paper used."""

    dataset: str = Field(description="a downstream dataset, of which the training part is used")
    title: str = Field(min_length=1, description="stands in the row's name")
    pictures: int | None = Field(
        default=None,
        gt=0,
        description=(
            "how many of its training pictures, the same number of each class; null = all that no"
            " fine-tuning uses"
        ),
    )


class Finetuning(Training):
    """A fine-tuning recipe and how much of the downstream dataset is used."""

    train_labels: int | None = Field(
        default=None,
        gt=0,
        description="labelled training images, the same number of each class; null = all",
    )
    test_images: int | None = Field(
        default=None, gt=0, description="the first of the test split; null = all"
    )


class Detection(Training):
    """A detection recipe, of workflow/recipes/detection, and its seeds."""

    seeds: Seeds | None = Field(
        default=None, description="of the detection trainings; null = those of the fine-tunings"
    )


class Resources(FrozenModel):
    """What one job of a rule may use; a profile can override it."""

    threads: int = Field(gt=0)
    mem_mb: int = Field(gt=0)
    runtime: int = Field(gt=0, description="minutes")
    gpu: int = Field(ge=0, default=0)


class Scale(FrozenModel):
    """A budget: explicit overrides of datasets and recipes, never hidden arithmetic."""

    title: str
    banner: str = Field(description="stands above every table and figure of this scale")
    comparable: bool = Field(description="whether numbers may be compared with the published ones")
    seeds: Seeds
    pretrain_seeds: Seeds | None = Field(
        default=None,
        description=(
            "seeds of the pre-trainings that the seeds share in turn; null = each seed its own"
        ),
    )
    images: Literal["shards", "stream"] = Field(
        description="stored on disk, or drawn inside the data loader"
    )
    shards: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(
        description="files per synthetic dataset; `default` for those not named"
    )
    datasets: dict[str, DatasetOverride] = Field(default_factory=dict)
    real: dict[str, RealStandIn] = Field(
        default_factory=dict,
        description=(
            "pre-training on real pictures -> the pictures that this scale has in their place"
        ),
    )
    stand_ins: dict[str, list[Column]] = Field(
        default_factory=dict,
        description=(
            "columns that replace the paper's own at a scale that cannot run them, by table or"
            " figure; `default` for those not named"
        ),
    )
    skip: dict[str, str] = Field(
        default_factory=dict,
        description="pre-trainings that this scale does not run, with the reason",
    )
    pretrain: list[Pretraining] = Field(
        min_length=1, description="the last one has neither `of` nor `models`"
    )
    finetune: dict[str, Finetuning] = Field(
        description="by downstream dataset; `default` for those not named"
    )
    detect: Detection
    resources: dict[str, Resources] = Field(description="by rule")

    def shards_of(self, dataset: str) -> int:
        """Return the number of files of a synthetic dataset."""
        return self.shards.get(dataset, self.shards["default"])
