"""Hyper-parameters of one training, as plain values; where each value comes from stands in
workflow/recipes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator, model_validator

from fdsl.schema.base import FrozenModel

Optimizer = Literal["adamw", "sgd", "momentum"]
Curve = Literal["cosine", "step"]
Precision = Literal["fp32", "bf16", "fp16"]
OfdbAugmentation = Literal["ifs", "pattern", "rotation", "texture"]
Objective = Literal["cross_entropy", "binary", "dino"]


class Augmentation(FrozenModel):
    """What happens to a training image between the dataset and the network."""

    crop: Literal["random_resized", "random", "pad_and_shift", "none"] = Field(
        description="how the training window is chosen"
    )
    crop_scale: tuple[float, float] = Field(
        description="area range of a random resized crop, as a fraction of the image"
    )
    crop_ratio: tuple[float, float] = Field(
        description="aspect ratio range of a random resized crop"
    )
    shift_px: int = Field(
        ge=0, le=64, description="largest shift in pixels when crop is pad_and_shift"
    )
    horizontal_flip: float = Field(ge=0, le=1, description="probability")
    vertical_flip: float = Field(ge=0, le=1, description="probability")
    rand_augment: str | None = Field(
        pattern=r"^rand-m\d+(\.\d+)?(-(n\d+|mstd\d+(\.\d+)?|inc[01]))*$",
        description="timm's notation, or null",
    )
    random_erasing: float = Field(
        ge=0, le=1, description="probability of erasing a rectangle with pixel noise"
    )
    mixup: float = Field(ge=0, description="alpha of the beta distribution; 0 switches mixup off")
    cutmix: float = Field(ge=0, description="alpha of the beta distribution; 0 switches cutmix off")
    repeated_aug: int = Field(
        ge=1,
        le=16,
        description="repeated augmentation: how often one image stands in an epoch's stream",
    )
    one_per_category: bool = Field(
        description=(
            "an epoch shows one random image of each category rather than all, as for 3D-OFDB"
        )
    )
    ofdb: tuple[OfdbAugmentation, ...] = Field(
        description=(
            "what stands in for instances, before all else; any of ifs, pattern, rotation, texture"
        )
    )

    @field_validator("ofdb")
    @classmethod
    def _in_one_order(cls, names: tuple[OfdbAugmentation, ...]) -> tuple[OfdbAugmentation, ...]:
        if len(set(names)) < len(names):
            raise ValueError("an augmentation stands twice; each may stand once")
        return tuple(sorted(names))

    @model_validator(mode="after")
    def _repeated_aug_have_no_category(self) -> Augmentation:
        if self.one_per_category and self.repeated_aug > 1:
            raise ValueError(
                "one_per_category = true shows each category once an epoch, but repeated_aug ="
                f" {self.repeated_aug}: use 1"
            )
        return self

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Augmentation:
        for name in ("crop_scale", "crop_ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} = ({low}, {high}) must be two ascending numbers above 0")
        if self.crop_scale[1] > 1:
            raise ValueError(f"crop_scale = {self.crop_scale} must not exceed 1")
        return self


class Views(FrozenModel):
    """What DINO sees of an image: two large views, cropped as `augmentation` says, and small ones
    of details.
    """

    local_crops: int = Field(ge=0, le=32, description="small views of an image")
    local_size_px: int = Field(ge=4, le=1024, description="side of a small view")
    local_scale: tuple[float, float] = Field(
        description="area range of a small view, as a fraction of the image"
    )
    jitter: float = Field(ge=0, le=1, description="probability of the four changes that follow")
    brightness: float = Field(ge=0, le=1, description="largest change of the factor 1")
    contrast: float = Field(ge=0, le=1, description="largest change of the factor 1")
    saturation: float = Field(ge=0, le=1, description="largest change of the factor 1")
    hue: float = Field(ge=0, le=0.5, description="largest turn, as a share of the colour circle")
    gray: float = Field(ge=0, le=1, description="probability of losing all colour")
    blur: tuple[float, float, float] = Field(
        description="probabilities for the first large, the second large and each small view"
    )
    blur_radius_px: tuple[float, float] = Field(description="range of the Gaussian's radius")
    solarize: float = Field(
        ge=0, le=1, description="probability of inverting bright values, second large view alone"
    )

    @model_validator(mode="after")
    def _ranges_fit(self) -> Views:
        for name in ("local_scale", "blur_radius_px"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} = ({low}, {high}) must be two ascending numbers above 0")
        if self.local_scale[1] > 1:
            raise ValueError(f"local_scale = {self.local_scale} must not exceed 1")
        if not all(0 <= probability <= 1 for probability in self.blur):
            raise ValueError(f"blur = {self.blur} must be three probabilities")
        return self


class Dino(FrozenModel):
    """Self-distillation without labels (DINO, Caron et al. 2021, arXiv:2104.14294): head, teacher,
    loss and views.
    """

    out_dim: int = Field(ge=2, le=2**20, description="outputs of the projection head")
    hidden_dim: int = Field(ge=1, le=2**16, description="of the head's two hidden layers")
    bottleneck_dim: int = Field(ge=1, le=2**16, description="before the head's last layer")
    norm_last_layer: bool = Field(description="keep the length of the last layer's rows at 1")
    freeze_last_layer_epochs: int = Field(
        ge=0, description="epochs in which the last layer does not change"
    )
    teacher_momentum: float = Field(
        ge=0, le=1, description="of the teacher's average of the student, at the first update"
    )
    teacher_momentum_end: float = Field(ge=0, le=1, description="where its cosine ends")
    teacher_temperature_start: float = Field(gt=0, description="in the first epoch")
    teacher_temperature: float = Field(gt=0, description="after the warm-up, which is linear")
    teacher_temperature_warmup_epochs: int = Field(ge=0)
    student_temperature: float = Field(gt=0)
    center_momentum: float = Field(ge=0, lt=1, description="of the teacher outputs' mean")
    weight_decay_end: float = Field(
        ge=0, lt=1, description="where the cosine that begins at weight_decay ends"
    )
    clip_each: bool = Field(
        description="clip_norm is for each tensor's gradient by itself rather than for all together"
    )
    views: Views


class Preparation(FrozenModel):
    """What an evaluation depends on: the network and how images come into it, nothing of how it is
    trained.
    """

    model: str = Field(description="a name of workflow/catalog/models.yaml")
    image_size_px: int = Field(
        ge=8, le=1024, description="side of the square that the network sees"
    )
    mean: float | tuple[float, float, float] = Field(
        description="subtracted from pixels in [0, 1], one value or one per channel"
    )
    std: float | tuple[float, float, float] = Field(description="then divided by")


class Optimisation(Preparation):
    """What every training has: budget, optimiser, schedule."""

    epochs: int = Field(
        gt=0, description="passes over the training images until the schedule has run its course"
    )
    cooldown_epochs: int = Field(ge=0, description="further passes at min_lr, after a cosine")
    global_batch: int = Field(
        gt=0, description="images per update over all devices and accumulation steps"
    )
    optimizer: Optimizer = Field(
        description=(
            "adamw, sgd with Nesterov momentum, or momentum: sgd without Nesterov's look-ahead"
        )
    )
    lr: float = Field(
        gt=0,
        lt=100,
        description="peak learning rate at the recipe's batch; never rescaled behind the scenes",
    )
    weight_decay: float = Field(ge=0, lt=1, description="not applied to biases and norms")
    momentum: float = Field(ge=0, lt=1, description="of sgd")
    layer_decay: float | None = Field(
        gt=0,
        le=1,
        description="factor between the learning rates of one layer and the next one up, or null",
    )
    schedule: Curve = Field(
        description="course of the learning rate after the warm-up: cosine, or steps at milestones"
    )
    milestones: tuple[float, ...] = Field(
        description=(
            "epochs at which a step schedule multiplies the rate by gamma; empty for a cosine"
        )
    )
    gamma: float | None = Field(gt=0, lt=1, description="of a step schedule; null for a cosine")
    warmup_epochs: float = Field(ge=0, description="linear warm-up, counted in epochs")
    warmup_lr: float = Field(
        ge=0, description="learning rate of the first update when there is a warm-up"
    )
    min_lr: float = Field(ge=0, description="where the cosine ends; 0 for a step schedule")
    clip_norm: float | None = Field(gt=0, description="largest gradient norm, or null")
    drop_path: float = Field(
        ge=0, lt=1, description="stochastic depth of the last block; rises linearly from 0"
    )
    ema_decay: float | None = Field(
        gt=0, lt=1, description="exponential moving average of the weights, or null"
    )
    precision: Precision = Field(
        description="of the forward and backward pass; master weights stay fp32"
    )

    @property
    def all_epochs(self) -> int:
        """Passes over the training images, with the cool-down."""
        return self.epochs + self.cooldown_epochs

    @model_validator(mode="after")
    def _curve_is_whole(self) -> Optimisation:
        if self.schedule == "cosine":
            if self.milestones or self.gamma is not None:
                raise ValueError(
                    f"milestones = {list(self.milestones)} and gamma = {self.gamma} belong to a"
                    " step schedule: use [] and null with a cosine"
                )
            return self
        borders = [self.warmup_epochs, *self.milestones, self.epochs]
        if not self.milestones or any(a >= b for a, b in pairwise(borders)) or self.gamma is None:
            raise ValueError(
                f"milestones = {list(self.milestones)} and gamma = {self.gamma}: a step schedule"
                f" needs ascending epochs between warmup_epochs = {self.warmup_epochs} and epochs ="
                f" {self.epochs}, and a gamma between 0 and 1"
            )
        if self.min_lr or self.cooldown_epochs:
            raise ValueError(
                f"min_lr = {self.min_lr} and cooldown_epochs = {self.cooldown_epochs} belong to a "
                "cosine: use 0 with a step schedule"
            )
        return self

    @model_validator(mode="after")
    def _schedule_fits(self) -> Optimisation:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs} must be below epochs = {self.epochs}"
            )
        if self.min_lr > self.lr or self.warmup_lr > self.lr:
            raise ValueError(
                f"min_lr = {self.min_lr} and warmup_lr = {self.warmup_lr} must not exceed lr ="
                f" {self.lr}"
            )
        return self


class Recipe(Optimisation):
    """One training on single images: also what it minimises, and augmentation."""

    objective: Objective = Field(
        default="cross_entropy",
        description=(
            "cross_entropy where an image has one label, scored by top-1; binary where it has"
            " several: one yes-or-no question per class, binary cross-entropy over classes, scored"
            " by mean average precision; dino without any label, see `dino`"
        ),
    )
    label_smoothing: float = Field(
        ge=0,
        lt=1,
        description=(
            "e: a class's target t becomes (1 - e) t + e / classes, or (1 - e) t + e / 2 with"
            " objective binary"
        ),
    )
    augmentation: Augmentation
    dino: Dino | None = Field(
        default=None, description="of the objective dino; null with the others"
    )

    @model_validator(mode="after")
    def _labels_are_not_needed(self) -> Recipe:
        if (self.objective == "dino") != (self.dino is not None):
            raise ValueError(
                f"objective = {self.objective} with {'a' if self.dino else 'no'} section dino: the"
                " section belongs to the objective dino, and to no other"
            )
        if self.dino is None:
            return self
        augmentation = self.augmentation
        if augmentation.crop != "random_resized":
            raise ValueError(f"crop = {augmentation.crop!r}: dino needs random_resized")
        unused = {
            "label_smoothing": self.label_smoothing,
            "ema_decay": self.ema_decay,
            "layer_decay": self.layer_decay,
            "mixup": augmentation.mixup,
            "cutmix": augmentation.cutmix,
            "rand_augment": augmentation.rand_augment,
            "random_erasing": augmentation.random_erasing,
        }
        if used := [name for name, value in unused.items() if value]:
            raise ValueError(f"{', '.join(used)} cannot be used with dino: switch off (0 or null)")
        return self
