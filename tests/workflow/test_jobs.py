"""The job table: every file has one maker, targets need what they must, and commands stay short."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from workflow.configured import ROOT, job_table, with_scale, with_study

from fdsl.schema.base import ConfigError
from fdsl.schema.study.figures import Samples
from fdsl.workflow.jobs import Jobs, on_disk, spec_digest
from fdsl.workflow.rules import LARGE, RULES
from fdsl.workflow.runs import Run

SCALES = ("laptop", "workstation", "paper")
TWELVE_SEEDS = list(range(12))
LONGEST = 4096  # bytes of a command; the kernel refuses one argument of 131,072
MOST_LINES = 20  # of a rule


@pytest.fixture(scope="module", params=SCALES)
def table(request):
    """The job table of each scale."""
    return job_table(scale=request.param)


@pytest.fixture(scope="module")
def whole(table):
    """All jobs of a scale that any target needs."""
    return table.needed(["all", "all_curves"])


def alone():
    """Return the laptop scale's job table with a process for each run."""
    return with_scale(job_table(), share_process=[])


def count(*targets, table=None, **changes):
    """Return {rule: number of jobs} behind some targets."""
    return Counter(job.rule for job in (table or job_table(**changes)).needed(targets))


def test_every_input_is_made_by_a_job_or_comes_with_the_workflow(whole):
    made = {path for job in whole for path in job.outputs.values()}
    for job in whole:
        for path in (path for paths in job.inputs.values() for path in paths):
            assert path in made or (path.startswith("workflow/") and on_disk(path).is_file()), job


def test_no_two_jobs_make_one_file(whole):
    outputs = [path for job in whole for path in job.outputs.values()]
    assert len(set(outputs)) == len(outputs)
    assert len(set(whole)) == len(whole)


def test_all_targets_are_made_by_a_job(table, whole):
    made = {path for job in whole for path in job.outputs.values()}
    assert {*table.targets("all"), *table.targets("all_curves")} <= made


def test_every_output_leads_to_its_job_and_nothing_else_does(table, whole):
    for job in whole:
        for path in job.outputs.values():
            assert table.maker(path) == job, path
            assert table.maker(f"{path}.txt") is None
            assert table.maker(f"x/{path}") is None


def test_every_rule_is_behind_the_whole_paper_but_for_others_weights_and_what_a_scale_asks_for():
    found = count("all", "all_curves", scale="laptop")
    assert set(RULES) - set(found) == {"import_weights"}
    paper = count("all", scale="paper")
    assert paper["import_weights"] > 0
    assert "difficulty" not in paper


def test_a_record_names_what_decided_a_job_and_no_small_digest():
    laptop = job_table()
    shard = laptop.job("render_shard", scale="laptop", dataset="rcdb1k", shard="0001")
    assert shard.recorded_inputs == ["results/laptop/parameters/rcdb1k.parquet"]
    assert shard.record == "results/laptop/images/rcdb1k/shard-0001.record.json"
    key = "scratch-vit_micro-composed_pictures-s0"
    detection = laptop.job("detect", scale="laptop", run=key)
    assert detection.recorded_inputs == ["results/laptop/downstream/composed_pictures.json"]
    assert detection.inputs["composed"] == ["results/laptop/composed/composed_pictures"]


def test_large_files_have_a_small_one_beside_them_that_repeats_jobs(whole):
    """They are `ancient` inputs, so that a touched or copied one repeats nothing."""
    for job in whole:
        for name in LARGE & job.inputs.keys():
            if job.inputs[name] and job.rule not in {"fetch_downstream", "detect"}:
                small = job.inputs["digest"]
                assert len(small) == len(job.inputs[name]), job
                assert all(path.endswith(".json") for path in small)


def test_a_run_needs_its_images_once_whatever_asks_for_it():
    key = "rcdb1k-vit_micro-digits-s0"
    once = count(f"results/laptop/finetune/{key}/record.json", table=alone())
    assert once == {
        "sample_parameters": 1,
        "render_shard": 1,
        "pretrain": 1,
        "fetch_downstream": 1,
        "finetune": 1,
    }
    targets = (
        f"results/laptop/finetune/{key}/metrics.jsonl",
        f"results/laptop/probe/{key}/record.json",
    )
    both = count(*targets, table=alone())
    assert both == once + Counter(probe=1)


def test_a_run_needs_those_of_its_process_and_each_its_own_draw():
    key = "rcdb1k-vit_micro-digits-s0"
    target = f"results/laptop/probe/{key}/record.json"
    needed = job_table().needed([target], processes=True)
    names = [f"rcdb1k{draw}" for draw in ("", "-d1", "-d2", "-d3")]
    runs = [f"rcdb1k-vit_micro-s{seed}" for seed in range(4)]
    assert [(job.rule, job.name) for job in needed] == [
        *(("sample_parameters", name) for name in names),
        *(("render_shard", name) for name in names),
        ("fetch_downstream", "digits"),
        *(("pretrain", run) for run in runs),
        *(("probe", run.replace("-s", "-digits-s")) for run in runs),
    ]


@pytest.mark.parametrize(
    ("pretrain_seeds", "shared"),
    [(None, [0, 1, 5]), ([0], [0]), ([3, 4], [3, 4]), ([6, 7, 8, 9], [6, 7])],
)
def test_a_process_has_the_pretrainings_that_the_seeds_use(pretrain_seeds, shared):
    table = with_scale(job_table(seeds=[0, 1, 5]), pretrain_seeds=pretrain_seeds)
    assert table.sharing == {"pretrain": shared, "finetune": [0, 1, 5], "probe": [0, 1, 5]}
    run = "rcdb1k-vit_micro"
    jobs = tuple(table.replicates("pretrain", scale="laptop", replicates=run))
    assert [job.name for job in jobs] == [f"{run}-s{seed}" for seed in shared]
    assert all(table.process(job) == jobs for job in jobs)
    detection = table.job("detect", scale="laptop", run=f"{run}-composed_pictures-s0")
    other = table.job("pretrain", scale="laptop", run=f"{run}-s12")
    assert [table.process(job) for job in (detection, other)] == [(detection,), (other,)]
    needed = table.needed(["results/tables/table3.csv"])
    assert {Run.read(job.name).seed for job in needed if job.rule == "pretrain"} == set(shared)


def test_jobs_that_share_a_process_share_a_digest_of_all_their_specs():
    table = job_table()
    jobs = table.replicates("finetune", scale="laptop", replicates="rcdb1k-vit_micro-digits")
    assert spec_digest(jobs[:1]) == jobs[0].spec_digest
    found = [spec_digest(some) for some in (jobs, jobs[:3], jobs[::-1])]
    assert len({*found, *(job.spec_digest for job in jobs)}) == len(jobs) + len(found)
    assert all(len(digest) == 16 for digest in found)


def test_probes_need_what_their_fine_tunings_need_and_no_fine_tuning():
    probes = ["scratch-vit_micro-digits-s0", "rcdb1k-vit_micro-digits-s2"]
    assert count(*(f"results/laptop/probe/{run}/record.json" for run in probes), table=alone()) == {
        "fetch_downstream": 1,
        "sample_parameters": 1,
        "render_shard": 1,
        "pretrain": 1,
        "probe": 2,
    }


def test_detections_need_their_composed_images_and_their_pretraining():
    detections = ["scratch-vit_micro-composed_pictures-s0", "rcdb1k-vit_micro-composed_pictures-s0"]
    targets = [f"results/laptop/detect/{run}/record.json" for run in detections]
    assert count(*targets, table=alone()) == {
        "fetch_downstream": 3,
        "compose": 1,
        "sample_parameters": 1,
        "render_shard": 1,
        "pretrain": 1,
        "detect": 2,
    }


def test_composed_images_are_made_of_the_datasets_in_their_spec():
    laptop = job_table()
    compose = laptop.job("compose", scale="laptop", dataset="composed_pictures")
    manifests = compose.inputs["manifests"]
    assert set(compose.spec["composed"]["sources"]) == {Path(path).stem for path in manifests}
    assert all(laptop.maker(path).rule == "fetch_downstream" for path in manifests)


def test_table_3_at_the_paper_scale():
    planned = count("results/tables/table3.csv", scale="paper")
    assert planned["pretrain"] == 8
    # Places-365 is not evaluated on Places30, nor labelled ImageNet-1k on ImageNet-100: they share
    # images and labels
    assert planned["finetune"] == planned["probe"] == 9 * 7 - 2
    assert planned["fetch_downstream"] == 7 + 3


def test_streaming_needs_no_shards_and_nothing_else_less():
    paper = job_table(scale="paper")
    stored = count("all", table=paper)
    streamed = count("all", table=with_scale(paper, images="stream"))
    assert stored.pop("render_shard") == 64 * stored["sample_parameters"]
    assert streamed == stored


def test_the_whole_paper_is_few_jobs(whole):
    assert len(whole) < 5000


def test_more_seeds_are_more_fine_tunings():
    one, two = (count("results/tables/table1.csv", scale="paper", seeds=s) for s in ([0], [0, 1]))
    assert two["finetune"] == 2 * one["finetune"]


def test_the_curves_of_every_training_can_be_asked_for_and_are_no_part_of_all():
    assert "curves" not in count("all")
    planned = count("all_curves")
    assert planned["curves"] == sum(planned[rule] for rule in ("pretrain", "finetune", "detect"))


def test_a_study_without_claims_has_no_claims_on_its_page():
    silent = with_study(job_table(), claims={})
    assert "claims" not in count("all", table=silent)
    assert "results/claims.csv" not in silent.targets()
    assert silent.job("page").inputs["claims"] == []


@pytest.mark.parametrize(
    "target", ["table3", "results/tables/table3.xlsx", "../results/claims.csv", "", "table"]
)
def test_what_is_no_target_is_refused_with_what_is(target):
    with pytest.raises(ConfigError, match=r"no file of the workflow. Allowed: all, .*table3\.csv"):
        count(target)


@pytest.mark.parametrize("kind", ["table", "figure"])
def test_a_report_of_no_study_is_refused_with_those_there_are(kind):
    suffix = {"table": "csv", "figure": "png"}[kind]
    with pytest.raises(ValueError, match=rf"no study has a {kind} '{kind}9'; there are: {kind}1"):
        count(f"results/{kind}s/{kind}9.{suffix}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/huge/parameters/rcdb1k.parquet", "scale = 'huge' is unknown"),
        ("results/paper/images/rcdb_1k/shard-0000.arrow", "did you mean 'rcdb1k'"),
        ("results/paper/downstream/cifar11.json", "dataset = 'cifar11' is unknown"),
        ("results/paper/pretrain/rcdb1k-vit_tny-s0/record.json", "did you mean 'vit_tiny'"),
        ("results/paper/finetune/rcbd1k-vit_tiny-cars-s0/record.json", "did you mean 'rcdb1k'"),
        (
            "results/paper/published_weights/authors_rcdb/record.json",
            "weights = 'authors_rcdb' is unknown",
        ),
    ],
)
def test_a_name_that_is_in_no_catalogue_is_refused(target, message):
    with pytest.raises(ConfigError, match=message):
        count(target)


# Specs and code ----------------------------------------------------------------------------------


def test_a_job_is_its_rule_and_wildcards():
    laptop, key = job_table(), "rcdb1k-vit_micro-s0"
    pretrain = laptop.job("pretrain", scale="laptop", run=key)
    assert pretrain == laptop.job("pretrain", scale="laptop", run=key, other="ignored")
    assert pretrain != laptop.job("attention", scale="laptop", run=key)
    assert pretrain != "pretrain"
    assert (pretrain.name, pretrain.scale) == (key, "laptop")
    assert (laptop.job("page").name, laptop.job("page").scale) == ("", "")


def test_where_a_job_runs_changes_no_digest_of_any_spec():
    here = job_table()
    there = job_table(device="cpu", data_root="/elsewhere", processes=4, compile=True)
    jobs = here.needed(["all"])
    assert [job.spec_digest for job in jobs] == [
        there.job(job.rule, **job.wildcards).spec_digest for job in jobs
    ]


def test_the_root_seed_changes_the_spec_of_what_draws_images_and_of_no_fine_tuning():
    here, there = job_table(), job_table(dataset_seed=7)
    changed = {
        job.rule
        for job in here.needed(["all"])
        if there.job(job.rule, **job.wildcards).spec_digest != job.spec_digest
    }
    drawing = {"sample_parameters", "render_shard", "difficulty", "pretrain", "attention"}
    assert changed == {*drawing, "table", "figure", "page"}


def test_every_job_names_code_that_exists(whole):
    for job in whole:
        assert len(job.code) == 12
        assert job.repeating_code == ("" if job.rule == "fetch_downstream" else job.code)


def modules(job):
    """Return the modules that a job's code digest begins with."""
    return set(RULES[job.rule].modules(job.spec))


def formulas(datasets):
    return {f"fdsl.formulas.{entry['formula']}" for entry in datasets.values()}


def test_a_training_depends_on_the_formula_that_it_learns_from_and_on_no_other():
    laptop = job_table()
    contours = laptop.job("pretrain", scale="laptop", run="rcdb1k-vit_micro-s0")
    assert modules(contours) >= {"fdsl.train.pretrain", "fdsl.formulas.rcdb"}
    real = laptop.job("pretrain", scale="laptop", run="imagenet1k_dino-vit_micro-s0")
    assert "fdsl.train.dino" in modules(real)
    for job, formula in ((contours, {"fdsl.formulas.rcdb"}), (real, set())):
        assert {name for name in modules(job) if name.startswith("fdsl.formulas.")} == formula


def test_reports_depend_on_the_formulas_that_they_draw():
    laptop = job_table()
    page = laptop.job("page")
    assert modules(page) == {"fdsl.report.page", *formulas(page.spec["datasets"])}
    assert "fdsl.formulas.visualatom" in modules(page)
    for name, figure in laptop.config.studies["contours"].figures.items():
        found = modules(laptop.job("figure", figure=name))
        assert f"fdsl.report.figures.{figure.kind}" in found
        if isinstance(figure, Samples):
            drawn = {laptop.config.synthetic[each].formula for each in figure.datasets}
            assert {f"fdsl.formulas.{each}" for each in drawn} < found


CODES = """
import json
from pathlib import Path
from fdsl.schema.yaml_files import read_yaml
from fdsl.workflow.jobs import Jobs
from fdsl.workflow.load import load
jobs = Jobs(load(read_yaml(Path("config.yaml")))).needed(["all"])
print(json.dumps({job.record: job.repeating_code for job in jobs}))
"""


def test_an_edit_of_a_formula_repeats_what_draws_it_and_the_page(project):
    """As `test_new_paper.py` shows with Snakemake, which compares these digests."""

    def codes():
        done = project.run(sys.executable, "-c", CODES)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    before = codes()
    (project.root / "fdsl/formulas/drawn_by_none.py").write_text("POINTS = 3\n")
    assert codes() == before
    edited = project.root / "fdsl/formulas/visualatom.py"
    edited.write_text(f"{edited.read_text()}\nANOTHER_CONSTANT = 1\n")
    after = codes()
    laptop = job_table()
    drawing = {
        job.record for job in laptop.needed(["all"]) if "fdsl.formulas.visualatom" in modules(job)
    }
    assert {name for name in before if after[name] != before[name]} == drawing
    assert "results/index.record.json" in drawing
    assert len(drawing) < len(before) / 4


# Commands ----------------------------------------------------------------------------------------


def ten_studies(table):
    """Return the table with the study of contours nine times more, under other names."""
    study = table.config.studies["contours"]
    studies = {"contours": study}
    for number in range(9):
        name = f"another-paper-{number}-".__add__
        values = study.model_dump()
        for claim in values["claims"].values():
            claim["table"] = name(claim["table"])
        for figure in values["figures"].values():
            figure.update({"table": name(figure["table"])} if "table" in figure else {})
        renamed = {
            kind: {name(key): value for key, value in values[kind].items()}
            for kind in ("tables", "figures", "claims")
        }
        studies[f"contours{number}"] = type(study).model_validate(values | renamed)
    return Jobs(table.config.model_copy(update={"studies": studies}))


@pytest.mark.parametrize("scale", SCALES)
def test_no_command_is_long_with_twelve_seeds_and_ten_studies(scale):
    """The longest launcher, twice the longest path and the options of the rules included."""
    grids = {"vit_base": "999x99"}
    table = ten_studies(job_table(scale=scale, seeds=TWELVE_SEEDS, nodes_x_processes=grids))
    jobs = table.needed(["all", "all_curves"])
    assert sum(job.rule == "table" for job in jobs) == 50
    assert sum(job.rule == "page" for job in jobs) == 1

    def length(job):
        launcher = ""
        if job.rule in {"pretrain", "finetune"}:
            launcher = table.resources.launcher(job.scale, job.rule, job.wildcards["run"])
        path = max(job.outputs.values(), key=len)
        words = [launcher, job.command, "--config", path, "--threads 999 &>", path]
        return len(" ".join(words).encode())

    assert max(map(length, jobs)) < LONGEST / 4


def test_a_command_is_short_enough_to_type():
    run = "fractaldb1k-vit_tiny-s0"
    job = job_table(scale="paper").job("pretrain", scale="paper", run=run)
    digest = job.spec_digest
    assert job.command == f"fdsl pretrain {run} --scale paper --spec {digest}"
    table = job_table(scale="paper").job("table", table="table3")
    assert table.command == f"fdsl table table3 --scale paper --spec {table.spec_digest}"


# The rules ---------------------------------------------------------------------------------------


def test_the_rules_are_those_of_the_table_each_short_in_one_of_five_files():
    found = {}
    files = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for path in files:
        for text in path.read_text().split("\nrule ")[1:]:
            name, _, body = text.partition(":\n")
            found[name] = body.split("\n\n\n")[0]
    assert set(found) == {*RULES, "all_curves"}
    assert len(files) == 5 + 1
    assert "rule " not in (ROOT / "workflow/rules/common.smk").read_text().replace("rules", "")
    for name, body in found.items():
        lines = [line for line in body.splitlines() if line.strip()]
        assert len(lines) + 1 <= MOST_LINES, name
