"""Attention maps of a pre-trained vision transformer: its last block, on its training images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fdsl.augment.crop import EvalTransform
from fdsl.augment.mixup_cutmix import BatchTransform
from fdsl.io import storage
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import models, weights


def write_attention(
    path: str | Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    weights_file: str | Path,
    recipe: Recipe,
    model: ModelEntry,
) -> None:
    """Write images and the attention of the last block on them.

    Parameters
    ----------
    path
        An .npz file: `images` uint8 (n, S, S, C), as the network sees them, and `attention` float32
        (n, h, w), one value for each patch, adding up to 1.
    images
        uint8 (H, W) or (H, W, 3).
    weights_file
        `model.safetensors` of a pre-training.
    recipe, model
        Of the pre-training.

    Raises
    ------
    ValueError
        If the network has no attention over patches (ResNet, Swin).
    """
    tensors, metadata = weights.read(weights_file)
    size, classes = recipe.image_size_px, metadata["classes"]
    network = models.build(model, image_size_px=size, classes=classes)
    network.load_state_dict(tensors)
    planes = EvalTransform(recipe)
    seen = torch.stack([planes(image) for image in images])
    transform = BatchTransform(recipe, channels=models.channels(model), classes=2, train=False)
    labels, keys = torch.zeros(len(seen), dtype=torch.int64), torch.zeros(len(seen), 3).long()
    normalised, _ = transform(seen, labels, keys, seed=0, step=0, device="cpu")
    maps = attention(network, normalised)
    with storage.atomic_write(path) as temporary, Path(temporary).open("wb") as file:
        np.savez(file, images=seen.permute(0, 2, 3, 1).numpy(), attention=maps)


@torch.no_grad()
def attention(network: nn.Module, images: Tensor) -> NDArray[np.float32]:
    """Return how much attention each patch receives in the last block, mean over heads.

    With a class token, the attention that it pays; without, the mean of what all patches pay.
    Attention to prefix tokens is left out and the rest is scaled to a sum of 1.

    Parameters
    ----------
    network
        A timm vision transformer in any mode; it is left in evaluation mode.
    images
        float (n, channels, S, S).

    Returns
    -------
    numpy.ndarray
        float32 (n, h, w).

    Raises
    ------
    ValueError
        If the network has no attention over patches.
    """
    block, timm_network = _last_attention(network), cast("Any", network)
    prefix, grid = int(timm_network.num_prefix_tokens), timm_network.patch_embed.grid_size
    caught: list[Tensor] = []
    handle = block.attn_drop.register_forward_pre_hook(
        lambda _module, inputs: caught.append(inputs[0])
    )
    fused, block.fused_attn = block.fused_attn, False
    try:
        network.eval()(images)
    finally:
        handle.remove()
        block.fused_attn = fused
    heads = caught[0].float().mean(1)  # (n, tokens, tokens)
    paid = heads[:, 0] if prefix else heads.mean(1)
    patches = paid[:, prefix:]
    scaled = patches / patches.sum(1, keepdim=True)
    return scaled.reshape(len(images), *grid).numpy().astype(np.float32)


def _last_attention(network: nn.Module) -> Any:
    """Return the attention layer of the last block; ValueError if there is none."""
    blocks = getattr(network, "blocks", None)
    block = getattr(blocks[-1], "attn", None) if isinstance(blocks, nn.Sequential) else None
    if not hasattr(block, "attn_drop") or not hasattr(network, "num_prefix_tokens"):
        raise ValueError(
            f"{type(network).__name__} has no attention over all patches in its last block:"
            " attention maps exist for timm's vision transformers"
        )
    return block
