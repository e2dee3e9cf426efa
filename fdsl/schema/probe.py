"""How frozen features are scored, as plain values; their sources are in workflow/probe.yaml."""

from __future__ import annotations

from pydantic import Field, model_validator

from fdsl.schema.base import FrozenModel
from fdsl.schema.recipe import Precision


class Probe(FrozenModel):
    """k-NN and linear probe on the features before the classifier."""

    precision: Precision = Field(description="of the forward pass")
    k: int = Field(ge=1, description="neighbours that vote in k-NN")
    temperature: float = Field(gt=0, description="of k-NN: votes are exp(cosine / temperature)")
    inverse_penalties: tuple[float, ...] = Field(
        min_length=1, description="candidates for scikit-learn's C, ascending; small = strong L2"
    )
    folds: int = Field(ge=2, le=20, description="of the cross-validation that chooses C")
    tolerance: float = Field(gt=0, lt=1, description="largest gradient at convergence")
    max_iterations: int = Field(gt=0, description="Newton steps of one logistic regression")

    @model_validator(mode="after")
    def _penalties_ascend(self) -> Probe:
        values = list(self.inverse_penalties)
        if values[0] <= 0 or values != sorted(set(values)):
            raise ValueError(f"inverse_penalties = {values} must be ascending numbers above 0")
        return self
