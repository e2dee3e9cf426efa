"""From a timm network to the maps of several strides that a detector looks at."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.detection import DetectionRecipe
from fdsl.train import models
from fdsl.train.loop import LoadWeights

PYRAMID_SCALES = (4.0, 2.0, 1.0, 0.5)  # that SimplePyramid can make of one map


def backbone(
    entry: ModelEntry, *, recipe: DetectionRecipe, seed: int, load_weights: LoadWeights
) -> nn.Module:
    """Make the network under a detector, with a pyramid of maps on top.

    Networks whose stages have several strides (ResNet, Swin) get a feature pyramid network (Lin et
    al. 2017, arXiv:1612.03144); networks with one stride (plain ViT) a simple pyramid of their last
    map, with global attention in every block (after Li et al. 2022, arXiv:2203.16527, which has
    windows in most). BatchNorm layers are frozen.

    Parameters
    ----------
    entry
        The network; any number of input channels.
    recipe
        `image_size_px`, `drop_path`, `strides`, `pyramid_channels`.
    seed
        Of the network's fresh weights, as in classification. The pyramid's come from torch's global
        generator.
    load_weights
        Called with the whole timm network, to put pre-trained weights into it.

    Returns
    -------
    nn.Module
        Maps float (B, channels, H, W), H and W multiples of `multiple`, to an ordered dict of maps;
        has `out_channels`.

    Raises
    ------
    ConfigError
        If the network cannot give maps of the recipe's strides.
    """
    from timm.layers import LayerNorm2d, freeze_batch_norm_2d

    network: Any = models.build(
        _any_size(entry),
        image_size_px=recipe.image_size_px,
        classes=1,
        drop_path=recipe.drop_path,
        seed=seed,
    )
    where = models.catalogue_entry(entry)
    if not hasattr(network, "forward_intermediates"):
        raise ConfigError(f"{where}: timm gives no intermediate maps of {entry.timm}; use another")
    load_weights(network)
    stages = {stage["reduction"]: k for k, stage in enumerate(network.feature_info)}
    channels = {stage["reduction"]: stage["num_chs"] for stage in network.feature_info}
    if len(stages) == 1:
        (stride,) = stages
        chosen = [len(network.feature_info) - 1]
        scales = _scales(stride, recipe, where)
        pyramid: nn.Module = SimplePyramid(channels[stride], recipe.pyramid_channels, scales)
        norms: list[nn.Module] = [nn.Identity()]
    else:
        if missing := [wanted for wanted in recipe.strides if wanted not in stages]:
            raise ConfigError(
                f"{where}: no stage has stride {missing[0]}; possible are"
                f" {', '.join(map(str, stages))}"
            )
        stride = max(stages)
        chosen = [stages[wanted] for wanted in recipe.strides]
        # transformers' stages end without a norm; Swin's own detectors add one to each
        plain = not isinstance(getattr(network, "norm", None), nn.LayerNorm)
        widths = [channels[wanted] for wanted in recipe.strides]
        norms = [nn.Identity() if plain else LayerNorm2d(width) for width in widths]
        pyramid = FeaturePyramidNetwork(widths, recipe.pyramid_channels, LastLevelMaxPool())
    network.prune_intermediate_layers(chosen, prune_norm=len(stages) > 1, prune_head=True)
    multiple = math.lcm(stride, recipe.strides[-1])
    frozen = freeze_batch_norm_2d(network)
    return Backbone(frozen, norms, pyramid, chosen, recipe=recipe, multiple=multiple)


def _scales(stride: int, recipe: DetectionRecipe, where: str) -> list[float]:
    """Return the pyramid's resolutions relative to maps of a stride; ConfigError if impossible."""
    scales = [stride / wanted for wanted in recipe.strides]
    if odd := [scale for scale in scales if scale not in PYRAMID_SCALES]:
        raise ConfigError(
            f"{where}: strides = {list(recipe.strides)} ask for {odd[0]:g} times the resolution of"
            f" maps of stride {stride}; possible are"
            f" {', '.join(f'{stride / scale:g}' for scale in PYRAMID_SCALES)}"
        )
    return scales


class Backbone(nn.Module):
    """A network and the pyramid on it.

    Attributes
    ----------
    out_channels
        Of every map.
    multiple
        Of which the sides of the images must be.
    """

    def __init__(
        self,
        network: nn.Module,
        norms: list[nn.Module],
        pyramid: nn.Module,
        stages: list[int],
        *,
        recipe: DetectionRecipe,
        multiple: int,
    ) -> None:
        super().__init__()
        self.network: Any = network
        self.norms, self.pyramid = nn.ModuleList(norms), pyramid
        self.stages, self.strides, self.multiple = stages, recipe.strides, multiple
        self.out_channels = recipe.pyramid_channels

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Return the maps of a batch by stride, finest first, and a coarser one named pool."""
        one = len(self.stages) == 1  # of a plain network: normalised as before its classifier
        found = self.network.forward_intermediates(
            images, indices=self.stages, norm=one, intermediates_only=True
        )
        given = [norm(each) for norm, each in zip(self.norms, found, strict=True)]
        if one:
            given = self.pyramid(given[0])
        named = OrderedDict(zip(map(str, self.strides), given, strict=True))
        if one:
            named["pool"] = functional.max_pool2d(given[-1], 1, 2)
            return named
        maps: OrderedDict[str, Tensor] = self.pyramid(named)
        return maps

    def no_weight_decay(self) -> set[str]:
        """Return the parameters that the network exempts from weight decay."""
        named: Callable[[], set[str]] = getattr(self.network, "no_weight_decay", set)
        return {f"network.{name}" for name in named()}


class SimplePyramid(nn.Module):
    """Maps of several resolutions from one: deconvolutions, nothing, or pooling, then convolutions.

    ViTDet's (Li et al. 2022, arXiv:2203.16527, section 3), with LayerNorm over channels.

    Parameters
    ----------
    channels, out_channels
        Of the given map and of the result.
    scales
        Resolutions relative to the given map, of `PYRAMID_SCALES`.
    """

    def __init__(self, channels: int, out_channels: int, scales: list[float]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branch(channels, out_channels, scale) for scale in scales)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Return the maps in the order of the scales."""
        return [branch(features) for branch in self.branches]


def _branch(channels: int, out_channels: int, scale: float) -> nn.Sequential:
    from timm.layers import LayerNorm2d

    layers: list[nn.Module] = []
    width = channels
    if scale == 0.5:
        layers.append(nn.MaxPool2d(2))
    for step in range(round(math.log2(max(scale, 1)))):
        if step:
            layers += [LayerNorm2d(width), nn.GELU()]
        layers.append(nn.ConvTranspose2d(width, width // 2, 2, stride=2))
        width //= 2
    return nn.Sequential(
        *layers,
        nn.Conv2d(width, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )


def _any_size(entry: ModelEntry) -> ModelEntry:
    """Return the entry with timm's arguments for images of other sizes, where it needs some.

    A Swin's windows are then shifted in every stage, also where those of its pre-training filled a
    stage.
    """
    import timm

    family = timm.model_entrypoint(entry.timm).__module__ if timm.is_model(entry.timm) else ""
    flags = {
        "timm.models.vision_transformer": {"dynamic_img_size": True},
        "timm.models.swin_transformer": {"dynamic_img_size": True, "always_partition": True},
    }
    more = flags.get(family, {})
    return entry.model_copy(update={"arguments": {**entry.arguments, **more}})
