"""Mask R-CNN with seeded weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.detection import DetectionRecipe
from fdsl.train import models
from fdsl.train.detection.backbone import backbone
from fdsl.train.loop import LoadWeights

BOX_PX, MASK_PX = 7, 14  # sides of what the heads see of a proposal; torchvision's
HEADS = 1  # branch of the seed tree; the network below the heads has 0, as in classification


def build(
    entry: ModelEntry,
    *,
    recipe: DetectionRecipe,
    classes: int,
    seed: int,
    load_weights: LoadWeights,
) -> Detector:
    """Make a detector whose fresh weights depend on the seed alone.

    Parameters
    ----------
    entry
        The network; any number of input channels.
    recipe
        Sizes of pyramid, anchors and heads, numbers of proposals and samples.
    classes
        Without the background.
    seed
        Root seed; the global torch generator is left as it was.
    load_weights
        Called with the timm network under the detector, to put pre-trained weights into it.

    Raises
    ------
    ConfigError
        As `fdsl.train.detection.backbone.backbone`.
    """
    with torch.random.fork_rng():
        models.seed_initialisation(seed, HEADS, 0, 0)
        base = backbone(entry, recipe=recipe, seed=seed, load_weights=load_weights)
        return Detector(_mask_rcnn(base, recipe, models.channels(entry), classes))


class Detector(nn.Module):
    """Mask R-CNN that takes images as they are stored.

    Training: the sum of the five losses, float32 (). Testing: for each image `boxes` float32 (n,
    4) in its pixels, `labels` int64 (n,) from 1, `scores` float32 (n,), and `masks` float32 (n, 1,
    H, W) from 0 to 1.
    """

    def __init__(self, network: MaskRCNN) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> Tensor | list[dict[str, Tensor]]:
        """Detect in uint8 (C, H, W) images, or return the loss against `targets`."""
        found: Any = self.network([image.float() / 255 for image in images], targets)
        if self.training:
            return torch.stack([loss.float() for loss in found.values()]).sum()
        return found  # type: ignore[no-any-return]

    def no_weight_decay(self) -> set[str]:
        """Return the parameters that the pre-trained network exempts from weight decay."""
        return {f"network.backbone.{name}" for name in self.network.backbone.no_weight_decay()}


def _mask_rcnn(base: nn.Module, recipe: DetectionRecipe, channels: int, classes: int) -> MaskRCNN:
    levels = [str(stride) for stride in recipe.strides]
    width = recipe.pyramid_channels
    sides = [recipe.anchor_scale * stride for stride in (*recipe.strides, 2 * recipe.strides[-1])]
    hidden = recipe.mask_head_channels
    proposals = {
        f"rpn_{order}_nms_top_n_{mode}": count
        for order in ("pre", "post")
        for mode, count in (("train", recipe.proposals_train), ("test", recipe.proposals_test))
    }
    return MaskRCNN(
        base,
        min_size=recipe.short_sides_px,
        max_size=recipe.long_side_px,
        image_mean=_each(recipe.mean, channels),
        image_std=_each(recipe.std, channels),
        size_divisible=base.multiple,
        rpn_anchor_generator=AnchorGenerator(
            sizes=tuple((side,) for side in sides),
            aspect_ratios=(recipe.anchor_ratios,) * len(sides),
        ),
        rpn_batch_size_per_image=recipe.anchor_samples,
        box_roi_pool=MultiScaleRoIAlign(levels, BOX_PX, sampling_ratio=2),
        box_head=TwoMLPHead(width * BOX_PX**2, recipe.box_head_channels),
        box_predictor=FastRCNNPredictor(recipe.box_head_channels, classes + 1),
        box_batch_size_per_image=recipe.box_samples,
        box_score_thresh=recipe.score_threshold,
        box_detections_per_img=recipe.detections,
        mask_roi_pool=MultiScaleRoIAlign(levels, MASK_PX, sampling_ratio=2),
        mask_head=MaskRCNNHeads(width, (hidden,) * recipe.mask_head_layers, dilation=1),
        mask_predictor=MaskRCNNPredictor(hidden, hidden, classes + 1),
        **proposals,
    )


def _each(values: float | tuple[float, float, float], channels: int) -> list[float]:
    """Return one value for each channel."""
    if not isinstance(values, tuple):
        return [values] * channels
    if channels != len(values):
        raise ValueError(
            f"mean or std = {list(values)} has three values, the network {channels} channel: use"
            " one value"
        )
    return list(values)
