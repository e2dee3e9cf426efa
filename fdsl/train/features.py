"""Features of a frozen network, the input of its classifier, for every image in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fdsl.augment.crop import EvalTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.schema.recipe import Preparation
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.input.loader import EvaluationImages, TrainingSource, evaluation_batches


@torch.inference_mode()
def features(
    network: nn.Module,
    source: TrainingSource,
    *,
    preparation: Preparation,
    channels: int,
    precision: str,
    processes: Processes,
    batch: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Compute timm's features: `forward_features`, then `forward_head(pre_logits=True)`.

    Images go through the evaluation transform, also those of a training part: nothing is random.

    Parameters
    ----------
    network
        A timm network. Used in evaluation mode and its mode is restored.
    source
        n images.
    preparation
        Size and normalisation of the images.
    channels
        Of the network's images; gray images are repeated to 3.
    precision
        fp32, bf16 or fp16.
    processes
        The only process, with the network's device.
    batch
        Images at once; changes the features by floating-point rounding only.

    Returns
    -------
    tuple
        Features float32 (n, d) and labels int64 (n,), in the order of the source.

    Raises
    ------
    TypeError
        If the network is not timm's, or does not give one vector per image.
    RuntimeError
        If a feature is infinite or not a number.
    """
    if not (hasattr(network, "forward_features") and hasattr(network, "forward_head")):
        raise TypeError(
            f"{type(network).__name__} has no forward_features and forward_head: "
            "frozen features are defined for timm's networks"
        )
    prepared = EvaluationImages(source, EvalTransform(preparation))
    device, batches = processes.device, evaluation_batches(prepared, processes, batch=batch)
    transform = BatchTransform(preparation, channels=channels, classes=source.classes, train=False)
    training = network.training
    network.eval()
    values, labels = [], []
    for images in batches:
        with autocast(device, precision):
            normalised, _ = transform(*images[:3], seed=0, step=0, device=device)
            values.append(_vectors(network, normalised).float().cpu())
        labels.append(images.labels)
    network.train(training)
    together = torch.cat(values).numpy()
    broken = np.flatnonzero(~np.isfinite(together).all(axis=1))
    if len(broken):
        raise RuntimeError(
            f"the features of {len(broken)} of {len(together)} images are not finite, image"
            f" {broken[0]} first: the network's weights have diverged"
        )
    return together, torch.cat(labels).numpy()


def _vectors(network: Any, images: Tensor) -> Tensor:
    """Return the features (B, d) of a batch; TypeError if they are not one vector per image."""
    found: Tensor = network.forward_head(network.forward_features(images), pre_logits=True)
    if found.ndim != 2 or len(found) != len(images):
        raise TypeError(
            f"{type(network).__name__} gives features {tuple(found.shape)} of {len(images)} images:"
            " one vector per image is needed"
        )
    return found
