"""Detectors on networks of every kind: strides, sizes, channels, weights."""

import pytest
import torch
from torch import nn
from train.detection import tiny_detection as tiny

from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.train import models, weights
from fdsl.train.detection import network
from fdsl.train.detection.backbone import backbone
from fdsl.train.weights import WeightsMismatch

SWIN = ModelEntry(
    timm="swin_tiny_patch4_window7_224",
    arguments={"embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 1, 2, 2], "window_size": 4},
)
RESNET = ModelEntry(timm="resnet18", arguments={"in_chans": 1})
WIDE = {"strides": (4, 8, 16, 32)}


def built(entry, *, seed=0, start=None, **changes):
    def load_weights(below):
        if start is not None:
            weights.load(below, start)

    return network.build(
        entry, recipe=tiny.recipe(**changes), classes=2, seed=seed, load_weights=load_weights
    )


def pictures(channels, *sizes):
    return [torch.full((channels, h, w), 99, dtype=torch.uint8) for h, w in sizes]


@pytest.mark.parametrize(
    ("entry", "changes"),
    [(tiny.ENTRY, {}), (SWIN, WIDE), (RESNET, WIDE)],
    ids=["vit", "swin", "resnet"],
)
def test_maps_have_the_strides_of_the_recipe_at_any_size(entry, changes):
    recipe = tiny.recipe(**changes)
    base = backbone(entry, recipe=recipe, seed=0, load_weights=nn.Module.train)
    channels = models.channels(entry)
    with torch.no_grad():
        for height, width in ((64, 64), (96, 32)):
            maps = base(torch.zeros(2, channels, height, width))
            strides = [*recipe.strides, 2 * recipe.strides[-1]]
            assert list(maps) == [*map(str, recipe.strides), "pool"]
            for stride, each in zip(strides, maps.values(), strict=True):
                assert each.shape == (2, 8, -(-height // stride), -(-width // stride))
    assert base.multiple == (32 if changes else 8)


@pytest.mark.parametrize(
    ("entry", "changes"),
    [(tiny.ENTRY, {}), (SWIN, WIDE), (RESNET, WIDE)],
    ids=["vit", "swin", "resnet"],
)
def test_every_parameter_learns_from_pictures_of_several_sizes(entry, changes):
    detector = built(entry, **changes)
    channels = models.channels(entry)
    masks = torch.zeros(1, 30, 50, dtype=torch.uint8)
    masks[0, 5:25, 10:30] = 1
    targets = [
        {"boxes": torch.tensor([[10.0, 5, 30, 25]]), "labels": torch.tensor([2]), "masks": masks},
        {
            "boxes": torch.zeros(0, 4),
            "labels": torch.zeros(0, dtype=torch.int64),
            "masks": torch.zeros(0, 40, 33, dtype=torch.uint8),
        },
    ]
    loss = detector(pictures(channels, (30, 50), (40, 33)), targets)
    assert loss.shape == ()
    loss.backward()
    idle = [n for n, p in detector.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle
    frozen = [n for n, _ in detector.named_parameters() if ".bn" in n]
    assert not frozen  # BatchNorm has no parameters left to train


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    one = built(tiny.ENTRY).state_dict()
    state = torch.get_rng_state()
    again, other = built(tiny.ENTRY).state_dict(), built(tiny.ENTRY, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], again[name]) for name in one)
    drawn = [name for name in one if one[name].ndim > 1]
    assert sum(torch.equal(one[name], other[name]) for name in drawn) == 0


def test_pre_trained_weights_come_into_the_network_and_nowhere_else(tmp_path):
    pretrained = models.build(tiny.ENTRY, image_size_px=16, classes=7, drop_path=0.0, seed=5)
    weights.save(tmp_path / "m.safetensors", pretrained, metadata={})
    fresh, started = built(tiny.ENTRY), built(tiny.ENTRY, start=tmp_path / "m.safetensors")
    ours, theirs, given = started.state_dict(), fresh.state_dict(), pretrained.state_dict()
    inside = "network.backbone.network."
    same = [n for n in ours if torch.equal(ours[n], theirs[n])]
    assert [n for n in ours if not n.startswith(inside) and n not in same] == []
    taken = [n.removeprefix(inside) for n in ours if n.startswith(inside)]
    assert set(given) - set(taken) == {"head.weight", "head.bias"}
    for name in taken:
        if name != "pos_embed":  # 2 × 2 patches there, 4 × 4 here
            assert torch.equal(ours[inside + name], given[name])
    assert not torch.equal(ours[f"{inside}pos_embed"], theirs[f"{inside}pos_embed"])


def test_weights_of_another_network_are_refused_with_every_key(tmp_path):
    path = tmp_path / "m.safetensors"
    pretrained = models.build(tiny.ENTRY, image_size_px=16, classes=7, drop_path=0.0, seed=5)
    del pretrained.blocks[1].attn.qkv.bias
    pretrained.register_parameter("extra", nn.Parameter(torch.zeros(2)))
    weights.save(path, pretrained, metadata={})
    with pytest.raises(WeightsMismatch) as raised:
        built(tiny.ENTRY, start=path)
    for word in ("missing in the file: blocks.1.attn.qkv.bias", "unknown to the network: extra"):
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "strides", "words"),
    [
        (tiny.ENTRY, (1, 2), ["strides = [1, 2]", "8 times", "2, 4, 8, 16"]),
        (RESNET, (1, 2), ["no stage has stride 1", "2, 4, 8, 16, 32"]),
    ],
)
def test_strides_that_the_network_does_not_have_are_named(entry, strides, words):
    with pytest.raises(ConfigError) as raised:
        built(entry, strides=strides)
    assert all(word in str(raised.value) for word in words)


def test_detections_lie_in_the_picture_at_its_own_size():
    detector = built(tiny.ENTRY, short_sides_px=(64,)).eval()
    with torch.no_grad():
        (found,) = detector(pictures(1, (30, 50)))
    assert found["masks"].shape == (5, 1, 30, 50)
    assert found["boxes"].min() >= 0
    assert (found["boxes"].max(0).values <= torch.tensor([50, 30, 50, 30])).all()


def test_a_colour_per_channel_for_a_gray_network_is_refused():
    with pytest.raises(ValueError, match="has three values, the network 1 channel"):
        built(tiny.ENTRY, mean=(0.1, 0.2, 0.3))
