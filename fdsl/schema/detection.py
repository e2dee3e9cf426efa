"""Hyper-parameters of one detection training; their sources are in workflow/recipes/detection."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, model_validator

from fdsl.schema.recipe import Optimisation

FOLDER = "detection/"  # below workflow/recipes

Side = Annotated[int, Field(ge=16, le=8192)]


class DetectionRecipe(Optimisation):
    """Mask R-CNN (He et al. 2017, arXiv:1703.06870; torchvision's) on a timm network.

    `image_size_px` is the side that a network with position embeddings is built for; other sizes
    resample them. Weight decay is as in classification. What is not named here is torchvision's
    default.
    """

    short_sides_px: tuple[Side, ...] = Field(
        min_length=1, description="shorter side: one drawn per training image, the last in tests"
    )
    long_side_px: Side = Field(description="the longer side is at most this")
    horizontal_flip: float = Field(ge=0, le=1, description="probability")
    strides: tuple[int, ...] = Field(
        min_length=1, description="of the pyramid's maps, each doubled; a coarser one follows"
    )
    pyramid_channels: int = Field(gt=0, description="of every map of the pyramid")
    anchor_scale: float = Field(gt=0, description="side of a map's anchors in units of its stride")
    anchor_ratios: tuple[PositiveFloat, ...] = Field(min_length=1, description="height / width")
    proposals_train: int = Field(gt=0, description="kept per image and map before and after NMS")
    proposals_test: int = Field(gt=0, description="kept per image and map before and after NMS")
    anchor_samples: int = Field(gt=0, description="anchors per image in the proposal loss")
    box_samples: int = Field(gt=0, description="proposals per image in the box and mask losses")
    box_head_channels: int = Field(gt=0, description="of its two hidden layers")
    mask_head_channels: int = Field(gt=0)
    mask_head_layers: int = Field(gt=0, description="3 x 3 convolutions before the upsampling")
    detections: int = Field(gt=0, description="kept per test image; COCO's measures use up to 100")
    score_threshold: float = Field(ge=0, lt=1, description="detections below are dropped")

    @model_validator(mode="after")
    def _values_fit(self) -> DetectionRecipe:
        if max(self.short_sides_px) > self.long_side_px:
            sides = list(self.short_sides_px)
            raise ValueError(
                f"short_sides_px = {sides}: at most long_side_px = {self.long_side_px}"
            )
        first = self.strides[0]
        if first < 1 or any(s != first * 2**k for k, s in enumerate(self.strides)):
            raise ValueError(f"strides = {list(self.strides)} must each be twice the one before")
        if self.normalisation != "fixed" or self.position_start != "random":
            raise ValueError(
                f"normalisation = {self.normalisation} and position_start = {self.position_start}:"
                " detection has fixed and random alone"
            )
        if self.layer_decay is not None:
            raise ValueError(f"layer_decay = {self.layer_decay}: detection has none, use null")
        return self
