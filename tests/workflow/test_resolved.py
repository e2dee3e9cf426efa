"""The configuration as a file for the jobs, and reports of another configuration."""

import json
import shutil
from pathlib import Path

import pytest
from workflow.configured import configuration, job_table
from workflow.test_dag import TABLE, jobs

from fdsl.io import records
from fdsl.workflow import resolved
from fdsl.workflow.load import load


def leave(job, folder):
    """Leave files of a few bytes in the place of a job's outputs, and its record."""
    made = [folder / path for name, path in job.outputs.items() if name != "record"]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    content = {"kind": job.rule, "run": job.name, "spec": job.spec, "code": job.code}
    content["inputs"] = dict.fromkeys(job.recorded_inputs, "0" * 64)
    records.write(folder / job.record, content, outputs=made)


def outdated(job):
    """Say whether a job's outputs are older than anything; either all are or none is."""
    (old,) = {Path(path).stat().st_mtime == resolved.OLD_S for path in job.outputs.values()}
    return old


@pytest.fixture
def working(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_jobs_read_the_configuration_that_snakemake_resolved(working):
    user = configuration(scale="paper", seeds=[3]).user
    resolved.write(user)
    path = Path(resolved.path(user))
    assert path.parent.as_posix() == "results/configs"
    assert load(json.loads(path.read_text())).user == user
    before = path.stat()
    resolved.write(user)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert resolved.path(configuration().user) != resolved.path(user)


@pytest.mark.parametrize("rule", ["table", "figure", "claims", "runs", "page"])
def test_a_report_of_another_scale_is_older_than_its_inputs_from_then_on(working, rule):
    names = {"table": {"table": "table3"}, "figure": {"figure": "figure4"}}.get(rule, {})
    laptop = job_table()
    job = laptop.job(rule, **names)
    leave(job, working)
    resolved.backdate_outdated_reports(laptop)
    assert not outdated(job)
    resolved.backdate_outdated_reports(job_table(scale="paper"))
    assert outdated(job)


def test_a_report_of_other_seeds_is_older_too(working):
    """Seeds are no part of a table's spec; the records that it joins are."""
    laptop = job_table()
    table, figure = laptop.job("table", table="table3"), laptop.job("figure", figure="figure2")
    for job in (table, figure):
        leave(job, working)
    resolved.backdate_outdated_reports(job_table(seeds=[7]))
    assert outdated(table)
    assert not outdated(figure)  # no run stands behind it


@pytest.mark.parametrize("change", [Path.unlink, lambda record: record.write_text("{")])
def test_a_report_without_a_whole_record_is_older_too(working, change):
    laptop = job_table()
    job = laptop.job("table", table="table3")
    leave(job, working)
    change(Path(job.record))
    resolved.backdate_outdated_reports(laptop)
    assert Path(TABLE).stat().st_mtime == resolved.OLD_S


def test_nothing_but_reports_is_ever_older(working):
    laptop = job_table()
    job = laptop.job("sample_parameters", scale="laptop", dataset="rcdb1k")
    leave(job, working)
    resolved.backdate_outdated_reports(job_table(dataset_seed=5))
    assert not outdated(job)


def test_results_of_one_scale_do_not_pass_for_anothers(project):
    """A copied project has lost Snakemake's metadata."""
    job = job_table().job("table", table="table3")
    leave(job, project.work)

    def planned(*change):
        plan = project.snakemake(
            "--dry-run", "--cores", "1", *change, targets=["results/tables/table3.csv"]
        )
        shutil.rmtree(project.work / ".snakemake")
        return plan

    same = planned()
    assert "Nothing to be done" in same.stdout + same.stderr
    paper = jobs(planned("--config", "scale=paper"))
    assert paper["table"] == 1
    assert paper["finetune"] == 9 * 7 - 2
