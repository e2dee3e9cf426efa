"""Networks: timm's, made from a catalogue entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

GIVEN_BY_RECIPE = ("num_classes", "drop_path_rate")


def build(
    entry: ModelEntry,
    *,
    image_size_px: int,
    classes: int,
    drop_path: float,
    seed: int,
    any_size: bool = False,
) -> nn.Module:
    """Make a network with weights that depend on the seed alone.

    Parameters
    ----------
    entry
        Name and arguments of a timm network. `in_chans` among the arguments sets the image channels
        (3 if absent).
    image_size_px
        Side of the square that the network will see; given to networks that are made for one size.
    classes
        Outputs of the head; 0 = no head, the network gives its features.
    drop_path
        Stochastic depth of the last block, 0 to 1.
    seed
        Root seed; the global torch generator is left as it was.
    any_size
        Whether the network takes images of other sizes as well (timm's `dynamic_img_size`, which
        resamples the position embedding at each call). The tensors are the same ones.

    Raises
    ------
    ConfigError
        If timm does not know the network or an argument, or if the entry sets what the recipe
        decides.
    """
    import timm

    where = _where(entry)
    if not timm.is_model(entry.timm):
        near = ", ".join(timm.list_models(f"*{entry.timm[:6]}*")[:5]) or "none similar"
        raise ConfigError(f"{where}: timm = {entry.timm!r} is unknown to timm. Similar: {near}.")
    given = arguments(entry, image_size_px)
    if any_size and "img_size" in given:
        given["dynamic_img_size"] = True
    if drop_path > 0:
        given["drop_path_rate"] = drop_path
    with torch.random.fork_rng():
        state = tree.sequence(seed, 0, 0, 0, Stage.INITIALISE).generate_state(1, "uint64")
        torch.manual_seed(int(state[0]))
        try:
            return timm.create_model(entry.timm, num_classes=classes, **given)
        except (TypeError, AssertionError) as error:
            raise ConfigError(f"{where}: arguments = {given}: {error}") from error


def channels(entry: ModelEntry) -> int:
    """Return how many channels the network's images have."""
    return int(entry.arguments.get("in_chans", 3))


def choose_attention(model: nn.Module, *, device: torch.device, precision: str) -> None:
    """Take the fastest attention kernel, in place: torch's fused one, but plain products for half
    precision on a CPU.

    There the fused kernel's backward pass is slow: a ViT of 4 blocks trains about twice as fast
    without it.
    """
    if device.type != "cpu" or precision == "fp32":
        return
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False


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

    where = _where(entry)
    stated: Mapping[str, Any] = entry.arguments
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


def _where(entry: ModelEntry) -> str:
    return f"workflow/catalog/models.yaml: {entry.title}"
