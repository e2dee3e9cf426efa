"""SIGKILL and a full disk: nothing that looks whole is left, and the same command goes on."""

import os
import resource
import signal
import subprocess
import sys

import pytest
from oracles.rendered import dataset, tree

from fdsl.images.export import manifest as manifest_file
from fdsl.images.export.render import FORMATS, render

CODE = """
import sys
import fdsl
from fdsl.images.export.render import render
small = {"classes": 3, "instances": 30, "image_size_px": 32, "points": 300}
def slow(items, *, unit, **_):
    for item in items:
        yield item
        if unit == "images" and item.index == 50:
            print("50", flush=True)
            sys.stdin.read()
dataset, (folder, format, size) = fdsl.load("fractaldb1k", **small), sys.argv[1:4]
render(dataset, folder, format=format, images_per_file=int(size), progress=slow)
"""


def quick(formats, *names):
    """Mark all formats but `names` as slow."""
    return [f if f in names else pytest.param(f, marks=pytest.mark.slow) for f in formats]


@pytest.mark.parametrize("format", quick(FORMATS, "png", "webdataset"))
def test_a_killed_run_goes_on(tmp_path, format):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, str(killed), format, "20"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout.readline() == b"50\n"
        child.send_signal(signal.SIGKILL)
    assert not (killed / "manifest.json").exists()
    assert sorted(p.name for p in killed.glob("provenance*")) == [
        manifest_file.provenance_name(0),
        manifest_file.provenance_name(1),
    ]
    assert len(list(killed.glob("data/*"))) == (0 if format == "png" else 2)
    manifest = render(dataset(), killed, format=format, images_per_file=20)
    assert manifest == render(dataset(), whole, format=format, images_per_file=20)
    assert tree(killed) == tree(whole)


@pytest.mark.parametrize("format", quick(FORMATS[1:], "parquet"))
def test_a_full_disk_leaves_nothing_that_looks_whole(tmp_path, format):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    run = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), format, "90"],
        preexec_fn=limit,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 1
    assert "File too large" in run.stderr
    assert not (tmp_path / "manifest.json").exists()
    assert not list(tmp_path.glob("provenance*"))
    assert not list(tmp_path.glob("data/*"))
    assert not list(tmp_path.glob(".*"))
    assert render(dataset(), tmp_path, format=format, images_per_file=90)["images"] == 90


def test_the_lock_dies_with_its_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from fdsl.io import locks\nwith"
        " locks.try_lock(Path(sys.argv[1])):\n print(1, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    with child:
        child.stdout.readline()
        with pytest.raises(ValueError, match="another process"):
            render(dataset(), tmp_path)
        child.kill()
    assert render(dataset(), tmp_path)["images"] == 90
