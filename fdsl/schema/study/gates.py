"""Gates: what must hold at a scale, so that its records can decide a claim."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fdsl.schema.base import FrozenModel
from fdsl.schema.study.tables import SCRATCH


class Control(FrozenModel):
    """Two pre-trainings of which the order is known."""

    pretraining: str = Field(description="a name that a row can have")
    than: str = Field(default=SCRATCH, description="the pre-training that it is compared with")

    @property
    def rows(self) -> list[str]:
        """Both pre-trainings."""
        return [self.pretraining, self.than]


class NegativeControl(Control):
    """A pre-training that must not help, for example on shuffled labels."""

    must: Literal["not beat", "stay below"] = Field(
        default="not beat",
        description="not beat: no interval above `than`; stay below: the interval below `than`",
    )


class Gates(FrozenModel):
    """Checks of the instrument; null = not asked for."""

    pretraining_accuracy: float | None = Field(
        default=None,
        gt=1,
        description="smallest training accuracy of the last epoch of a pre-training, over chance",
    )
    finetune_beats_probe: float | None = Field(
        default=None,
        ge=0,
        description=(
            "points by which a fine-tuning may stay below a linear probe of the same weights, in"
            " the mean over replicates"
        ),
    )
    positive_control: Control | None = Field(
        default=None, description="must beat: the 95 % interval of the gain lies above 0"
    )
    negative_control: NegativeControl | None = None

    @property
    def controls(self) -> list[str]:
        """The pre-trainings that the controls compare."""
        asked = [self.positive_control, self.negative_control]
        return list(dict.fromkeys(row for control in asked if control for row in control.rows))
