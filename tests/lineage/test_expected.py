import json
import re
from pathlib import Path

from fdsl.lineage.modules import MODULES, of_figure, of_table
from lineage.finished import plan

from fdsl.provenance import fingerprint
from fdsl.schema.yaml_files import workflow_folder

VERBS = {"released": "adopt_weights"}


def test_the_modules_are_those_of_the_rules():
    rules = "".join(p.read_text() for p in (workflow_folder() / "rules").glob("*.smk"))
    for verb, modules in MODULES.items():
        if verb == "fetch_downstream":  # has no code on purpose
            continue
        body = re.search(rf"^rule {verb}:\n(.*?)(?=^rule |\Z)", rules, re.MULTILINE | re.DOTALL)
        named = re.search(r"code=fingerprint\(([^)]*)\)", body[1])
        assert re.findall(r'"([^"]+)"', named[1]) == list(modules), verb


def test_reports_are_fingerprinted_by_their_orders_as_by_the_plan():
    found = plan()
    for study in found.config.studies.values():
        for name in study.tables:
            order = json.loads(found.reports.tabulation(name))
            assert fingerprint(*of_table(order)) == found.codes.table(name)
        for name in study.figures:
            order = json.loads(found.reports.drawing(name))
            assert fingerprint(*of_figure(order)) == found.codes.figure(name)


def test_every_input_is_made_by_a_job_or_comes_with_the_workflow(wanted):
    made = {path for job in wanted.jobs.values() for path in (job.record, *job.outputs)}
    for job in wanted.jobs.values():
        for path in job.inputs or ():
            assert path in made or (workflow_folder().parent / path).is_file(), (job.record, path)


def test_all_targets_are_made_by_a_job(wanted):
    made = {path for job in wanted.jobs.values() for path in job.outputs}
    assert set(plan().files.targets()) <= made


def test_no_two_jobs_make_one_file(wanted):
    outputs = [path for job in wanted.jobs.values() for path in (job.record, *job.outputs)]
    assert len(set(outputs)) == len(outputs)


def test_the_outputs_are_those_that_the_rules_declare(wanted):
    """A path of each kind matches an output of its rule; reports leave a record that no rule
    declares.
    """
    rules = "".join(p.read_text() for p in (workflow_folder() / "rules").glob("*.smk"))
    for kind in {job.kind for job in wanted.jobs.values()}:
        verb = VERBS.get(kind, kind)
        body = re.search(
            rf"^rule {verb}:\n(.*?)^    (?:log|params):", rules, re.MULTILINE | re.DOTALL
        )
        declared = [
            re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            for path in re.findall(r'"(results/[^"]+)"', body[1].split("output:")[1])
        ]
        job = next(job for job in wanted.jobs.values() if job.kind == kind)
        report = kind in {"table", "figure", "claims", "runs", "page"}
        for path in [*job.outputs, *([] if report else [job.record])]:
            assert any(re.fullmatch(pattern, path) for pattern in declared), (kind, path)
        assert len(declared) == len(job.outputs) + (0 if report else 1), kind


def test_composed_pictures_need_what_they_are_composed_of(wanted):
    compose = next(job for job in wanted.jobs.values() if job.kind == "compose")
    for manifest in compose.inputs:
        assert Path(manifest).with_suffix(".record.json").as_posix() in wanted.jobs
    order = compose.spec
    assert set(order["composed"]["sources"]) == {Path(path).stem for path in compose.inputs}


def test_reports_are_made_from_records_and_printed_numbers(wanted):
    found = plan()
    for name in found.config.studies["contours"].tables:
        job = wanted.jobs[f"results/tables/{name}.record.json"]
        assert set(job.inputs) == {*found.files.records(name), "workflow/published/tables.csv"}
    for name in (
        "claims",
        *(f"figures/{name}" for name in found.config.studies["contours"].figures),
    ):
        assert "workflow/published/tables.csv" in wanted.jobs[f"results/{name}.record.json"].inputs
    assert set(found.files.claim_records()) < set(wanted.jobs["results/claims.record.json"].inputs)


def test_what_has_no_record_can_be_asked_for_all_the_same(wanted):
    curves = plan().files.curves()
    assert curves
    assert all(wanted.covers(path) for path in [*curves, "results/report.zip"])
    assert not wanted.covers("results/laptop/pretrain/mine-vit_micro-s0/curves.png")
