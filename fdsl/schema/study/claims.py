"""Claims of a study: statements of the paper that records can support or contradict."""

from __future__ import annotations

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import require_unique


class Claim(FrozenModel):
    """One comparison: a group of pre-trainings transfers better than another."""

    sentence: str = Field(min_length=1, description="what the paper says, in our words")
    stated: str = Field(min_length=1, description="where the paper says it")
    table: str = Field(
        description="the table or ablation figure of the study whose columns and numbers decide it"
    )
    better: list[str] = Field(
        min_length=1, description="pre-trainings whose mean is claimed to be higher"
    )
    worse: list[str] = Field(min_length=1, description="pre-trainings that they are compared with")
    columns: list[str] | None = Field(
        default=None,
        description="labels of the table's columns that the sentence is about; null = all datasets",
    )
    margin_points: float = Field(
        default=0.0,
        description="smallest difference that is claimed; below 0 for `nearly as good as`",
    )

    @model_validator(mode="after")
    def _groups_are_disjoint(self) -> Claim:
        require_unique("pre-training", [*self.better, *self.worse])
        return self
