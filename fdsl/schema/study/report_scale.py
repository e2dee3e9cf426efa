"""The scale of a report: what was reduced, and what the report says about it."""

from __future__ import annotations

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.gates import Gates
from fdsl.schema.study.tables import Column, check_columns


class ReportScale(FrozenModel):
    """The scale of the records of a report, as the report shows it.

    At a scale that is not comparable, the table measures `stand_ins` and judges nothing against the
    paper.
    """

    name: str = Field(min_length=1, description="as in the records, for example laptop")
    title: str = Field(min_length=1, description="for headings")
    banner: str = Field(min_length=1, description="above every table and figure of this scale")
    comparable: bool = Field(description="whether datasets and recipes are the published ones")
    stand_ins: tuple[Column, ...] = Field((), description="columns measured besides the paper's")
    frozen: tuple[Column, ...] = Field((), description="of the frozen network; in no paper")
    models: tuple[str, ...] = Field((), description="networks whose runs the report shows")
    gates: Gates = Field(Gates(), description="checks of the claims' runs")
    reduced: dict[str, str] = Field({}, description="pre-training name -> what it is at this scale")
    reasons: dict[str, str] = Field(
        {}, description="pre-training, dataset or `pre-training on dataset` -> why it has no record"
    )

    @model_validator(mode="after")
    def _reductions_are_not_comparable(self) -> ReportScale:
        check_columns(self.stand_ins)
        check_columns(self.frozen)
        if self.comparable and (self.stand_ins or self.reduced):
            raise ValueError(
                f"scale {self.name!r} is reduced or has stand-ins: comparable must be false"
            )
        return self
