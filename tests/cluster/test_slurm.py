"""The SLURM profile on a real, small cluster: arrays, two nodes, and faults that must not change a
number.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pandas as pd
import pytest
from cluster.local_cluster import wait_for
from safetensors.numpy import load_file
from workflow.checkout import checkout, shrink

from fdsl.io.checksums import digest
from fdsl.io.storage import read_json

pytestmark = pytest.mark.cluster

TABLE = "results/tables/table3.csv"
RUN = "fractaldb1k-vit_micro-s0"
SHARDS = [f"results/laptop/images/fractaldb1k/shard-000{number}.arrow" for number in range(2)]
RECORD = f"results/laptop/pretrain/{RUN}/record.json"
LOG = "logs/laptop/pretrain/fractaldb1k-vit_micro.log"  # of all replicates
# 3,000 updates: SLURM looks at time limits every 30 s only, and the training must still be running
# then
EPOCHS = 750
SHORT = 100
# What depends on this cluster and on patience; everything else is the profile as it is.
HERE = [
    "--slurm-no-account",
    "--slurm-status-command",
    "squeue",
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--seconds-between-status-checks",
    "2",
    "--latency-wait",
    "20",
]


def reduced(folder, *, epochs):
    """Return the project with a scale of seconds, and a checkpoint every second."""
    project = shrink(checkout(folder), epochs=epochs)

    def exact(scale):
        scale.update(seeds=[0], shards={"default": len(SHARDS)})
        # Two processes share each batch and sum in another order. Half precision, as Muon's, would
        # round coarsely, and each of AdamW's steps carries a rounding on by up to its rate.
        exact = {"precision": "fp32", "optimizer": "adamw", "lr": 0.00025, "muon_lr_factor": None}
        scale["pretrain"][0]["override"].update(exact)

    project.edit("workflow/scales/laptop.yaml", exact)
    project.edit("config.yaml", lambda config: config.update(checkpoint_seconds=1, device="cpu"))
    return project


def locally(project, *targets):
    """Build targets without the cluster."""
    built = project.snakemake("--cores", "2", targets=targets)
    assert built.returncode == 0, built.stdout + built.stderr


@contextmanager
def sent(project, target, *options):
    """Build a target through the profile while the block runs; it must be built at its end."""
    output = project.work / "snakemake.log"
    command = [
        *[
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            project.root / "Snakefile",
            "--directory",
            project.work,
        ],
        *["--profile", project.root / "workflow/profiles/slurm", *HERE, *options, "--", target],
    ]
    # the nodes have no names that could be looked up: processes meet on the loopback device
    environment = project.environment() | {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    with output.open("w") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=project.root,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
        process.wait(timeout=600)
    except BaseException:
        sys.stderr.write(output.read_text()[-10_000:])
        raise
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def results(project):
    """Return what must be the same after every way to the end: digests of data and weights, results
    of records.
    """
    root = project.work / "results"
    files = [path for end in ("parquet", "arrow", "safetensors") for path in root.rglob(f"*.{end}")]
    held = {str(path.relative_to(root)): digest(path) for path in files}
    records = {
        str(path.relative_to(root)): read_json(path)["result"] for path in root.rglob("record.json")
    }
    assert held
    assert records
    return held | records


def newest_update(project):
    """Return the update of the newest checkpoint of the pre-training; -1 without one."""
    names = [
        path.stem for path in project.work.glob(f"results/laptop/checkpoints/{RUN}/step-*.json")
    ]
    return max((int(name.removeprefix("step-")) for name in names), default=-1)


class Pretraining:
    """The pre-training as SLURM and its checkpoints show it; each fault strikes when it has gone on
    since the one before.
    """

    def __init__(self, cluster, project, snakemake):
        self.cluster, self.project, self.snakemake = cluster, project, snakemake
        self.saved = -1

    def goes_on(self):
        """Wait until it runs and has left a new checkpoint; return the number of its job."""

        def running():
            assert self.snakemake.poll() is None, "Snakemake ended before the last fault"
            self.cluster.hasten()
            return newest_update(self.project) > self.saved and self.cluster.jobs("pretrain")

        (number,) = wait_for(running, what="the pre-training to go on", seconds=300)
        return number

    def stops(self):
        """Wait until nothing of it runs any more, and remember how far it came."""

        def stopped():
            alive = [
                state
                for state in ("RUNNING", "COMPLETING")
                if self.cluster.jobs("pretrain", state=state)
            ]
            return not alive

        wait_for(stopped, what="the pre-training to stop", seconds=120)
        self.saved = newest_update(self.project)


def test_the_table_is_the_same_through_every_fault(cluster, tmp_path):
    for name in ("local", "slurm"):
        (tmp_path / name).mkdir()
    undisturbed = reduced(tmp_path / "local", epochs=EPOCHS)
    project = reduced(tmp_path / "slurm", epochs=EPOCHS)
    locally(undisturbed, TABLE)

    with sent(project, TABLE) as snakemake:
        pretraining = Pretraining(cluster, project, snakemake)

        cluster.limit(pretraining.goes_on(), minutes=1)
        pretraining.stops()

        cluster.cancel(pretraining.goes_on())
        pretraining.stops()

        cluster.preempt(pretraining.goes_on())
        pretraining.stops()

        lost = cluster.node_of(pretraining.goes_on())
        cluster.kill_node(lost)
        wait_for(lambda: cluster.nodes()[lost].startswith("down"), what=f"{lost} to be missed")
        pretraining.stops()
        assert cluster.node_of(pretraining.goes_on()) != lost
    cluster.start_node(lost)
    said = (project.work / "snakemake.log").read_text()
    assert snakemake.returncode == 0, said
    assert re.search(r"Submitted array job with Snakemake IDs \d+,\d+ ", said)
    assert said.count("Trying to restart job") == 2, said
    assert read_json(project.work / RECORD)["cost"]["resumed"] == 4
    assert results(project) == results(undisturbed)
    pd.testing.assert_frame_equal(
        pd.read_csv(project.work / TABLE), pd.read_csv(undisturbed.work / TABLE)
    )


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A pre-training of seconds, built without the cluster."""
    project = reduced(tmp_path_factory.mktemp("short"), epochs=SHORT)
    locally(project, RECORD)
    return project


def test_two_nodes_share_a_pretraining_that_is_cancelled_once(cluster, short, tmp_path):
    project = reduced(tmp_path, epochs=SHORT)
    locally(project, *SHARDS)
    with sent(project, RECORD, "--config", "nodes_x_processes={vit_micro: 2x1}") as snakemake:
        pretraining = Pretraining(cluster, project, snakemake)
        number = pretraining.goes_on()
        assert cluster.node_of(number) == "n[1-2]"
        cluster.cancel(number)
        pretraining.stops()
    assert snakemake.returncode == 0
    log = (project.work / LOG).read_text()
    assert "process 0 of 2 on cpu" in log
    assert "process 1 of 2 on cpu" in log
    ours, theirs = (read_json(p.work / RECORD) for p in (project, short))
    assert ours["cost"]["resumed"] == 1
    assert ours["cost"]["device_seconds"] == 2 * ours["cost"]["wall_seconds"]
    assert ours["result"]["steps"] == theirs["result"]["steps"]
    found, expected = (
        load_file(p.work / f"results/laptop/pretrain/{RUN}/model.safetensors")
        for p in (project, short)
    )
    for name, tensor in expected.items():
        assert abs(found[name] - tensor).max() < 1e-3, name


@contextmanager
def mounted(folder, *options):
    """Mount something on a folder while the block runs; without the right to do so the test is
    skipped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("mount is not allowed here, so no disk can be made full or read-only")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def stops(project, words):
    """The pre-training must end without a record, and say why."""
    with sent(project, RECORD, "--retries", "0") as stopped:
        pass
    assert stopped.returncode != 0
    assert words in (project.work / "snakemake.log").read_text()
    assert not (project.work / RECORD).exists()


def test_a_full_or_read_only_disk_stops_with_a_clear_error_and_the_same_command_goes_on(
    cluster, short, tmp_path
):
    project = reduced(tmp_path, epochs=SHORT)
    locally(project, *SHARDS)
    folder = project.work / "results"
    with mounted(folder, "-o", "bind,ro", str(folder)):
        stops(project, "Read-only file system, so nothing can be written")
    checkpoints = project.work / "results/laptop/checkpoints"
    with mounted(checkpoints, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        stops(project, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=256m", str(checkpoints)], check=True)
        with sent(project, RECORD) as snakemake:
            pass
    assert snakemake.returncode == 0
    assert results(project) == results(short)
