"""The commands of the rules, as Snakemake calls them and as somebody types them."""

import inspect
import json
from pathlib import Path

import pytest
import torch
from cli.invocation import ok, run
from workflow.configured import USER, job_table, with_scale

import fdsl
from fdsl.cli.jobs import COMMANDS
from fdsl.images import difficulty
from fdsl.io import storage
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.scale import DatasetOverride
from fdsl.train import models
from fdsl.workflow import inputs, resolved
from fdsl.workflow.rules import RULES

NAME = "authors_visualatom1k"
SHAREABLE = {"pretrain", "finetune", "probe"}  # rules that a scale may name in share_process


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_rule_has_a_command_whose_arguments_are_its_wildcards():
    assert COMMANDS.keys() == RULES.keys()
    for rule, (perform, names) in COMMANDS.items():
        single = {"runs": "run"}  # a command may perform several runs in one process
        wildcards = [name for name in RULES[rule].wildcards if name != "scale"]
        assert [single.get(name, name) for name in names] == wildcards
        assert ("runs" in names) == (rule in SHAREABLE)
        assert inspect.getdoc(perform)


@pytest.mark.parametrize("rule", RULES)
def test_every_command_explains_itself(rule, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = ok(rule.replace("_", "-"), "--help")
    for word in ("--scale", "--config", "--set", "--spec", "--threads"):
        assert word in text


def test_published_weights_become_a_pretraining(tmp_path):
    command = ["import-weights", NAME, "--scale", "laptop", "--set", f"data_root={tmp_path}"]
    missing = run_and_catch(*command)
    assert "drive.google.com" in str(missing)
    assert not Path("results").exists()

    spec = job_table().job("import_weights", scale="laptop", weights=NAME).spec
    model = ModelEntry.model_validate(spec["model"])
    network = models.build(model, image_size_px=224, classes=1000, drop_path=0.0, seed=0)
    (tmp_path / "weights").mkdir()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "weights" / spec["entry"]["file"])
    ok(*command)
    folder = Path("results/laptop/published_weights") / NAME
    record = json.loads((folder / "record.json").read_text())
    assert (record["kind"], record["run"]) == ("import_weights", NAME)
    assert record["spec"] == spec
    names = {"model.safetensors", "config.json", "README.md"}
    assert {Path(name).name for name in record["outputs"]} == names
    assert {path.name for path in folder.iterdir()} == names | {"record.json"}


def run_and_catch(*arguments):
    """Return the fault that `main` would print as one message."""
    with pytest.raises((DamagedFile, ValueError, OSError)) as caught:
        run(*arguments)
    return caught.value


def test_parameters_that_are_not_those_of_their_digest_are_not_drawn():
    sample = ["sample-parameters", "rcdb1k", "--scale", "laptop"]
    draw = ["render-shard", "rcdb1k", "0000", "--scale", "laptop"]
    parameters = Path("results/laptop/parameters/rcdb1k.parquet")
    shard = Path("results/laptop/images/rcdb1k/shard-0000.arrow")
    ok(*sample)
    ok(*draw)
    storage.require_digest(shard, digest_file=shard.with_suffix(".json"))
    shard.unlink()

    digest = parameters.with_suffix(".json").read_bytes()
    ok(*sample, "--set", "dataset_seed=1")
    parameters.with_suffix(".json").write_bytes(digest)
    refused = run_and_catch(*draw, "--set", "dataset_seed=1")
    assert isinstance(refused, DamagedFile)
    assert "delete both and run the same command again" in str(refused)
    assert not shard.exists()


def test_a_record_says_what_was_made_from_what_by_which_code_on_what_machine():
    ok("sample-parameters", "rcdb1k", "--set", "dataset_seed=3")
    job = job_table(dataset_seed=3).job("sample_parameters", scale="laptop", dataset="rcdb1k")
    record = storage.read_json(job.record)
    assert (record["kind"], record["run"], record["seed"]) == ("sample_parameters", "rcdb1k", 3)
    assert (record["spec"], record["code"], record["inputs"]) == (job.spec, job.code, {})
    assert set(record["outputs"]) == {job.outputs["parameters"], job.outputs["digest"]}
    parameters = Path(job.outputs["parameters"])
    held = record["outputs"][str(parameters)]
    assert held["bytes"] == parameters.stat().st_size
    assert held["sha256"] == storage.require_digest(parameters, digest_file=job.outputs["digest"])
    assert {"processor", "cores", "python", "numpy", "fdsl"} <= record["environment"].keys()
    assert record["started"] <= record["finished"]


@pytest.mark.parametrize("images", ["shards", "stream"])
def test_difficulty_is_that_of_the_images_as_the_scale_draws_them(images, monkeypatch):
    few = DatasetOverride(classes=4, instances=6, settings={"image_size_px": 64})
    change = {"images": images, "datasets": {"rcdb1k": few}, "shards": {"default": 2}}
    table = with_scale(job_table(), **change)
    monkeypatch.setattr("fdsl.cli.jobs.read_config", lambda *_, **__: table.config)
    ok("sample-parameters", "rcdb1k")
    if images == "shards":
        ok("render-shard", "rcdb1k", "0000")
        ok("render-shard", "rcdb1k", "0001")
    ok("difficulty", "rcdb1k")
    job = table.job("difficulty", scale="laptop", dataset="rcdb1k")
    assert inputs.difficulties(table, ["rcdb1k", "scratch"]) == [job.outputs["measure"]]
    record, found = storage.read_json(job.record), difficulty.read(job.outputs["measure"])
    assert (record["kind"], record["spec"]["side_px"]) == ("difficulty", 32)
    assert (found.gallery, found.queries, found.side_px, found.chance) == (12, 12, 32, 25)
    whole = fdsl.load("rcdb1k", classes=4, instances=6, image_size_px=64, spread_over=1000)
    assert found == difficulty.measure(whole.images, side_px=32, seed=0)


def test_difficulty_needs_two_instances(monkeypatch):
    few = DatasetOverride(classes=4, instances=1, settings={"image_size_px": 64})
    table = with_scale(job_table(), datasets={"rcdb1k": few})
    monkeypatch.setattr("fdsl.cli.jobs.read_config", lambda *_, **__: table.config)
    assert "instances = 1 must be 2 or more" in str(run_and_catch("difficulty", "rcdb1k"))


def test_the_printed_numbers_are_recorded_by_a_name_that_is_the_same_in_every_checkout():
    assert job_table().job("table", table="table3").recorded_inputs[-1] == (
        "workflow/published/tables.csv"
    )


def test_the_configuration_of_the_plan_is_that_of_its_file():
    user = job_table(dataset_seed=7, scale="workstation").config.user
    resolved.write(user)
    job = job_table(dataset_seed=7).job("sample_parameters", scale="laptop", dataset="rcdb1k")
    planned = ["--config", resolved.path(user), "--spec", job.spec_digest]
    ok("sample-parameters", "rcdb1k", "--scale", "laptop", *planned)
    assert storage.read_json(job.record)["seed"] == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample-parameters", "rcdb"], "dataset = 'rcdb' is unknown.*did you mean 'rcdb1k'"),
        (["render-shard", "../x", "0000"], "dataset = '../x' is unknown"),
        (["pretrain", "rcdb1k-vit_micro"], "is not a run key"),
        (["pretrain", "rcdb1k-vit_mirco-s0"], "did you mean 'vit_micro'"),
        (["finetune", "rcdb1k-vit_micro-s0"], "names no downstream dataset"),
        (["import-weights", "authors"], "weights = 'authors' is unknown"),
        (["table", "table99"], "no study has a table 'table99'; there are: .*table3"),
        (["figure", "figure99"], "no study has a figure 'figure99'"),
        (["compose", "digits"], "digits is not a composed dataset"),
        (["table", "table3", "--scale", "huge"], "scale = 'huge'"),
        (["table", "table3", "--set", "sedes=[1]"], "did you mean 'seeds'"),
    ],
)
def test_a_name_or_key_that_is_unknown_is_refused(arguments, words):
    with pytest.raises(ValueError, match=rf"(?s){words}"):
        run(*arguments, *([] if "--scale" in arguments else ["--scale", "laptop"]))
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["render-shard", "rcdb1k", "0001"], "results/laptop/parameters/rcdb1k.parquet"),
        (["pretrain", "rcdb1k-vit_micro-s0"], "results/laptop/images/rcdb1k/shard-0000.arrow"),
        (["finetune", "scratch-vit_micro-digits-s0"], "results/laptop/downstream/digits.json"),
        (["curves", "pretrain", "rcdb1k-vit_micro-s0"], "pretrain/rcdb1k-vit_micro-s0/metrics"),
        (["claims"], "results/laptop/finetune/"),
        (["page"], "results/claims.fragment.html"),
    ],
)
def test_an_input_that_is_missing_is_named_with_the_command_that_makes_it(arguments, missing):
    said = str(run_and_catch(*arguments, "--scale", "laptop"))
    assert missing in said
    assert "make it first with snakemake --cores all results/" in said


def test_another_spec_than_the_planned_one_is_refused_before_anything_is_read():
    planned = job_table(scale="laptop").job("claims").spec_digest
    with pytest.raises(ConfigError, match=f"claims .*planned with spec {planned}, but .* gives"):
        run("claims", "--scale", "paper", "--spec", planned)


def test_where_a_job_runs_is_free(tmp_path):
    """Threads and the folder of the data are no part of a spec."""
    job = job_table().job("fetch_downstream", scale="laptop", dataset="digits")
    assert "data" in USER["data_root"]
    free = ["--set", f"data_root={tmp_path}", "--threads", "3"]
    ok("fetch-downstream", "digits", "--scale", "laptop", "--spec", job.spec_digest, *free)
    manifest = storage.read_checksummed(job.outputs["manifest"])
    assert manifest["parts"]["test"]["images"] == 360
    assert "folder" not in manifest
