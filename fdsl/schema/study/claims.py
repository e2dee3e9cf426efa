"""Claims of a study: statements of the paper that records can decide."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import require_unique


class Needs(FrozenModel):
    """What a scale must have, so that a claim can be tested there."""

    datasets: list[str] = Field(
        default=[], description="labels of the table's columns that must all be measured"
    )
    network: str | None = Field(
        default=None, description="a name of workflow/catalog/models.yaml that must be trained"
    )
    published_images: list[str] = Field(
        default=[],
        description="pre-trainings that must be on the published images, neither fewer nor others",
    )
    difficulty_ratio: float | None = Field(
        default=None,
        gt=1,
        description=(
            "greatest allowed factor between the 1-nearest-neighbour accuracies of the images that"
            " are compared, where they are not the published ones"
        ),
    )


class Claim(FrozenModel):
    """One comparison of two groups of pre-trainings."""

    sentence: str = Field(min_length=1, description="what the paper says, in our words")
    stated: str = Field(min_length=1, description="where the paper says it")
    kind: Literal["greater", "equivalent"] = Field(
        default="greater",
        description=(
            "greater: the effect exceeds margin_points; equivalent (`about as well`): it lies"
            " within ± margin_points"
        ),
    )
    table: str = Field(
        description="the table or ablation figure of the study whose columns and numbers decide it"
    )
    better: list[str] = Field(
        min_length=1, description="pre-trainings whose mean is claimed to be higher"
    )
    worse: list[str] = Field(min_length=1, description="pre-trainings that they are compared with")
    columns: list[str] | None = Field(
        default=None,
        description=(
            "labels of the table's columns that the sentence is about, stand-ins for others do not"
            " count; null = all datasets"
        ),
    )
    margin_points: float = Field(
        default=0.0, description="percentage points; above 0 if kind is equivalent"
    )
    needs: Needs = Field(default=Needs(), description="without them: not testable here")

    @model_validator(mode="after")
    def _makes_sense(self) -> Claim:
        require_unique("pre-training", self.rows)
        if self.kind == "equivalent" and self.margin_points <= 0:
            raise ValueError(
                f"margin_points = {self.margin_points}: a claim of kind equivalent needs more than"
                " 0, the largest difference that still counts as equal"
            )
        return self

    @property
    def rows(self) -> list[str]:
        """All pre-trainings that are compared."""
        return [*self.better, *self.worse]
