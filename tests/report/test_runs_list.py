"""The list of runs, from invented records."""

import csv
import json

import pytest

from fdsl.io.storage import DamagedFile
from fdsl.report.html import read_fragment
from fdsl.report.runs_list import write_runs


@pytest.fixture
def listed(folder):
    """A function that lists records and returns the rows of the CSV and the fragment."""

    def write(records):
        out = folder / "results/runs.csv"
        write_runs(records, out=out)
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return rows, read_fragment(out.with_suffix(".fragment.html"))

    return write


def test_every_run_has_a_row_and_its_curve(record, listed):
    cost = {"wall_seconds": 90.0, "images_per_second": 1234.5, "resumed": 2}
    paths = [record("rcdb1k", "digits", seed, 9_000, cost=cost) for seed in (1, 0)]
    lines = [{"kind": "train", "step": step, "loss": 4 / step} for step in (1, 2, 4)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    paths[0].with_name("metrics.jsonl").write_text(text, encoding="utf-8")
    rows, fragment = listed(paths)
    assert [row["run"] for row in rows] == [
        "rcdb1k-vit_tiny-digits-s0",
        "rcdb1k-vit_tiny-digits-s1",
    ]
    assert rows[0] == {
        "run": "rcdb1k-vit_tiny-digits-s0",
        "kind": "finetune",
        "result": "top-1 90.00 % of 10,000",
        "minutes": "1.5",
        "images_per_second": "1234.5",
        "restarts": "2",
        "code": "0123456789abcdef",
        "record": "results/paper/finetune/rcdb1k-vit_tiny-digits-s0/record.json",
    }
    assert fragment.count("<polyline") == 1
    assert 'points="30.0,0.0 60.0,18.7 120.0,28.0"' in fragment


def test_the_environment_is_that_of_the_newest_record(record, listed):
    days = {0: "2026-01-02", 1: "2026-01-03", 2: "2026-01-01"}
    paths = [
        record("rcdb1k", "digits", seed, 1, finished=day, environment={"python": f"3.{seed}"})
        for seed, day in days.items()
    ]
    assert "<td>3.1</td>" in listed(paths)[1]


def test_no_runs_are_an_empty_list(listed):
    rows, fragment = listed([])
    assert not rows
    assert "<h2" in fragment


@pytest.mark.parametrize("content", ['{"run": "x"}', '{"run": "x", "kind": "probe"}'])
def test_a_damaged_record_is_named(listed, folder, content):
    path = folder / "record.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"record\.json is not a record"):
        listed([path])
    assert not (folder / "results").exists()
