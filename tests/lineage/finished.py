"""A finished table without its computations: files of a few bytes, with the records that the jobs
behind it would leave.
"""

import csv
import json
import random
from pathlib import Path

from workflow.configured import job_table

from fdsl.io import checksums, records as record_files, storage
from fdsl.lineage.expected import Expected
from fdsl.workflow.jobs import on_disk

TABLE = "results/tables/table3.csv"
ENVIRONMENT = {
    "python": "3.11.7",
    "system": "Linux",
    "processor": "test",
    "cores": 2,
    "fdsl": "0.1.0",
    "snakemake": "9.27.1",
}
CELL = ("FractalDB-1k", "Digits, 200 labels")


def expected(**changes):
    """Return what config.yaml with changes makes."""
    return Expected.by(job_table(**changes))


def finish(wanted, target=TABLE):
    """Make a target and everything that it is made from, in the working directory."""
    jobs = wanted.jobs
    makers = {path: job for job in jobs.values() for path in job.outputs.values()}
    done = set()

    def make(job):
        if job.record in done:
            return
        done.add(job.record)
        for path in job.recorded_inputs:
            if path in makers:
                make(makers[path])
        run(job)

    make(makers[target])
    return {name: jobs[name] for name in done}


def run(job):
    """Leave what a job leaves."""
    rng = random.Random(job.record)
    made = outputs(job)
    for path in made:
        storage.write_bytes(path, content(job, path, rng))
    if "digest" in job.outputs:  # the small digest beside a large file
        large = Path(made[0])
        digest = {"file": large.name, **checksums.digest_and_size(large)}
        storage.write_json(job.outputs["digest"], digest)
    inputs = {path: checksums.digest(on_disk(path)) for path in job.recorded_inputs}
    record_files.write(
        job.record,
        {
            "kind": job.rule,
            "run": job.spec.get("run", job.name),
            "seed": job.spec.get("run_seed", job.spec.get("seed")),
            **({"pretraining": job.spec["pretraining"]} if "pretraining" in job.spec else {}),
            **(
                {"settings": {"weights": 2, "points": 3000}}
                if job.rule == "sample_parameters"
                else {}
            ),
            "spec": job.spec,
            "started": "2026-01-02T03:04:05+00:00",
            "code": job.code,
            "inputs": inputs,
            "environment": ENVIRONMENT,
        },
        outputs=made,
    )


def outputs(job):
    """Return what a job makes besides its record."""
    return [path for name, path in job.outputs.items() if name != "record"]


def content(job, path, rng):
    """Return a few bytes for a file; a table names the records of one cell."""
    if job.rule == "table" and path.endswith(".csv"):
        return table(job).encode()
    if job.rule == "fetch_downstream":
        part = {"images": 3, "per_class": [1, 2], "sha256": "0" * 64}
        return json.dumps(
            {"title": Path(path).stem, "parts": {"train": part, "test": part}}
        ).encode()
    return shaped(Path(path).suffix, rng)


def shaped(suffix, rng):
    """Return bytes that begin and end as their format wants."""
    noise = rng.randbytes(200)
    if suffix in {".json", ".jsonl"}:
        return b'{"number": %d}\n' % rng.randrange(10**9)
    if suffix == ".safetensors":
        header = b'{"head.weight": {"dtype": "U8", "shape": [200], "data_offsets": [0, 200]}}'
        return len(header).to_bytes(8, "little") + header + noise
    mark = {".arrow": b"ARROW1", ".parquet": b"PAR1"}.get(suffix, b"")
    return mark + (noise if mark else noise.hex().encode()) + mark


def table(job):
    lines = [["table", "row", "column", "reproduced", "sd", "replicates", "verdict", "record"]]
    mine = [
        path for path in job.recorded_inputs if "/finetune/fractaldb1k-vit_micro-digits-" in path
    ]
    other = [path for path in job.recorded_inputs if "/finetune/scratch-vit_micro-digits-" in path]
    lines.append(["table3", *CELL, "49.26", "7.78", "3", "not comparable", ";".join(mine)])
    lines.append(
        ["table3", "Scratch", CELL[1], "38.61", "2.90", "3", "not comparable", ";".join(other)]
    )
    lines.append(["table3", "Scratch", "Cars", "", "", "0", "not run", "none: no pictures"])
    rows = [",".join(f'"{cell}"' for cell in line) for line in lines]
    assert mine
    assert list(csv.reader(rows))[1][1:3] == list(CELL)
    return "\n".join(rows) + "\n"
