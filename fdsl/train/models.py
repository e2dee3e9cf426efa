"""Networks: timm's, made from a catalogue entry, and the kernels that they run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import PositionStart
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage
from fdsl.train import Devices

GIVEN_BY_RECIPE = ("num_classes", "drop_path_rate")


def build(
    entry: ModelEntry,
    *,
    image_size_px: int,
    classes: int,
    drop_path: float = 0.0,
    seed: int = 0,
    any_size: bool = False,
    position_start: PositionStart = "random",
) -> nn.Module:
    """Make a network with weights that depend on the seed alone.

    Parameters
    ----------
    entry
        Name and arguments of a timm network. `in_chans` among the arguments sets the image channels
        (3 if absent).
    image_size_px
        Side of the square images; given to networks that are made for one size.
    classes
        Outputs of the head; 0 = no head, the network gives its features.
    drop_path
        Stochastic depth of the last block, 0 to 1.
    seed
        Root seed; the global torch generator is left as it was.
    any_size
        Whether the network takes images of other sizes as well (timm's `dynamic_img_size`, which
        resamples the position embedding at each call). The tensors are the same ones.
    position_start
        What a learnt position embedding begins with; see `start_with_sin_cos`.

    Raises
    ------
    ConfigError
        If timm does not know the network or an argument, if the entry sets what the recipe
        decides, or if the network has no position embedding to start as the recipe says.
    """
    import timm

    where = catalogue_entry(entry)
    if not timm.is_model(entry.timm):
        near = ", ".join(timm.list_models(f"*{entry.timm[:6]}*")[:5]) or "none similar"
        raise ConfigError(f"{where}: timm = {entry.timm!r} is unknown to timm. Similar: {near}.")
    given = arguments(entry, image_size_px)
    if any_size and "img_size" in given:
        given["dynamic_img_size"] = True
    if drop_path > 0:
        given["drop_path_rate"] = drop_path
    with torch.random.fork_rng():
        seed_initialisation(seed, 0, 0, 0)
        try:
            made: nn.Module = timm.create_model(entry.timm, num_classes=classes, **given)
        except (TypeError, AssertionError) as error:
            raise ConfigError(f"{where}: arguments = {given}: {error}") from error
    if position_start == "sin_cos":
        start_with_sin_cos(made, where=where)
    return made


@torch.no_grad()
def start_with_sin_cos(model: nn.Module, *, where: str) -> None:
    """Start the position embedding with sines and cosines of rows and columns; it is still trained.

    The values are timm's (`build_sincos2d_pos_embed`, temperature 10,000); the positions of class
    and register tokens start with zeros, as in MAE (arXiv:2111.06377).

    Raises
    ------
    ConfigError
        If the network has no learnt position embedding of its patches, or one whose width is no
        multiple of 4.
    """
    from timm.layers import build_sincos2d_pos_embed

    network: Any = model
    embedding = getattr(network, "pos_embed", None)
    grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    if not isinstance(embedding, nn.Parameter) or grid is None or embedding.shape[-1] % 4:
        raise ConfigError(
            f"{where}: position_start = sin_cos needs a learnt position embedding with a width"
            " that is a multiple of 4; use random"
        )
    patches = build_sincos2d_pos_embed(list(grid), dim=embedding.shape[-1])
    embedding.zero_()
    embedding[:, -len(patches) :] = patches


def seed_initialisation(seed: int, *branch: int) -> None:
    """Seed torch's global generator for the fresh weights of one part of a network."""
    key = tree.sequence(seed, *branch, Stage.INITIALISE)
    torch.manual_seed(int(key.generate_state(1, "uint64")[0]))


def channels(entry: ModelEntry) -> int:
    """Return how many channels the network's images have."""
    return int(entry.arguments.get("in_chans", 3))


def parameter_count(model: nn.Module) -> int:
    """Return the number of trained scalars."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def arguments(entry: ModelEntry, image_size_px: int) -> dict[str, Any]:
    """Return create_model's arguments without the recipe's number of classes and drop_path.

    Raises
    ------
    ConfigError
        If the entry sets what the dataset or the recipe decides.
    """
    import timm.models

    where, stated = catalogue_entry(entry), entry.arguments
    taken = [name for name in GIVEN_BY_RECIPE if name in stated]
    if taken:
        raise ConfigError(
            f"{where}: {', '.join(taken)} comes from the dataset or the recipe; remove it"
        )
    if stated.get("img_size", image_size_px) != image_size_px:
        raise ConfigError(
            f"{where}: img_size = {stated['img_size']} contradicts the recipe's image_size_px ="
            f" {image_size_px}; remove img_size"
        )
    published = timm.models.get_pretrained_cfg(entry.timm)
    fixed = published is not None and published.fixed_input_size
    return {**stated, "img_size": image_size_px} if fixed else dict(stated)


def catalogue_entry(entry: ModelEntry) -> str:
    """Return what an error about an entry begins with."""
    return f"workflow/catalog/models.yaml: {entry.title or entry.timm}"


def choose_attention(model: nn.Module, *, device: torch.device, precision: str) -> None:
    """Take the fastest attention kernel, in place.

    torch's fused one, but plain products for half precision on a CPU, where the backward pass of
    the fused kernel is slow: a ViT of 4 blocks trains about twice as fast without it.
    """
    if device.type != "cpu" or precision == "fp32":
        return
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            setattr(module, "fused_attn", False)  # noqa: B010 nn.Module types all as tensors


class PatchProduct(nn.Conv2d):
    """A convolution with adjacent kernels as one matrix product; parameters keep their names."""

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, D, H / h, W / w) for kernels of h × w that tile the image."""
        (height, width), (batch, channels, *sides) = self.kernel_size, images.shape
        rows, columns = sides[0] // height, sides[1] // width
        parts = images.reshape(batch, channels, rows, height, columns, width)
        patches = parts.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns, -1)
        embedded = functional.linear(patches, self.weight.flatten(1), self.bias)
        return embedded.transpose(1, 2).reshape(batch, -1, rows, columns)


def choose_patches(model: nn.Module, *, device: torch.device, image_size_px: int) -> None:
    """Make a network's patch embedding a matrix product, in place, where it is faster: on a CPU.

    The backward pass of a strided convolution of one channel costs a CPU eight times what the
    product's does, a fifteenth of an update of the laptop scale's network. Results differ in
    rounding only. Convolutions whose kernels overlap, are padded, or do not tile the image are left
    alone, and so is everything on a GPU.
    """
    if device.type != "cpu":
        return
    for module in model.modules():
        convolution = getattr(module, "proj", None)
        if type(convolution) is nn.Conv2d and _tiles(convolution, image_size_px):
            convolution.__class__ = PatchProduct


def _tiles(convolution: nn.Conv2d, side: int) -> bool:
    """Say whether the kernels tile an image of `side` × `side` pixels exactly."""
    return (
        convolution.stride == convolution.kernel_size
        and convolution.padding == (0, 0)
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
        and all(side % size == 0 for size in convolution.kernel_size)
    )


def compiler(devices: Devices) -> Callable[[nn.Module], nn.Module]:
    """Return the function that compiles a network, or the identity if `devices.compile` is off.

    The network that comes in keeps its modules and the names of its tensors, so checkpoints and
    weights are the same with and without; only the result runs compiled. Dropout and stochastic
    depth draw what they draw without compilation: the default backend would otherwise use a
    generator of its own, and results would differ by more than rounding.

    Compilation happens in the first update: from ten seconds to minutes. Where the backend cannot
    work (inductor needs a C++ compiler on a CPU), that update fails with torch's message.
    """
    backend = devices.compile_backend
    options: Any = {"fallback_random": True} if backend == "inductor" else None

    def compiled(network: nn.Module) -> nn.Module:
        if not devices.compile:
            return network
        if isinstance(network, DistributedDataParallel):
            network.compile(backend=backend, options=options)  # in place: its type must stay
            return network
        wrapped: Any = torch.compile(network, backend=backend, options=options)
        return wrapped  # type: ignore[no-any-return]

    return compiled
