"""Hyper-parameters of one training as plain values; their sources are in workflow/recipes."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from fdsl.schema.base import FrozenModel

Optimizer = Literal["adamw", "sgd", "momentum", "muon"]
Normalisation = Literal["fixed", "per_image"]
PositionStart = Literal["random", "sin_cos"]
Curve = Literal["cosine", "step"]
Precision = Literal["fp32", "bf16", "fp16"]
OfdbAugmentation = Literal["ifs", "pattern", "rotation", "texture"]
Objective = Literal["cross_entropy", "binary", "dino"]
PerChannel = float | tuple[float, float, float]  # one value, or one per channel


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if not 0 < limits[0] <= limits[1]:
        raise ValueError("must be two ascending numbers above 0")
    return limits


def _within_image(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[1] > 1:
        raise ValueError("must not exceed 1")
    return limits


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
AreaRange = Annotated[Range, AfterValidator(_within_image)]  # fractions of an image's area
Probability = Annotated[float, Field(ge=0, le=1)]


class Augmentation(FrozenModel):
    """What happens to a training image between the dataset and the network."""

    crop: Literal["random_resized", "random", "pad_and_shift", "none"]
    crop_scale: AreaRange = Field(description="area of a random resized crop: range of fractions")
    crop_ratio: Range = Field(description="aspect ratio of a random resized crop: range")
    shift_px: int = Field(ge=0, le=64, description="largest shift of pad_and_shift")
    horizontal_flip: Probability
    vertical_flip: Probability
    rand_augment: str | None = Field(
        pattern=r"^rand-m\d+(\.\d+)?(-(n\d+|mstd\d+(\.\d+)?|inc[01]))*$",
        description="timm's notation, or null",
    )
    random_erasing: Probability = Field(description="of erasing a rectangle with pixel noise")
    erase_after_mixing: bool = Field(
        False, description="erase mixed images, as timm's loader, or single ones before, as DeiT"
    )
    mixup: float = Field(ge=0, description="alpha of the beta distribution; 0 = off")
    cutmix: float = Field(ge=0, description="alpha of the beta distribution; 0 = off")
    mix_images: int | None = Field(
        None, ge=2, multiple_of=2, description="neighbours that mix alike; null = the global batch"
    )
    repeated_aug: int = Field(ge=1, le=16, description="how often an epoch shows each image")
    one_per_category: bool = Field(description="an epoch shows one image of each category: 3D-OFDB")
    ofdb: tuple[OfdbAugmentation, ...] = Field(description="replace instances; applied first")

    @field_validator("ofdb")
    @classmethod
    def _in_one_order(cls, names: tuple[OfdbAugmentation, ...]) -> tuple[OfdbAugmentation, ...]:
        if len(set(names)) < len(names):
            raise ValueError("an augmentation is listed twice; each may be listed once")
        return tuple(sorted(names))

    @model_validator(mode="after")
    def _repeated_aug_has_no_category(self) -> Augmentation:
        if self.one_per_category and self.repeated_aug > 1:
            raise ValueError(
                "one_per_category = true shows each category once an epoch, but repeated_aug ="
                f" {self.repeated_aug}: use 1"
            )
        return self


class Views(FrozenModel):
    """DINO's views of an image: two large ones, cropped as `augmentation` says, and small ones."""

    local_crops: int = Field(ge=0, le=32, description="small views of an image")
    local_size_px: int = Field(ge=4, le=1024, description="side of a small view")
    local_scale: AreaRange = Field(description="area of a small view: range of fractions")
    jitter: Probability = Field(description="of the four changes that follow")
    brightness: Probability = Field(description="largest change of the factor 1")
    contrast: Probability = Field(description="largest change of the factor 1")
    saturation: Probability = Field(description="largest change of the factor 1")
    hue: float = Field(ge=0, le=0.5, description="largest turn, as a share of the colour circle")
    gray: Probability = Field(description="of losing all colour")
    blur: tuple[Probability, Probability, Probability] = Field(
        description="of the first large, the second large and each small view"
    )
    blur_radius_px: Range = Field(description="range of the Gaussian's radius")
    solarize: Probability = Field(description="of inverting bright values, second large view")


class Dino(FrozenModel):
    """Self-distillation without labels (DINO, Caron et al. 2021, arXiv:2104.14294)."""

    out_dim: int = Field(ge=2, le=2**20, description="outputs of the projection head")
    hidden_dim: int = Field(ge=1, le=2**16, description="of the head's two hidden layers")
    bottleneck_dim: int = Field(ge=1, le=2**16, description="before the head's last layer")
    norm_last_layer: bool = Field(description="keep the length of the last layer's rows at 1")
    freeze_last_layer_epochs: int = Field(ge=0, description="before the last layer is trained")
    teacher_momentum: Probability = Field(description="of the moving average, at the first update")
    teacher_momentum_end: Probability = Field(description="where its cosine ends")
    teacher_temperature_start: float = Field(gt=0, description="in the first epoch")
    teacher_temperature: float = Field(gt=0, description="after the warm-up, which is linear")
    teacher_temperature_warmup_epochs: int = Field(ge=0)
    student_temperature: float = Field(gt=0)
    center_momentum: float = Field(ge=0, lt=1, description="of the teacher outputs' mean")
    weight_decay_end: float = Field(ge=0, lt=1, description="end of the cosine from weight_decay")
    clip_each: bool = Field(description="clip each tensor's gradient, not their common norm")
    views: Views


class NetworkInput(FrozenModel):
    """The network and the images that it takes."""

    model: str = Field(description="a name of workflow/catalog/models.yaml")
    image_size_px: int = Field(ge=8, le=1024, description="side of the network's square input")
    normalisation: Normalisation = Field(
        "fixed", description="by mean and std, or per_image by the image's own"
    )
    mean: PerChannel = Field(description="subtracted from pixels in [0, 1] by fixed")
    std: PerChannel = Field(description="then divided by")
    position_start: PositionStart = Field(
        "random", description="of a learnt position embedding; sin_cos in two dimensions"
    )


class Preparation(NetworkInput):
    """What an evaluation depends on: the network and its input, not how it is trained."""

    eval_crop: float | None = Field(
        None, gt=0, le=1, description="central share of each side; null = 0.875, all below 64 px"
    )


class Optimisation(NetworkInput):
    """What every training has: budget, optimiser, schedule."""

    epochs: int = Field(gt=0, description="passes over the training images, without the cool-down")
    cooldown_epochs: int = Field(ge=0, description="further passes at min_lr, after a cosine")
    global_batch: int = Field(gt=0, description="images per update, over devices and accumulation")
    optimizer: Optimizer = Field(
        description="sgd has Nesterov momentum, momentum is without; muon: AdamW outside of blocks"
    )
    lr: float = Field(gt=0, lt=100, description="peak learning rate at global_batch, not rescaled")
    weight_decay: float = Field(ge=0, lt=1, description="not applied to biases and norms")
    momentum: float = Field(ge=0, lt=1, description="of sgd, momentum and muon")
    muon_lr_factor: float | None = Field(
        None, gt=0, le=1000, description="Muon's learning rate in units of lr; null with others"
    )
    layer_decay: float | None = Field(
        gt=0, le=1, description="ratio of a layer's learning rate to the next one's; null = none"
    )
    schedule: Curve = Field(description="learning rate after the warm-up; step = at milestones")
    milestones: tuple[float, ...] = Field(description="epochs of a step schedule; [] for a cosine")
    gamma: float | None = Field(gt=0, lt=1, description="factor of a step; null for a cosine")
    warmup_epochs: float = Field(ge=0, description="linear warm-up, counted in epochs")
    warmup_lr: float = Field(ge=0, description="learning rate of a warm-up's first update")
    min_lr: float = Field(ge=0, description="where the cosine ends; 0 for a step schedule")
    clip_norm: float | None = Field(gt=0, description="largest gradient norm, or null")
    drop_path: float = Field(ge=0, lt=1, description="of the last block; rises linearly from 0")
    ema_decay: float | None = Field(gt=0, lt=1, description="of averaged weights, or null")
    precision: Precision = Field(description="forward and backward; master weights stay fp32")

    @property
    def all_epochs(self) -> int:
        """Passes over the training images, with the cool-down."""
        return self.epochs + self.cooldown_epochs

    @model_validator(mode="after")
    def _muon_fits(self) -> Optimisation:
        if (self.optimizer == "muon") != (self.muon_lr_factor is not None):
            raise ValueError(
                f"muon_lr_factor = {self.muon_lr_factor} with optimizer = {self.optimizer}: muon"
                " needs a factor, such as 5; use null with others"
            )
        if self.optimizer == "muon" and self.layer_decay is not None:
            raise ValueError(f"layer_decay = {self.layer_decay} cannot be used with muon: use null")
        return self

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
            warmup = f"warmup_epochs = {self.warmup_epochs}"
            raise ValueError(f"{warmup} must be below epochs = {self.epochs}")
        if self.min_lr > self.lr or self.warmup_lr > self.lr:
            raise ValueError(
                f"min_lr = {self.min_lr} or warmup_lr = {self.warmup_lr} exceeds lr = {self.lr}"
            )
        return self


class Recipe(Optimisation, Preparation):
    """One training on single images: also its objective and augmentation.

    The objective cross_entropy is for one label per image, scored by top-1; binary is for several:
    binary cross-entropy over the classes, scored by mean average precision; dino needs no labels.
    """

    objective: Objective = "cross_entropy"
    label_smoothing: float = Field(ge=0, lt=1, description="e: t -> (1 - e) t + e / (classes or 2)")
    augmentation: Augmentation
    dino: Dino | None = Field(None, description="of the objective dino, null with others")

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
        here = ("label_smoothing", "ema_decay", "layer_decay")
        there = ("mixup", "cutmix", "rand_augment", "random_erasing")
        values = {name: getattr(self, name) for name in here}
        values |= {name: getattr(augmentation, name) for name in there}
        if used := [name for name, value in values.items() if value]:
            raise ValueError(f"{', '.join(used)} cannot be used with dino: switch off (0 or null)")
        return self
