"""A study is one paper with its tables, figures and claims, and the runs behind them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.claims import Claim
from fdsl.schema.study.figures import Ablation, Figure
from fdsl.schema.study.tables import Table

# Of tables, figures and claims; used in file names, on command lines, in HTML and in LaTeX.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class Study(FrozenModel):
    """One paper with the tables, figures and claims that are rebuilt here; any may be empty."""

    title: str
    reference: str = Field(description="authors, venue, year, arXiv number")
    tables: dict[Name, Table] = Field({})
    figures: dict[Name, Figure] = Field({})
    claims: dict[Name, Claim] = Field({})

    @model_validator(mode="after")
    def _claims_name_what_exists(self) -> Study:
        for name, claim in self.claims.items():
            source = self.tables.get(claim.table) or self.figures.get(claim.table)
            if not isinstance(source, Table | Ablation):
                raise ValueError(  # noqa: TRY004
                    f"claims.{name}: table = {claim.table!r} is neither a table nor an ablation"
                    " figure of this study"
                )
            known = _pretrainings(source)
            for pretraining in claim.rows:
                if pretraining not in known:
                    raise ValueError(
                        f"claims.{name}: {pretraining!r} is not in {claim.table}; it has:"
                        f" {', '.join(known)}"
                    )
            labels = [column.label for column in source.columns if column.dataset]
            for label in [*(claim.columns or []), *claim.needs.datasets]:
                if label not in labels:
                    raise ValueError(
                        f"claims.{name}: columns = {label!r} is not in {claim.table}; it has:"
                        f" {', '.join(labels)}"
                    )
            needed = claim.needs.published_images
            if stray := [pretraining for pretraining in needed if pretraining not in known]:
                raise ValueError(
                    f"claims.{name}: needs.published_images = {stray} is not in {claim.table}"
                )
        return self


def _pretrainings(source: Table | Ablation) -> list[str]:
    if isinstance(source, Table):
        return source.pretrainings
    return [bar.pretraining for bar in source.bars]
