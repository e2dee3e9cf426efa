"""Where a network's weights come from: a pre-training, or nowhere."""

from __future__ import annotations

from pathlib import Path

SCRATCH = "scratch"


def require_start(pretraining: str, weights: Path | None) -> None:
    """Raise ValueError if a run from scratch has weights, or another run has none."""
    if (weights is None) != (pretraining == SCRATCH):
        raise ValueError(
            f"pretraining = {pretraining!r} with weights = {weights}: scratch has no weights,"
            " everything else needs them"
        )
