"""What a training minimises, and which of its answers count as right while it runs."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from fdsl.schema.recipe import Recipe


def loss(logits: Tensor, targets: Tensor, *, recipe: Recipe) -> Tensor:
    """Return the objective of one micro-batch, in nats.

    Parameters
    ----------
    logits
        float32 (B, classes).
    targets
        cross_entropy: labels int64 (B,), which are smoothed here, or shares float32 (B, classes),
        which are smoothed already. binary: float32 (B, classes) from 0 to 1, smoothed already;
        below 0 where the answer is unknown.
    recipe
        `objective` and `label_smoothing`.

    Returns
    -------
    A scalar: the mean over images; with binary over images × classes, where an unknown answer
    counts as 0. Both are means over a fixed number, so the mean over equal micro-batches is that of
    the whole batch.
    """
    if recipe.objective == "binary":
        known = (targets >= 0).to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits, targets.clamp(min=0), known)
    smoothing = recipe.label_smoothing if targets.ndim == 1 else 0.0
    return functional.cross_entropy(logits, targets, label_smoothing=smoothing)


def right(logits: Tensor, targets: Tensor, *, recipe: Recipe) -> Tensor:
    """Return how many images have their likeliest class right, int64 ().

    Right is the target's class, or its largest share. With binary it is any class whose target is
    the image's largest; of an image without a class that is every class.
    """
    answers = logits.detach().argmax(1)
    if recipe.objective == "binary":
        return (targets.gather(1, answers[:, None])[:, 0] == targets.amax(1)).sum()
    labels = targets if targets.ndim == 1 else targets.argmax(1)
    return (answers == labels).sum()
