"""Verbs of the workflow that no other test reaches through the command line."""

import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from fdsl.cli import app
from fdsl.io import storage
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.yaml_files import read_yaml, workflow_folder
from fdsl.train import models
from fdsl.workflow.load import load
from fdsl.workflow.plan import Plan

NAME = "authors_visualatom1k"


def adopt(folder):
    user = read_yaml(workflow_folder().parent / "config.yaml") | {"data_root": str(folder)}
    plan = Plan(load(user))
    order = json.loads(plan.orders.adoption("laptop", NAME))
    verb = [
        "adopt-weights",
        "--order",
        json.dumps(order),
        "--code",
        "abc",
        "--data",
        plan.sources.weights(NAME),
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
    assert {Path(name).name for name in record["outputs"]} == {
        "model.safetensors",
        "config.json",
        "README.md",
    }
    names = {"model.safetensors", "record.json", "config.json", "README.md"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


SPEC = {
    "dataset": {"formula": "rcdb", "classes": 2, "instances": 1, "settings": {"image_size_px": 24}},
    "seed": 0,
    "images": "shards",
}


def run(verb, spec, *arguments):
    order = ["--order", json.dumps(spec), "--code", "abc"]
    return CliRunner().invoke(app, [verb, *order, *map(str, arguments)])


def test_parameters_that_are_not_those_of_their_digest_are_not_drawn(tmp_path):
    parameters, shard = tmp_path / "rcdb1k.parquet", tmp_path / "shard-0000.arrow"
    note = ["--record", tmp_path / "x.record.json"]
    given = [*note, "--out", parameters, "--digest", parameters.with_suffix(".json")]
    assert run("sample-parameters", SPEC, *given).exit_code == 0
    drawn = SPEC | {"shard": 0, "shards": 1}
    asked = [
        *note,
        "--parameters",
        parameters,
        "--out",
        shard,
        "--digest",
        shard.with_suffix(".json"),
    ]
    assert run("render-shard", drawn, *asked).exit_code == 0
    storage.require_digest(shard, digest_file=shard.with_suffix(".json"))
    shard.unlink()

    other = [*note, "--out", parameters, "--digest", tmp_path / "other.json"]
    assert run("sample-parameters", SPEC | {"seed": 1}, *other).exit_code == 0
    refused = run("render-shard", drawn | {"seed": 1}, *asked)
    assert isinstance(refused.exception, DamagedFile)
    assert "delete both and run the same command again" in str(refused.exception)
    assert not shard.exists()
