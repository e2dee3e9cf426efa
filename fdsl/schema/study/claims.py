"""Claims of a study: statements of the paper that records can support or contradict."""

from __future__ import annotations

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import require_unique


class Claim(FrozenModel):
    """One comparison: a group of pre-trainings transfers better than another."""

    sentence: str = Field(min_length=1, description="what the paper says, in our words")
    stated: str = Field(min_length=1, description="where the paper says it")
    table: str = Field(description="the study's table or ablation figure whose numbers decide it")
    better: list[str] = Field(min_length=1, description="pre-trainings with a higher claimed mean")
    worse: list[str] = Field(min_length=1, description="pre-trainings that they are compared with")
    columns: list[str] | None = Field(
        None, description="labels of the columns that the sentence is about; null = all datasets"
    )
    margin_points: float = Field(0.0, description="claimed difference; < 0 for `nearly as good as`")

    @model_validator(mode="after")
    def _groups_are_disjoint(self) -> Claim:
        require_unique("pre-training", [*self.better, *self.worse])
        return self
