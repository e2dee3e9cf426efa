"""The whole workflow at a tiny scale: it ends, and it re-runs what it must and nothing else."""

import os
import re
import shutil
import sys

import pandas as pd
import pytest

from fdsl.io.storage import read_json

TABLE = "results/tables/table3.csv"


def planned(project, target=TABLE, *, options=()):
    """Return the rules that Snakemake would run."""
    plan = project.snakemake("--dry-run", "--cores", "2", *options, targets=[target])
    assert plan.returncode == 0, plan.stdout + plan.stderr
    return set(re.findall(r"^(?:local)?rule (\w+):", plan.stdout, re.MULTILINE))


@pytest.mark.slow
def test_the_table_holds_what_was_measured_and_says_what_was_not(built):
    table = pd.read_csv(built.work / TABLE, keep_default_na=False)
    ours = table[(table["column"] == "Digits") & table["row"].isin(["Scratch", "FractalDB-1k"])]
    assert (ours["reproduced"].astype(float) > 0).all()
    assert (ours["verdict"] == "not comparable").all()
    assert (ours["published"] == "").all()
    cars = table[(table["row"] == "Scratch") & (table["column"] == "Cars")].iloc[0]
    assert cars["published"] == "11.6"
    assert cars["verdict"] == "not run"
    assert cars["record"].startswith("none: ")
    assert not list(built.work.glob("results/laptop/checkpoints/*/*"))


@pytest.mark.slow
def test_everything_is_what_its_records_say(finished):
    def fdsl(*arguments):
        done = finished.run(sys.executable, "-m", "fdsl", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    verified = fdsl("verify", finished.work / "results", "--strict").stdout
    assert "0 damaged, 0 stale, 0 foreign" in verified
    told = fdsl("provenance", finished.work / TABLE, "--cell", "FractalDB-1k", "Digits").stdout
    for what in [
        "finetune fractaldb1k",
        "shard-0000.arrow",
        "formula fractaldb",
        "root seed 0",
        "handwritten digits",
    ]:
        assert what in told
    packed = fdsl("crate", finished.work / TABLE, "--out", finished.work / "table3.zip")
    assert packed.stderr == ""


@pytest.mark.slow
def test_what_a_change_re_runs(finished):
    """In another folder, with other times and other words nothing; for looks the table; for a
    kernel all after it.
    """
    for path in [
        *finished.work.rglob("*.arrow"),
        *finished.work.rglob("*.parquet"),
        *finished.work.rglob("*.safetensors"),
        *finished.work.rglob("record.json"),
        *finished.work.rglob("downstream/*.json"),
    ]:
        os.utime(path)
    finished.replace("fdsl/formulas/fractaldb.py", '"""FractalDB', '"""Other words: FractalDB')
    assert planned(finished) == set()
    _append(finished.root / "fdsl/report/html.py", "ANOTHER_COLOUR = '#123456'")
    assert planned(finished) == {"table"}
    _append(finished.root / "fdsl/raster/chaos_game.py", "ANOTHER_CONSTANT = 1")
    assert planned(finished) == {
        "sample_parameters",
        "render_shard",
        "pretrain",
        "finetune",
        "probe",
        "table",
    }


def _append(path, line):
    path.write_text(f"{path.read_text()}\n{line}\n")


@pytest.mark.slow
def test_a_copied_project_without_snakemakes_memory_keeps_what_it_has_at_its_scale(finished):
    shutil.rmtree(finished.work / ".snakemake")
    assert planned(finished) == set()
    other = planned(finished, options=["--config", "scale=paper"])
    assert {"table", "finetune", "pretrain"} <= other


@pytest.mark.slow
def test_a_table_repeated_by_hand_has_the_same_bytes(finished):
    """The command is that of the log; with another configuration it refuses."""
    forms = sorted((finished.work / "results/tables").glob("table3.*"))
    before = {path: path.read_bytes() for path in forms if path.name != "table3.record.json"}
    assert len(before) == 5
    log = (finished.work / "logs/table/table3.log").read_text()
    words = log.splitlines()[0].split(" fdsl ")[1].split()
    assert words[:5] == ["table", "table3", "--scale", "laptop", "--spec"]
    refused = finished.run(
        *(sys.executable, "-m", "fdsl", *words, "--set", "dataset_seed=5"), folder=finished.work
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("fdsl: table table3: planned with spec ")
    for path in before:
        path.unlink()
    done = finished.run(sys.executable, "-m", "fdsl", *words, folder=finished.work)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_only_what_decides_a_probe_re_runs_it(finished):
    target = "results/laptop/probe/scratch-vit_micro-digits-s0/record.json"
    record = read_json(finished.work / target)
    assert record["kind"] == "probe"
    assert (record["result"]["train_images"], record["result"]["images"]) == (20, 50)

    finished.replace(
        "workflow/recipes/finetune_laptop.yaml", "lr: {value: 0.001", "lr: {value: 0.002"
    )
    assert planned(finished, target) == set(), "a learning rate re-runs a probe"
    finished.replace("workflow/probe.yaml", "k: {value: 20", "k: {value: 10")
    assert planned(finished, target) == {"probe"}


def test_the_forms_of_the_table_exist_only_as_outputs_of_the_rule(tiny):
    forms = [f"results/tables/table3.{form}" for form in ("md", "html", "tex")]
    plan = tiny.snakemake("--dry-run", "--cores", "1", targets=forms)
    assert plan.returncode == 0, plan.stdout + plan.stderr
