"""What must be the same after every way to the end."""

import csv
import json

from fdsl.io.checksums import digest

# What a record says of the machine, the day and the way to the end.
CIRCUMSTANCES = {"environment", "cost", "started", "finished", "outputs", "checksum"}
DURATION = "images_per_second"
# Files that hold a time, so that their digests differ.
TIMED = ("record.json", "metrics.jsonl", "runs.csv", "runs.fragment.html")
COSTS = {"minutes", "images_per_second", "restarts"}  # columns of the list of runs
KEPT_APART = ("/tensorboard/", "benchmarks/")  # curves for TensorBoard, Snakemake's measurements


def held(project):
    """Return {name: what it holds} of all files of the results: digests, and the content of records
    without circumstances.

    Left out are event files of TensorBoard, Snakemake's measurements, the locks of trainings, which
    stay, and the list of runs as HTML, of which results/runs.csv says the same; a checkpoint or a
    half-written file is not.
    """
    root = project.work / "results"
    files = [path for path in root.rglob("*") if path.is_file()]
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {
        name: _content(path)
        for name, path in sorted(names.items())
        if not any(part in name for part in KEPT_APART)
        and not name.endswith((".lock", "runs.fragment.html"))
    }


def differing(found, expected):
    """Return the names of what is missing, more, or another."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def _content(path):
    if path.name.endswith("record.json"):
        record = json.loads(path.read_text())
        read = record.get("inputs", {}).items()
        inputs = {name: None if name.endswith(TIMED) else sha256 for name, sha256 in read}
        kept = {key: value for key, value in record.items() if key not in CIRCUMSTANCES}
        return kept | {"inputs": inputs}
    if path.name == "metrics.jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [{key: value for key, value in line.items() if key != DURATION} for line in lines]
    if path.name == "runs.csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{key: value for key, value in row.items() if key not in COSTS} for row in rows]
    if path.name == "index.html":
        # the list of runs says how long each took
        return path.read_text().partition('<h2 id="runs">')[0]
    return digest(path)
