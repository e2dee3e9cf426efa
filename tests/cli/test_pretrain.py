"""The verb `pretrain` on real pictures, as a job of the workflow calls it."""

import json

import pytest
from oracles import downstream_layouts as layouts
from train.tiny_training import ENTRY, dino_recipe, recipe
from typer.testing import CliRunner

from fdsl.cli import app
from fdsl.datasets import downstream
from fdsl.io import storage
from fdsl.train import weights

WORDS = {
    "title": "Digits",
    "source": "a test",
    "terms": "CC BY 4.0",
    "model_title": "a small network",
    "banner": "a test",
    "scale_title": "test scale",
    "comparable": False,
}


def pretrain(folder, *, kind, plan):
    entry = layouts.entry("digits")
    storage.write_checksummed(folder / "digits.json", downstream.check(entry, "nowhere"))
    order = {
        "kind": kind,
        "run": "r",
        "scale": "laptop",
        "pretraining": "pictures",
        "run_seed": 0,
        "recipe": plan.model_dump(mode="json"),
        "model": ENTRY.model_dump(mode="json"),
        "train_labels": 200,
        "left_out_seeds": [0, 1],
        "pictures": 100,
        "seed": 0,
    }
    return CliRunner().invoke(
        app,
        [
            "pretrain",
            "--order",
            json.dumps(order),
            "--code",
            "abc",
            "--data",
            json.dumps({"root": "nowhere", "entry": entry.model_dump(mode="json")}),
            "--manifest",
            str(folder / "digits.json"),
            "--checkpoints",
            str(folder / "checkpoints"),
            "--about",
            json.dumps(WORDS),
            "--machine",
            '{"device": "cpu"}',
            "--threads",
            "1",
            "--weights",
            str(folder / "model.safetensors"),
            "--record",
            str(folder / "record.json"),
        ],
    )


@pytest.mark.parametrize(
    ("kind", "plan", "classes"),
    [("supervised", recipe(epochs=1), 10), ("dino", dino_recipe(epochs=1), 0)],
)
def test_real_pictures_are_pretrained_on_with_and_without_labels(tmp_path, kind, plan, classes):
    finished = pretrain(tmp_path, kind=kind, plan=plan)
    assert finished.exit_code == 0, finished.output
    found = storage.read_json(tmp_path / "record.json")
    assert (found["kind"], found["pretraining"]) == ("pretrain", "pictures")
    assert (found["result"]["classes"], found["result"]["train_images"]) == (classes, 100)
    assert list(found["inputs"]) == [str(tmp_path / "digits.json")]
    tensors, about = weights.read(tmp_path / "model.safetensors")
    assert ("head.weight" in tensors) == (kind == "supervised")
    assert about["classes"] == classes


def test_an_unknown_kind_is_refused(tmp_path):
    finished = pretrain(tmp_path, kind="contrastive", plan=recipe())
    assert finished.exit_code != 0
    assert "use synthetic, supervised or dino" in str(finished.exception)
