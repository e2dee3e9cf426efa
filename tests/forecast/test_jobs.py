"""Which jobs some targets need, against the rules' own files; the numbers against Snakemake:
tests/workflow/test_forecast_jobs.py.
"""

import re
from collections import Counter

import pytest
from fdsl.forecast.jobs import OUTPUTS, RULES, jobs
from fdsl.workflow.plan import Plan
from forecast.given import ROOT, configuration

from fdsl.schema.base import ConfigError


def count(*targets, **changes):
    return Counter(job.rule for job in jobs(Plan(configuration(**changes)), targets))


def test_the_rules_are_those_of_the_workflow():
    texts = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    named = {
        name
        for path in texts
        for name in re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
    }
    assert named == set(RULES)


def test_every_output_of_a_rule_leads_to_it():
    examples = {
        "scale": "paper",
        "dataset": "rcdb1k",
        "run": "rcdb1k-vit_tiny-s0",
        "shard": "0001",
        "stage": "finetune",
        "released": "authors_rcdb21k",
        "table": "table3",
        "figure": "figure4",
    }
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for text in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            rule = text.split(":", 1)[0]
            if rule not in OUTPUTS:
                continue
            body = text.split("output:", 1)[1].split("log:", 1)[0]
            outputs = re.findall(r'"(results/[^"]+)"', body)
            assert outputs
            for output in outputs:
                assert re.fullmatch(f"results/{OUTPUTS[rule]}", output.format(**examples)), output


def test_a_run_needs_its_images_once_whatever_asks_for_it():
    key = "rcdb1k-vit_micro-digits-s0"
    once = count(f"results/laptop/finetune/{key}/record.json")
    assert once == {
        "sample_parameters": 1,
        "render_shard": 2,
        "pretrain": 1,
        "fetch_downstream": 1,
        "finetune": 1,
    }
    both = count(
        f"results/laptop/finetune/{key}/metrics.jsonl", f"results/laptop/probe/{key}/record.json"
    )
    assert both == once + Counter(probe=1)


def test_streaming_needs_no_shards_and_nothing_else_less():
    stored, streamed = count("all", scale="paper"), count("all", scale="paper", images="stream")
    assert stored.pop("render_shard") == 64 * stored["sample_parameters"]
    assert streamed == stored


@pytest.mark.parametrize("scale", ["laptop", "workstation", "paper"])
def test_the_whole_paper_is_few_jobs(scale):
    assert sum(count("all", scale=scale).values()) < 5000


def test_more_seeds_are_more_fine_tunings():
    one, two = (count("results/tables/table1.csv", scale="paper", seeds=s) for s in ([0], [0, 1]))
    assert two["finetune"] == 2 * one["finetune"]


@pytest.mark.parametrize(
    "target", ["table3", "results/tables/table3.xlsx", "../results/claims.csv", ""]
)
def test_what_is_no_target_is_refused_with_what_is(target):
    with pytest.raises(ConfigError, match=r"no file of the workflow. Allowed: all, .*table3\.csv"):
        count(target)


def test_a_table_of_no_study_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no study has a table 'table9'; there are: table1"):
        count("results/tables/table9.csv")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/huge/parameters/rcdb1k.parquet", "scale = 'huge' is unknown"),
        ("results/paper/images/rcdb_1k/shard-0000.arrow", "did you mean 'rcdb1k'"),
        ("results/paper/downstream/cifar11.json", "dataset = 'cifar11' is unknown"),
        ("results/paper/pretrain/rcdb1k-vit_tny-s0/record.json", "did you mean 'vit_tiny'"),
        ("results/paper/finetune/rcbd1k-vit_tiny-cars-s0/record.json", "did you mean 'rcdb1k'"),
        ("results/paper/released/authors_rcdb/record.json", "weights = 'authors_rcdb' is unknown"),
    ],
)
def test_a_name_that_stands_in_no_catalogue_is_refused(target, message):
    with pytest.raises(ConfigError, match=message):
        count(target)
