"""Two Snakemakes in one folder, and a clock that goes backwards."""

import os
import time

import pytest
from faults.jobs import LOOK_SECONDS, Started
from faults.results import differing, held

pytestmark = pytest.mark.faults

TABLE = "results/tables/table3.csv"
PRETRAIN = "results/laptop/pretrain/rcdb1k-vit_micro-s0/record.json"
YEAR_SECONDS = 365 * 86_400
TOLD = "another Snakemake of this workflow runs in this folder"
# whichever of the first one's files the second meets first
STOPPED = ("Directory cannot be locked", "IncompleteFilesException")


def begin(project, name, *targets):
    command = project.command("--cores", "1", targets=targets)
    return Started(project, command, log=project.work.with_name(f"{name}.log"))


def same(project, expected):
    """Return the names of results that differ; those of an undisturbed run that were not asked for
    may be missing.
    """
    found = held(project)
    assert found
    return differing(found, {name: expected[name] for name in found if name in expected})


def test_a_second_snakemake_in_the_folder_stops_and_the_first_goes_on(struck, expected, note):
    first = begin(struck, "first", TABLE)
    while not first.jobs():
        assert not first.ended(), first.said()
        time.sleep(LOOK_SECONDS)
    second = begin(struck, "second", TABLE)
    assert second.wait(seconds=120) != 0
    assert TOLD in second.said()
    assert any(words in second.said() for words in STOPPED)
    assert "Traceback" not in second.said()
    assert not first.ended()
    assert first.wait(seconds=600) == 0, first.said()
    assert not same(struck, expected)
    row = {
        "fault": "a second Snakemake, while a job of the first runs",
        "where": "the same folder and target",
        "outcome": "the second said that another runs and stopped, the first ended the same",
    }
    note("second", [row])


def test_two_snakemakes_that_start_at_the_same_moment_spoil_nothing(struck, expected, note):
    both = [begin(struck, name, PRETRAIN) for name in ("left", "right")]
    codes = [started.wait(seconds=600) for started in both]
    for started, code in zip(both, codes, strict=True):
        stopped = any(words in started.said() for words in STOPPED)
        assert code == 0 or stopped, started.said()
        assert "Traceback" not in started.said(), started.said()
    assert 0 in codes
    ended = struck.snakemake("--cores", "1", targets=[PRETRAIN])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not same(struck, expected)
    row = {
        "fault": "two Snakemakes, started at the same moment",
        "where": "the same folder and target",
        "outcome": f"{codes.count(0)} of 2 ended, the other stopped; the same results",
    }
    note("moment", [row])


def test_files_from_the_future_stop_with_a_clear_error_and_are_never_wrong(struck, expected, note):
    built = struck.snakemake("--cores", "2", targets=[PRETRAIN])
    assert built.returncode == 0, built.stdout + built.stderr
    record = (struck.work / PRETRAIN).read_bytes()
    ahead = time.time() + YEAR_SECONDS
    for path in _files(struck):
        os.utime(path, (ahead, ahead))
    stopped = struck.snakemake("--cores", "2", targets=[TABLE])
    assert stopped.returncode != 0
    assert "older modification time" in stopped.stderr
    assert "clock skew" in stopped.stderr
    assert not same(struck, expected)

    now = time.time()
    for path in _files(struck):
        os.utime(path, (now, now))
    ended = struck.snakemake("--cores", "2", targets=[TABLE])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (struck.work / PRETRAIN).read_bytes() == record, "the pre-training was repeated"
    assert not same(struck, expected)
    row = {
        "fault": "clock set back by a year: all files so far get times of a year ahead",
        "where": "after `pretrain`",
        "outcome": (
            "Snakemake stopped: “older modification time … clock skew”; with the times of today the"
            " same command went on, and nothing was repeated"
        ),
    }
    note("clock", [row])


def _files(project):
    return [*(project.work / "results").rglob("*"), *(project.work / ".snakemake").rglob("*")]
