"""The whole workflow at a tiny scale: it ends, and it re-runs what it must and nothing else."""

import os
import re
import sys

import pandas as pd
import pytest

from fdsl.storage import read_json

TABLE = "results/tables/table3.csv"


def planned(project):
    """Return the rules that Snakemake would run."""
    plan = project.snakemake("--dry-run", "--cores", "2", targets=[TABLE])
    assert plan.returncode == 0, plan.stdout + plan.stderr
    return set(re.findall(r"^(?:local)?rule (\w+):", plan.stdout, re.MULTILINE))


def build(project):
    built = project.snakemake("--cores", "2", targets=[TABLE])
    assert built.returncode == 0, built.stdout + built.stderr
    return built


def test_the_table_and_what_follows(tiny):
    build(tiny)
    table = pd.read_csv(tiny.work / TABLE, keep_default_na=False)
    ours = table[(table["column"] == "Digits") & table["row"].isin(["Scratch", "FractalDB-1k"])]
    assert (ours["reproduced"].astype(float) > 0).all()
    assert (ours["verdict"] == "not comparable").all()
    assert (ours["published"] == "").all()
    cars = table[(table["row"] == "Scratch") & (table["column"] == "Cars")].iloc[0]
    assert cars["published"] == "11.6"
    assert cars["verdict"] == "not run"
    assert cars["record"].startswith("none: ")
    assert not list(tiny.work.glob("results/laptop/checkpoints/*/*"))

    assert planned(tiny) == set()
    _everything_is_what_its_records_say(tiny)
    _nothing_re_runs_for_looks(tiny)
    _a_kernel_re_runs_rendering_and_all_after_it(tiny)


def _everything_is_what_its_records_say(project):
    def fdsl(*arguments):
        done = project.run(sys.executable, "-m", "fdsl", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    verified = fdsl("verify", project.work / "results", "--strict").stdout
    assert "0 damaged, 0 stale, 0 foreign" in verified
    told = fdsl("provenance", project.work / TABLE, "--cell", "FractalDB-1k", "Digits").stdout
    for what in ["finetune fractaldb1k", "shard-0000.arrow", "formula fractaldb", "root seed 0", "handwritten digits"]:  # fmt: skip
        assert what in told
    packed = fdsl("crate", project.work / TABLE, "--out", project.work / "table3.zip")
    assert packed.stderr == ""


def _nothing_re_runs_for_looks(project):
    for path in [*project.work.rglob("*.arrow"), *project.work.rglob("*.parquet"), *project.work.rglob("*.safetensors"),
                 *project.work.rglob("record.json"), *project.work.rglob("downstream/*.json")]:  # fmt: skip
        os.utime(path)
    assert planned(project) == set(), "touched files re-run something"
    project.replace("fdsl/formulas/fractaldb.py", '"""FractalDB', '"""Other words: FractalDB')
    assert planned(project) == set(), "a docstring re-runs something"
    style = project.root / "fdsl/report/html.py"
    style.write_text(style.read_text() + "\nANOTHER_COLOUR = '#123456'\n")
    assert planned(project) == {"table"}, "a change of the looks re-runs more than the table"
    build(project)


def _a_kernel_re_runs_rendering_and_all_after_it(project):
    kernel = project.root / "fdsl/raster/chaos_game.py"
    before = kernel.read_text()
    kernel.write_text(before + "\nANOTHER_CONSTANT = 1\n")
    assert planned(project) == {
        "sample_parameters",
        "render_shard",
        "pretrain",
        "finetune",
        "probe",
        "table",
    }
    kernel.write_text(before)
    assert planned(project) == set()


@pytest.mark.slow
def test_a_probe_runs_and_only_what_decides_it_re_runs_it(tiny):
    target = "results/laptop/probe/scratch-vit_micro-digits-s0/record.json"
    probed = tiny.snakemake("--cores", "1", targets=[target])
    assert probed.returncode == 0, probed.stdout + probed.stderr
    record = read_json(tiny.work / target)
    assert record["kind"] == "probe"
    assert (record["result"]["train_images"], record["result"]["images"]) == (20, 50)

    def planned():
        plan = tiny.snakemake("--dry-run", "--cores", "1", targets=[target])
        return set(re.findall(r"^(?:local)?rule (\w+):", plan.stdout, re.MULTILINE))

    tiny.replace("workflow/recipes/finetune_laptop.yaml", "lr: {value: 0.001", "lr: {value: 0.002")
    assert planned() == set(), "a learning rate re-runs a probe"
    tiny.replace("workflow/probe.yaml", "k: {value: 20", "k: {value: 10")
    assert planned() == {"probe"}


@pytest.mark.parametrize("name", ["table3.md", "table3.html"])
def test_the_forms_of_the_table_exist_only_as_outputs_of_the_rule(tiny, name):
    plan = tiny.snakemake("--dry-run", "--cores", "1", targets=[f"results/tables/{name}"])
    assert plan.returncode == 0, plan.stdout + plan.stderr
