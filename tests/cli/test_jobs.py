"""Verbs of the workflow that no other test reaches through the command line."""

import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from fdsl.catalog import ModelEntry
from fdsl.cli import app
from fdsl.config import load, workflow_folder
from fdsl.plan import Plan
from fdsl.train import models
from fdsl.yaml_files import read_yaml

NAME = "authors_visualatom1k"


def adopt(folder):
    user = read_yaml(workflow_folder().parent / "config.yaml") | {"data_root": str(folder)}
    plan = Plan(load(user))
    order = json.loads(plan.adoption("laptop", NAME))
    verb = [
        "adopt-weights",
        "--order",
        json.dumps(order),
        "--code",
        "abc",
        "--data",
        plan.weights(NAME),
    ]
    where = ["--weights", folder / "out/model.safetensors", "--record", folder / "out/record.json"]
    return CliRunner().invoke(app, [str(part) for part in [*verb, *where]]), order


def test_adopt_weights_leaves_a_pretraining(tmp_path):
    missing, order = adopt(tmp_path)
    assert "drive.google.com" in str(missing.exception)
    assert not (tmp_path / "out").exists()

    model = ModelEntry.model_validate(order["model"])
    network = models.build(model, image_size_px=224, classes=1000, drop_path=0.0, seed=0)
    (tmp_path / "weights").mkdir()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "weights" / order["entry"]["file"])
    done, _ = adopt(tmp_path)
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert (record["kind"], record["run"], record["code"]) == ("released", NAME, "abc")
    assert record["order"] == order
    assert {Path(name).name for name in record["outputs"]} == {"model.safetensors", "config.json", "README.md"}  # fmt: skip
    names = {"model.safetensors", "record.json", "config.json", "README.md"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
