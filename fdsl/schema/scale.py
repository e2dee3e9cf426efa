"""workflow/scales: budgets, and what they change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel, Seeds
from fdsl.schema.smaller import Reduction
from fdsl.schema.study.gates import Gates
from fdsl.schema.study.tables import Column


class DatasetOverride(FrozenModel):
    """What a scale changes in a synthetic dataset.

    Fewer instances than the catalogue's are taken evenly from those of the catalogue.
    """

    classes: int | None = Field(None, ge=2)
    instances: int | None = Field(None, ge=1)
    settings: dict[str, Any] = Field({})
    reduce: Reduction | None = Field(None, description="null = as in the catalogue")


class Training(FrozenModel):
    """A recipe with what the scale changes in it."""

    recipe: str
    model: str | None = Field(None, description="replaces the recipe's model")
    override: dict[str, Any] = Field({})


class Pretraining(Training):
    """A recipe and the pre-trainings that it is for; the first rule that fits is taken."""

    of: list[str] | None = Field(None, description="pre-trainings; null = all")
    models: list[str] | None = Field(None, description="of models.yaml; null = all")


class RealStandIn(FrozenModel):
    """Real images that a scale pre-trains on in place of the paper's."""

    dataset: str = Field(description="a downstream dataset; its training part is used")
    title: str = Field(min_length=1, description="part of the row's name")
    pictures: int | None = Field(None, gt=0, description="balanced; null = all not fine-tuned on")


class Finetuning(Training):
    """A fine-tuning recipe and how much of the downstream dataset is used."""

    train_labels: int | None = Field(None, gt=0, description="balanced over classes; null = all")
    test_images: int | None = Field(None, gt=0, description="first of the test split; null = all")
    resplit: bool = Field(
        default=False, description="choose the labels among both parts and test on all the rest"
    )

    @model_validator(mode="after")
    def _resplit_has_labels(self) -> Finetuning:
        if self.resplit and (self.train_labels is None or self.test_images is not None):
            raise ValueError(
                "resplit = true tests on all images but the train_labels: it needs a number of"
                " train_labels, and test_images = null"
            )
        return self


class Detection(Training):
    """A detection recipe, of workflow/recipes/detection, and its seeds."""

    seeds: Seeds | None = Field(None, description="null = those of the fine-tunings")


class Resources(FrozenModel):
    """What one job of a rule may use; a profile can override it."""

    threads: int = Field(gt=0)
    mem_mb: int = Field(gt=0)
    runtime: int = Field(gt=0, description="minutes")
    gpu: int = Field(ge=0, default=0)


class Scale(FrozenModel):
    """A budget: explicit overrides of datasets and recipes, never hidden arithmetic.

    The key `default` of `shards`, `stand_ins` and `finetune` is for all names that have no entry.
    """

    title: str
    banner: str = Field(description="above every table and figure of this scale")
    comparable: bool = Field(description="whether numbers may be compared with the published ones")
    seeds: Seeds
    pretrain_seeds: Seeds | None = Field(None, description="used in turn; null = one for each seed")
    draws: Seeds | None = Field(
        None,
        description="of synthetic datasets, used in turn; null = one for each pre-training seed",
    )
    share_process: list[Literal["pretrain", "finetune", "probe"]] = Field(
        default=[], description="rules whose replicates share a process, which saves their start-up"
    )
    images: Literal["shards", "stream"] = Field(description="stored, or drawn in the data loader")
    shards: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(
        description="files per synthetic dataset"
    )
    datasets: dict[str, DatasetOverride] = Field({})
    real: dict[str, RealStandIn] = Field({}, description="by pre-training on real images")
    stand_ins: dict[str, list[Column]] = Field(
        {}, description="columns that replace the paper's, by table or figure"
    )
    if_at_hand: list[str] = Field(
        default=[],
        description="datasets of the paper's columns to run too if they lie in data_root",
    )
    skip: dict[str, str] = Field({}, description="pre-training not run here -> reason")
    pretrain: list[Pretraining] = Field(min_length=1, description="last: neither `of` nor `models`")
    finetune: dict[str, Finetuning] = Field(description="by downstream dataset")
    detect: Detection
    gates: Gates = Field(default=Gates(), description="checks of the runs behind claims")
    resources: dict[str, Resources] = Field(description="by rule")

    def shards_of(self, dataset: str) -> int:
        """Return the number of files of a synthetic dataset."""
        return self.shards.get(dataset, self.shards["default"])
