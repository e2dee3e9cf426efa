"""How a frozen network is judged, as plain values; where each value comes from stands in
workflow/probe.yaml.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.recipe import Precision


class Probe(FrozenModel):
    """k-NN and linear probe on the features before the classifier."""

    precision: Precision = Field(description="of the forward pass")
    k: int = Field(ge=1, description="neighbours that vote in k-NN")
    temperature: float = Field(
        gt=0, description="of k-NN: a neighbour's vote is exp(cosine / temperature)"
    )
    inverse_penalties: tuple[float, ...] = Field(
        min_length=1,
        description=(
            "candidates for scikit-learn's C of the linear probe, ascending; small = strong L2"
            " penalty"
        ),
    )
    folds: int = Field(
        ge=2, le=20, description="of the cross-validation on training images that chooses C"
    )
    tolerance: float = Field(
        gt=0, lt=1, description="largest gradient at which a logistic regression counts as finished"
    )
    max_iterations: int = Field(gt=0, description="Newton steps of one logistic regression")

    @model_validator(mode="after")
    def _penalties_ascend(self) -> Probe:
        penalties = self.inverse_penalties
        if penalties[0] <= 0 or list(penalties) != sorted(set(penalties)):
            raise ValueError(
                f"inverse_penalties = {list(penalties)} must be ascending numbers above 0"
            )
        return self
