"""A finished pre-training is a folder that timm itself loads, with a card that says what it is."""

import json
import re
from dataclasses import replace

import pytest
import timm
import torch
import yaml
from oracles.rendered_markdown import rendered
from train.tiny_training import CARD, everything_random, finetune, pretrain, recipe

from fdsl.augment.crop import EvalTransform
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.yaml_files import catalog, workflow_folder
from fdsl.train import model_card, models, weights

ENTRIES = catalog(workflow_folder(), "models", ModelEntry)
SMALL_SWIN = ModelEntry(
    timm="swin_tiny_patch4_window7_224",
    arguments={"embed_dim": 12, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
)
SMALL_RESNET = ModelEntry(timm="resnet18", arguments={"in_chans": 1})


def leave(folder, entry, *, side, classes=7, mean=0.5, std=0.25):
    """Leave what a pre-training does and return the network, in evaluation mode."""
    network = models.build(entry, image_size_px=side, classes=classes, drop_path=0.1, seed=1)
    weights.save(folder / "model.safetensors", network, metadata={"run": "test"})
    images = everything_random(image_size_px=side, mean=mean, std=std)
    about = model_card.config(network, entry=entry, images=images, licence="mit")
    model_card.write(folder, config=about, card="card")
    return network.eval()


@pytest.mark.parametrize(
    ("entry", "side"),
    [(ENTRIES["vit_micro"], 32), (ENTRIES["vit_tiny"], 224), (SMALL_SWIN, 32), (SMALL_RESNET, 40)],
    ids=["vit_micro", "vit_tiny", "swin", "resnet"],
)
def test_timm_makes_the_same_network_from_the_folder(tmp_path, entry, side):
    network = leave(tmp_path, entry, side=side)
    channels = models.channels(entry)
    images = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    with torch.no_grad():
        assert torch.equal(network(images), theirs(images))
    assert theirs.pretrained_cfg["input_size"] == (channels, side, side)

    fresh = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=10).eval()
    with torch.no_grad():
        assert fresh(images).shape == (2, 10)
        assert torch.equal(network.forward_features(images), fresh.forward_features(images))
    assert timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0).num_features


def test_timm_prepares_images_as_our_evaluation_does(tmp_path):
    micro = ENTRIES["vit_micro"]
    gray = micro.model_copy(update={"arguments": micro.arguments | {"in_chans": 1}})
    leave(tmp_path, gray, side=32, mean=0.25, std=0.5)
    network = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    data = timm.data.resolve_model_data_config(network)
    assert data["input_size"] == (1, 32, 32)
    assert (list(data["mean"]), list(data["std"]), data["crop_pct"]) == ([0.25], [0.5], 1.0)
    leave(tmp_path, ENTRIES["vit_tiny"], side=224, mean=(0.1, 0.2, 0.3))
    network = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    data = timm.data.resolve_model_data_config(network)
    assert (list(data["mean"]), list(data["std"])) == ([0.1, 0.2, 0.3], [0.25] * 3)
    assert int(224 / data["crop_pct"]) == EvalTransform(recipe_of(224)).short_side
    stated = recipe_of(224).model_copy(update={"eval_crop": 0.9})
    found = model_card.config(network, entry=ENTRIES["vit_tiny"], images=stated, licence="MIT")
    assert found["pretrained_cfg"]["crop_pct"] == 0.9


def recipe_of(side):
    return everything_random(image_size_px=side)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    pretrain(folder, recipe=everything_random(epochs=2))
    return folder


def test_a_finished_pretraining_is_loaded_by_timm(folder):
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True)
    tensors, _ = weights.read(folder / "model.safetensors")
    assert loaded.state_dict().keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[n]) for n, tensor in loaded.state_dict().items())


def test_the_card_says_what_the_weights_are(folder):
    card = (folder / "README.md").read_text()
    head, body = card.removeprefix("---\n").split("---\n", maxsplit=1)
    assert yaml.safe_load(head)["library_name"] == "timm"
    for words in [
        "# tiny, pre-trained on Stripes",
        "> tiny scale: seconds",
        "Stripes (stripes), 4 classes, 50 images",
        "13 images of each category",
        '"step": 4',
        "| Root seed of the images | 7 |",
        "| Seed | 3 |",
        "moving average, decay 0.9",
        "| Updates | 6 of 16 images |",
        "| lr | 0.002 |",
        "| mixup | 0.8 |",
        "`abc`",
        "not for comparison",
        "MIT",
        "num_classes=10",
        "gray images of 16 × 16 px",
        "(pixel - 0.5) / 0.5",
    ]:
        assert words in body, words
    result = json.loads((folder / "record.json").read_text())["result"]
    assert f"{result['final_loss']:.4g}" in body


EVIL = (
    "a </p><script>alert(1)</script> ![x](http://127.0.0.1/x) [y](javascript:alert(1)) `id` |"
    " b\n\n---\nlicense: evil\n# h\n\x1b[2J\x1b]0;owned\x07\u202e"
)


def test_words_of_others_stay_words():
    about = {"pretrained_cfg": {"input_size": [3, 16, 16], "mean": [0.5], "std": [0.5]}}
    rows = {"title": EVIL, "file": model_card.InlineCode(EVIL), EVIL: EVIL}
    card = model_card.page(
        title=EVIL, banner=EVIL, licence=EVIL, parts={"Data": model_card.table(rows)}, about=about
    )
    _, head, body = card.split("---\n", maxsplit=2)
    assert yaml.safe_load(head)["license"] == "other"
    seen = rendered(body)
    assert not seen.tags & {"script", "img", "a", "hr"}
    assert seen.text.count("<script>alert(1)</script>") == 7
    assert not {"\x1b", "\x07", "\u202e"} & set(card)
    assert len([line for line in body.splitlines() if line.startswith("|")]) == 2 + len(rows)
    assert "\n# h" not in body


def test_the_instructions_of_the_card_work(folder):
    card = (folder / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    exec(code.replace("FOLDER", str(folder)), {})  # noqa: S102 it is our own


def test_equal_trainings_leave_equal_bytes(folder, tmp_path):
    pretrain(tmp_path, recipe=everything_random(epochs=2))
    for name in ("README.md", "config.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_comparable_scale_carries_no_warning(tmp_path):
    card_text = replace(CARD, comparable=True, banner="paper scale: the published budget")
    pretrain(tmp_path, recipe=everything_random(epochs=1), card=card_text)
    card = (tmp_path / "README.md").read_text()
    assert "not for comparison" not in card
    assert "> paper scale: the published budget" in card


def test_the_card_of_real_pictures_names_their_terms_and_no_formula(tmp_path):
    card_text = replace(CARD, synthetic=None, terms="for research only")
    pretrain(tmp_path, recipe=everything_random(epochs=1), card=card_text)
    card = (tmp_path / "README.md").read_text()
    assert "license: other" in card
    assert "the images' terms apply: for research only" in card
    assert "ormula" not in card.replace("formula-driven", "")


def test_a_finetuning_leaves_no_card(tmp_path):
    finetune(tmp_path, recipe=everything_random(epochs=1))
    assert (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "README.md").exists()


def test_normalisation_of_each_image_is_told_since_timm_knows_none(tmp_path):
    pretrain(tmp_path, recipe=recipe(normalisation="per_image"))
    config = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    assert (config["mean"], config["std"]) == ([0.0], [1.0])
    card = (tmp_path / "README.md").read_text()
    assert (
        "as (pixel - mean) / (std + 0.001), with mean and standard deviation of each image" in card
    )
