"""A flipped bit, or a lost half, in every kind of file that a job reads: refused by name, or never
used.
"""

import os
import random
import re
import shutil
import time
from dataclasses import dataclass

import pytest
from faults.complaints import complaints, obey
from faults.jobs import Started
from faults.results import differing, held
from faults.tiny import DETECTED, PRETRAIN_LOG, PRETRAINED, TUNED

pytestmark = pytest.mark.faults

SEED = 20261


@dataclass(frozen=True)
class Case:
    """A kind of file, a pattern of its name, the job that reads it, and that job's files, of which
    the first is asked for.
    """

    kind: str
    file: str
    reader: str
    makes: tuple[str, ...]


SHARD = "results/laptop/images/rcdb1k/shard-0000"
PRETRAIN = f"results/laptop/pretrain/{PRETRAINED}"
FINETUNE = f"results/laptop/finetune/{TUNED}"
CHECKPOINTS = f"results/laptop/checkpoints/{PRETRAINED}"
COMPOSED = "results/laptop/composed/composed_pictures"
# In an order in which little is made again for the next one.
CASES = [
    Case(
        "fragment of a table",
        "results/tables/table3.fragment.html",
        "page",
        ("results/index.html",),
    ),
    Case("list of runs", "results/runs.fragment.html", "page", ("results/index.html",)),
    Case(
        "record of a fine-tuning",
        f"{FINETUNE}/record.json",
        "table",
        ("results/tables/table3.csv",),
    ),
    Case(
        "record of a probe",
        f"results/laptop/probe/{TUNED}/record.json",
        "table",
        ("results/tables/table3.csv",),
    ),
    Case(
        "attention maps",
        f"results/laptop/attention/{PRETRAINED}.npz",
        "figure",
        ("results/figures/figure5.png",),
    ),
    Case(
        "manifest of real pictures",
        "results/laptop/downstream/digits.json",
        "probe",
        (f"results/laptop/probe/{TUNED}/record.json",),
    ),
    Case(
        "composed picture",
        f"{COMPOSED}/train/*.png",
        "detect",
        (f"results/laptop/detect/{DETECTED}/record.json",),
    ),
    Case(
        "annotations of composed pictures",
        f"{COMPOSED}/annotations/instances_train.json",
        "detect",
        (f"results/laptop/detect/{DETECTED}/record.json",),
    ),
    Case(
        "parameters",
        "results/laptop/parameters/rcdb1k.parquet",
        "render_shard",
        (f"{SHARD}.arrow", f"{SHARD}.json"),
    ),
    Case(
        "digest of parameters",
        "results/laptop/parameters/rcdb1k.json",
        "render_shard",
        (f"{SHARD}.arrow", f"{SHARD}.json"),
    ),
    Case(
        "weights",
        f"{PRETRAIN}/model.safetensors",
        "attention",
        (f"results/laptop/attention/{PRETRAINED}.npz",),
    ),
    Case(
        "learning curve",
        f"{PRETRAIN}/metrics.jsonl",
        "figure",
        ("results/figures/training_curves.png",),
    ),
    Case("shard", f"{SHARD}.arrow", "pretrain", (f"{PRETRAIN}/record.json",)),
    Case("digest of a shard", f"{SHARD}.json", "pretrain", (f"{PRETRAIN}/record.json",)),
    Case(
        "record of a pre-training",
        f"{PRETRAIN}/record.json",
        "runs",
        ("results/runs.csv", "results/runs.fragment.html"),
    ),
]


def flip(path, rng):
    """Flip one bit and return which."""
    content = bytearray(path.read_bytes())
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place:,} of {len(content):,} flipped"


def truncate(path, rng):
    """Cut a file and return where."""
    content = path.read_bytes()
    kept = rng.randrange(len(content))
    path.write_bytes(content[:kept])
    return f"cut to {kept:,} of {len(content):,} bytes"


DAMAGES = {"flip": flip, "truncate": truncate}


def damage(path, how, rng):
    """Damage a file without a trace in its time, as a disk does."""
    times = path.stat()
    done = DAMAGES[how](path, rng)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return done


@pytest.fixture(scope="module")
def copied(undisturbed, tmp_path_factory):
    """A copy of the undisturbed results, with Snakemake's memory of them."""
    work = tmp_path_factory.mktemp("damage") / "work"
    shutil.copytree(undisturbed.work, work, symlinks=True)
    return undisturbed.elsewhere(work)


def build(project, *targets):
    return project.snakemake("--cores", "2", targets=targets)


def suffer(project, case, how, rng, expected):
    """Damage a file, have it read, do what the error says, and return a row for the summary."""
    (path, *_) = sorted(project.work.glob(case.file))
    done = damage(path, how, rng)
    for name in case.makes:
        (project.work / name).unlink()
    ran = build(project, case.makes[0])
    row = {"fault": done, "where": f"{case.kind}, read by `{case.reader}`"}
    if ran.returncode == 0:
        wrong = differing(held(project), expected)
        assert not wrong, f"{case.kind}, {done}: not noticed, and {wrong} differ"
        return row | {"outcome": "not noticed, nothing differs"}
    said = complaints(project, ran.stdout + ran.stderr)
    # another job that reads the file may come before, since a digest that was made again makes
    # others again
    assert said, f"{case.kind}, {done}: {ran.stdout + ran.stderr}"
    reader = case.reader if case.reader in said else min(said)
    row["where"] = f"{case.kind}, read by `{reader}`"
    deleted = obey(project, said[reader])
    again = build(project, case.makes[0])
    assert again.returncode == 0, again.stdout + again.stderr
    wrong = differing(held(project), expected)
    assert not wrong, f"{case.kind}, {done}, after {deleted} were deleted: {wrong} differ"
    return row | {"outcome": "refused by name; the same after the deletion that the error asks for"}


def test_damage_is_refused_by_name_or_never_used(copied, expected, note):
    rng = random.Random(SEED)
    rows, faults = [], []
    for case in CASES:
        for how in DAMAGES:
            try:
                rows.append(suffer(copied, case, how, rng, expected))
            except AssertionError as error:
                faults.append(f"{case.kind}, {how}: {error}")
                _restore(copied, rows, case, expected)
    rows += [_checkpoint(copied, kind, how, rng) for kind in ("pt", "json") for how in DAMAGES]
    note("damage", rows, seed=SEED)
    assert not faults, "\n\n".join(faults)


def _restore(project, rows, case, expected):
    """Make all of a case's files again, after a fault that was not handled."""
    for name in [case.file, *case.makes]:
        for path in project.work.glob(name):
            path.unlink()
    built = build(project)
    assert built.returncode == 0, built.stdout + built.stderr


def _checkpoint(project, suffix, how, rng):
    """Kill a pre-training after two checkpoints, damage the newest one, and let it go on from the
    one before.
    """
    weights = (project.work / PRETRAIN / "model.safetensors").read_bytes()
    shutil.rmtree(project.work / PRETRAIN)
    target = f"{PRETRAIN}/record.json"
    command = project.command("--cores", "2", targets=[target])
    started = Started(project, command, log=project.work.with_name("checkpoint.log"))
    while len(_saved(project)) < 2:
        assert not started.ended(), started.said()
        time.sleep(0.01)
    started.kill("all", None)
    newest = max(_saved(project))
    done = damage(newest.with_suffix(f".{suffix}"), how, rng)
    ran = build(project, target)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    log = (project.work / PRETRAIN_LOG).read_text()
    assert re.search(rf"checkpoint skipped: .*{newest.stem}", log), log
    assert re.search(r"resuming after update \d+", log), log
    assert (project.work / PRETRAIN / "model.safetensors").read_bytes() == weights
    what = "checkpoint" if suffix == "pt" else "description of a checkpoint"
    return {
        "fault": done,
        "where": f"newest {what}, read by `pretrain`",
        "outcome": "skipped; it went on from the one before and ended with the same weights",
    }


def _saved(project):
    return list((project.work / CHECKPOINTS).glob("step-*.json"))
