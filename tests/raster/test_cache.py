"""The compiled kernels: where they are kept, that processes can start at once, and that they do
what their source says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from numba.core.caching import NullCache

import fdsl
from fdsl import raster

ROOT = Path(fdsl.__file__).parents[1]
DRAW = """
import hashlib, warnings
warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
from fdsl import formulas
small = {
    "fractaldb": dict(image_size_px=24, points=17_000, pad_px=2),  # enough for maps chosen in lanes
    "exfractaldb": dict(image_size_px=24, points=300, point_size_px=3),
    "rcdb": dict(image_size_px=48, broken_lines=5),
    "visualatom": dict(image_size_px=32, vertices=(9, 12), orbits=(3, 5)),
    "perlin": dict(image_size_px=16, octaves=2),
    "dead_leaves": dict(image_size_px=12, radii=((0.3, 1.0),)),
    "bezier": dict(image_size_px=16),
}
from fdsl.formulas import ifs
import numpy as np
digest = hashlib.sha256()
for name, options in small.items():
    formula = formulas.get(name)
    settings = formula.Settings(**options)
    rng = np.random.default_rng(7)
    if name == "rcdb":
        rows = {"vertices": [9], "polygons": [6], "noise": [20.0], "step": [1.0]}
        rows = {key: np.array(value) for key, value in rows.items()}
    elif "COEFFICIENTS" not in dir(formula):
        rows = formula.sample_category(settings, seed=1, category=17)
    else:
        system = rng.uniform(-0.6, 0.6, (3, len(formula.COEFFICIENTS)))
        rows = ifs.columns(formula.COEFFICIENTS, system, ifs.probabilities(system), candidate=1)
    for instance in (0, 1, 40):
        digest.update(formula.render(settings, rows, seed=1, category=2, instance=instance))
print(digest.hexdigest())
"""


def start(**environment) -> subprocess.Popen:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    command = [sys.executable, "-c", DRAW]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def test_compiled_kernels_do_what_their_source_does():
    interpreted = start(NUMBA_DISABLE_JIT="1")
    assert finish(start()) == finish(interpreted)


@pytest.mark.faults
def test_processes_that_start_at_once_without_a_cache(tmp_path):
    processes = [start(NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    assert len({finish(process) for process in processes}) == 1
    folders = list(tmp_path.iterdir())
    assert len(folders) == 1
    assert list(folders[0].rglob("*.nbc"))
    assert len({finish(start(NUMBA_CACHE_DIR=str(tmp_path)))}) == 1


def test_the_folder_follows_the_sources_and_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert raster.cache_folder().parent == tmp_path / "numba"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert raster.cache_folder().parent == tmp_path / "xdg" / "fdsl"
    key = raster.cache_key()
    for path in Path(raster.__file__).parent.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(raster, "__file__", str(tmp_path / "__init__.py"))
    assert raster.cache_key() == key
    (tmp_path / "noise.py").write_bytes(b"# edited\n" + (tmp_path / "noise.py").read_bytes())
    assert raster.cache_key() != key


def test_a_folder_that_cannot_be_written_is_replaced_by_a_private_one(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(raster.tempfile, "tempdir", str(tmp_path))
    folder = raster.cache_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0
    assert raster.cache_folder() == folder
    folder.chmod(0o777)
    assert raster.cache_folder() != folder


def test_all_kernels_have_one_signature():
    found = 0
    for path in Path(raster.__file__).parent.glob("[!_]*.py"):
        module = import_module(f"fdsl.raster.{path.stem}")
        for name, value in vars(module).items():
            kept = not isinstance(getattr(value, "_cache", NullCache()), NullCache)
            if kept and value.__module__ == module.__name__:
                assert len(value.signatures) == 1, name
                found += 1
    assert found > 15
