"""A disk that is full, and a folder that cannot be written: one clear error, and then the same
command goes on.
"""

import random
import subprocess

import pytest
from faults.complaints import complaints
from faults.results import differing, held

pytestmark = pytest.mark.faults

SEED = 20262
STEPS = 6  # sizes of the disk before it is large enough


@pytest.fixture
def mounted(struck):
    """The results folder as a mount of its own, and a function that changes the mount's options."""
    folder = struck.work / "results"
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder):
        pytest.skip(
            "mount is not allowed here, so no disk can be made full and no folder read-only"
        )
    try:
        yield (
            struck,
            lambda options: subprocess.run(
                ["mount", "-o", f"remount,{options}", str(folder)], check=True
            ),
        )
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments):
    command = ["mount", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def bytes_of(project):
    """Return the size of all results, in whole pages."""
    files = [path for path in (project.work / "results").rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files)


def test_a_full_disk_stops_with_the_file_s_name_and_with_space_the_same_command_ends_the_same(
    mounted, undisturbed, expected, note
):
    project, remount = mounted
    rng = random.Random(SEED)
    whole = bytes_of(undisturbed)
    shares = sorted(rng.uniform(0.01, 0.95) for _ in range(STEPS))
    rows = []
    for share in shares:
        kibibytes = max(16, round(share * whole / 1024))
        remount(f"size={kibibytes}k")
        stopped = project.snakemake("--cores", "2")
        said = stopped.stdout + stopped.stderr
        assert stopped.returncode != 0, f"{kibibytes} KiB were enough"
        found = complaints(project, said)
        assert found, said
        for message in found.values():
            assert "No space left on device" in message, message
            assert "results/" in message, message
        rules = ", ".join(f"`{rule}`" for rule in sorted(found))
        rows.append(
            {
                "fault": f"tmpfs of {kibibytes:,} KiB as results folder",
                "where": rules,
                "outcome": "stopped: “No space left on device” with the file's name",
            }
        )
    remount("size=1g")
    ended = project.snakemake("--cores", "2")
    wrong = differing(held(project), expected)
    rows.append(
        {
            "fault": "the same command with space again",
            "where": "all rules",
            "outcome": f"exit {ended.returncode}, {len(wrong)} of {len(expected)} files differ",
        }
    )
    note("disk", rows, seed=SEED)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not wrong


def test_a_results_folder_that_cannot_be_written_is_named(mounted, expected, note):
    project, remount = mounted
    remount("size=1g")
    first = "results/laptop/images/rcdb1k/shard-0000.arrow"
    built = project.snakemake("--cores", "2", targets=[first])
    assert built.returncode == 0, built.stdout + built.stderr
    before = held(project)
    remount("ro")
    target = "results/laptop/pretrain/rcdb1k-vit_micro-s0/record.json"
    stopped = project.snakemake("--cores", "2", targets=[target])
    said = stopped.stdout + stopped.stderr
    assert stopped.returncode != 0
    assert "Read-only file system, so nothing can be written" in said
    assert "Traceback" not in said, said
    assert held(project) == before
    remount("rw")
    ended = project.snakemake("--cores", "2", targets=[target])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = held(project)
    wrong = differing(found, {name: expected[name] for name in found})
    row = {
        "fault": "results folder mounted read-only",
        "where": "before the first job",
        "outcome": (
            "stopped: “Read-only file system” with the name; writable again, the same command ended"
            " the same"
        ),
    }
    note("read-only", [row])
    assert not wrong
