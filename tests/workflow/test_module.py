"""The workflow as a module of another Snakefile, and its jobs repeated by hand."""

import json
import sys

import pytest
from workflow.checkout import checkout, shrink
from workflow.configured import job_table, processes
from workflow.test_dag import TABLE, jobs

SHARD = "results/laptop/images/fractaldb1k/shard-0000"
LARGE = ("results/laptop/parameters/fractaldb1k.parquet", f"{SHARD}.arrow")
OTHERS = """
configfile: "{root}/config.yaml"


module fdsl:
    snakefile:
        "{root}/Snakefile"
    config:
        config


use rule * from fdsl


rule mine:
    default_target: True
    input:
        "{shard}.arrow",
"""


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A tiny project, taken as a module by a Snakefile of somebody else, and one shard of it."""
    project = shrink(checkout(tmp_path_factory.mktemp("module")))
    others = project.work / "Snakefile"
    others.write_text(OTHERS.format(root=project.root, shard=SHARD))
    return project, others


@pytest.fixture(scope="module")
def made(taken):
    """The project after the other Snakefile's default target was made."""
    project, others = taken
    built = project.snakemake("--cores", "1", snakefile=others)
    assert built.returncode == 0, built.stdout + built.stderr
    return project


def by_hand(project, folder, *words):
    """Return the finished command, in a folder of its own."""
    return project.run(sys.executable, "-m", "fdsl", *words, folder=folder)


def command(project, rule, name):
    """Return the words of the command that the log of a job shows."""
    log = (project.work / f"logs/laptop/{rule}/{name}.log").read_text()
    return log.splitlines()[0].split(" fdsl ")[1].split()


def test_a_dry_run_of_another_snakefile_plans_the_same_jobs(project):
    others = project.work / "Snakefile"
    others.write_text(OTHERS.format(root=project.root, shard=SHARD))
    planned = jobs(
        project.snakemake("--dry-run", "--cores", "1", targets=[TABLE], snakefile=others)
    )
    needed = processes(job_table(), TABLE)
    assert planned == {**needed, "total": needed.total()}
    assert not (project.work / "results").exists()


def test_another_snakefile_makes_files_of_the_workflow(made):
    assert all((made.work / path).stat().st_size > 0 for path in LARGE)
    (resolved,) = (made.work / "results/configs").iterdir()
    assert json.loads(resolved.read_text())["scale"] == "laptop"
    assert (made.work / "results/laptop/benchmarks/render_shard/fractaldb1k-0000.tsv").is_file()
    assert not (made.work / "benchmarks").exists()


def test_jobs_repeated_by_hand_leave_the_same_bytes(made, tmp_path):
    """By the commands that their logs show."""
    sampling = command(made, "sample_parameters", "fractaldb1k")
    drawing = command(made, "render_shard", "fractaldb1k-0000")
    assert sampling[:4] == ["sample-parameters", "fractaldb1k", "--scale", "laptop"]
    assert drawing[:5] == ["render-shard", "fractaldb1k", "0000", "--scale", "laptop"]
    missing = by_hand(made, tmp_path, *drawing)
    assert missing.returncode == 2
    assert f"{LARGE[0]} is missing, which render_shard fractaldb1k reads" in missing.stderr
    for words in (sampling, drawing[:-2]):  # `--spec` may be left out
        done = by_hand(made, tmp_path, *words)
        assert done.returncode == 0, done.stderr
    for path in (*LARGE, f"{SHARD}.json"):
        assert (tmp_path / path).read_bytes() == (made.work / path).read_bytes()
    ours, theirs = (
        json.loads((folder / f"{SHARD}.record.json").read_text())
        for folder in (tmp_path, made.work)
    )
    same = ("kind", "run", "seed", "spec", "code", "inputs", "outputs")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}


@pytest.mark.parametrize("change", [["--set", "dataset_seed=5"], ["--scale", "workstation"]])
def test_another_configuration_than_the_planned_one_is_refused_in_a_sentence(
    made, tmp_path, change
):
    words = command(made, "sample_parameters", "fractaldb1k")
    refused = by_hand(made, tmp_path, *words, *change)
    assert refused.returncode == 2
    (said,) = refused.stderr.strip().splitlines()
    planned = words[-1]
    assert said.startswith(f"fdsl: sample_parameters fractaldb1k: planned with spec {planned}, but")
    assert said.endswith("use the configuration of the plan (--config, --set, --scale)")
    assert not (tmp_path / "results").exists()
