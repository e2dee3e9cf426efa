"""Published weights become a start for fine-tuning, under the names of the installed timm."""

import argparse
import json

import pytest
import timm
import torch
from train.tiny_training import everything_random, finetune

from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import ModelEntry, PublishedWeights
from fdsl.train import models, weights
from fdsl.train.import_weights import import_weights
from fdsl.train.weights import WeightsMismatch

VIT = ModelEntry(
    timm="vit_tiny_patch16_224",
    arguments={"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "in_chans": 1},
)
SWIN = ModelEntry(
    timm="swin_tiny_patch4_window7_224",
    arguments={"embed_dim": 12, "depths": [1, 1, 1], "num_heads": [1, 2, 3], "window_size": 4},
)
RESNET = ModelEntry(timm="resnet18")


def published(**changes):
    values = {
        "title": "Stripes, the authors' weights",
        "pretraining": "stripes",
        "model": "tiny",
        "file": "published.pth.tar",
        "sha256": None,
        "page": "https://example.org/weights",
        "classes": 5,
        "image_size_px": 32,
        "mean": 0.5,
        "std": 0.5,
        "licence": "none stated",
        "source": "a page",
    }
    return PublishedWeights(**(values | changes))


def network(model, *, classes=5, side=32, seed=1):
    made = models.build(model, image_size_px=side, classes=classes, drop_path=0.0, seed=seed)
    return made.eval()


def run(folder, model, content, *, zipped=True, **changes):
    """Publish `content`, import it, and return what its record says."""
    entry = published(**changes)
    file = folder / entry.file
    if content is not None:
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
    out = folder / "out" / "model.safetensors"
    how = {"name": "authors_stripes", "model": model, "code": "abc"}
    return import_weights(entry, file=file, out=out, **how)


def assert_adopted(folder, source, side=32):
    first = next(m for m in source.modules() if isinstance(m, torch.nn.Conv2d))
    images = torch.randn(2, first.in_channels, side, side)
    loaded = timm.create_model(f"local-dir:{folder / 'out'}", pretrained=True).eval()
    with torch.no_grad():
        assert torch.equal(loaded(images), source(images))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_checkpoint_of_timms_saver_is_adopted(tmp_path, zipped):
    source = network(VIT)
    state = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    content = {"state_dict": state, "epoch": 89, "args": argparse.Namespace(lr=1e-3)}
    record = run(tmp_path, VIT, content, zipped=zipped)
    assert_adopted(tmp_path, source)
    assert (record["pretraining"], record["dataset"]) == ("authors_stripes", "stripes")
    assert record["inputs"] == {"published.pth.tar": digest(tmp_path / "published.pth.tar")}
    assert record["result"]["layout"] == "state_dict"
    assert record["result"]["stated_in_file"] == {"epoch": 89, "args": {"lr": 1e-3}}
    assert (record["result"]["renamed"], record["result"]["dropped"]) == ({}, [])
    card = (tmp_path / "out" / "README.md").read_text()
    for words in [
        "published.pth.tar",
        "none stated",
        "https://example.org/weights",
        "5 classes",
        record["inputs"]["published.pth.tar"],
    ]:
        assert words in card, words


def test_representation_layers_of_old_networks_are_dropped_and_reported(tmp_path, caplog):
    source = network(VIT)
    old = {
        **source.state_dict(),
        "pre_logits.fc.weight": torch.ones(3),
        "pre_logits.fc.bias": torch.ones(1),
    }
    record = run(tmp_path, VIT, {"model": old})
    assert_adopted(tmp_path, source)
    assert record["result"]["dropped"] == ["pre_logits.fc.bias", "pre_logits.fc.weight"]
    assert "not used by timm any more: pre_logits.fc.bias" in caplog.text
    assert "pre_logits.fc.bias" in (tmp_path / "out" / "README.md").read_text()


def test_a_linear_patch_embedding_becomes_a_convolution(tmp_path):
    source = network(VIT)
    old = source.state_dict()
    old["patch_embed.proj.weight"] = old["patch_embed.proj.weight"].flatten(1)
    run(tmp_path, VIT, old)
    assert_adopted(tmp_path, source)


def old_swin(state):
    """Return tensors under the names of the first Swin: downsampling ends a stage, the head is one
    layer, masks are stored.
    """
    stages = [(f"layers.{stage}.downsample", f"layers.{stage - 1}.downsample") for stage in (1, 2)]
    old = {}
    for name, tensor in state.items():
        new, first = next((pair for pair in stages if name.startswith(pair[0])), ("", ""))
        old[name.replace(new, first).replace("head.fc.", "head.")] = tensor
    return old | {
        "layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.int64)
    }


def test_the_first_names_of_swin_are_translated(tmp_path):
    source = network(SWIN, side=64)
    record = run(tmp_path, SWIN, {"model": old_swin(source.state_dict())}, image_size_px=64)
    assert_adopted(tmp_path, source, side=64)
    renamed = record["result"]["renamed"]
    assert renamed["layers.0.downsample.reduction.weight"] == "layers.1.downsample.reduction.weight"
    assert renamed["layers.1.downsample.reduction.weight"] == "layers.2.downsample.reduction.weight"
    assert renamed["head.weight"] == "head.fc.weight"
    assert record["result"]["dropped"] == ["layers.0.blocks.0.attn.relative_position_index"]


def test_a_bare_resnet_in_the_form_before_torch_1_6_is_adopted(tmp_path):
    source = network(RESNET)
    source.bn1.running_var += 0.5
    run(tmp_path, RESNET, source.state_dict(), zipped=False)
    assert_adopted(tmp_path, source)


def test_half_precision_becomes_single(tmp_path):
    source = network(VIT).half()
    run(tmp_path, VIT, source.state_dict())
    tensors, _ = weights.read(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "values", "words"),
    [
        (
            lambda s: s | {"head_dist.weight": torch.ones(5, 32)},
            {},
            r"unknown to the network: head_dist\.weight",
        ),
        (
            lambda s: {n: t for n, t in s.items() if n != "norm.bias"},
            {},
            r"missing in the file: norm\.bias",
        ),
        (lambda s: s | {"mask_token": torch.ones(1)}, {}, r"unknown to the network: mask_token"),
        (
            lambda s: s | {"pos_embed": torch.ones(3)},
            {},
            r"timm's filter .* fails on its tensors \(IndexError",
        ),
        (
            lambda s: s,
            {"classes": 6},
            r"head\.weight \(5, 32\) for \(6, 32\).*classes.*published_weights\.yaml.*example\.org",
        ),
        (
            lambda s: s,
            {"image_size_px": 64},
            r"of another image or patch size: pos_embed \(1, 17, 32\)",
        ),
        (
            lambda s: s | {"patch_embed.proj.weight": torch.ones(32, 1, 4, 4)},
            {},
            r"another image or patch size: patch_embed",
        ),
    ],
)
def test_what_does_not_fit_stops_with_every_name_and_leaves_nothing(
    tmp_path, change, values, words
):
    with pytest.raises(WeightsMismatch, match=words):
        run(tmp_path, VIT, change(network(VIT).state_dict()), **values)
    assert not (tmp_path / "out").exists()


def test_a_wrong_digest_stops(tmp_path):
    with pytest.raises(DamagedFile, match=r"published\.pth\.tar has sha256"):
        run(tmp_path, VIT, network(VIT).state_dict(), sha256="0" * 64)


def test_adopting_twice_leaves_equal_bytes(tmp_path):
    content = {"model": network(VIT).state_dict()}
    records = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        records.append(run(tmp_path / folder, VIT, content))
    for name in ("model.safetensors", "README.md", "config.json"):
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()
    assert records[0] == records[1]


def test_a_finetuning_starts_from_adopted_weights(tmp_path, entry):
    source = network(entry, side=16)
    run(tmp_path, entry, {"model": source.state_dict()}, image_size_px=16)
    start = tmp_path / "out" / "model.safetensors"
    changes = {"pretraining": "authors_stripes", "weights": start}
    finetune(tmp_path / "ft", recipe=everything_random(epochs=1), **changes)
    record = json.loads((tmp_path / "ft" / "record.json").read_text())
    assert record["pretraining"] == "authors_stripes"
