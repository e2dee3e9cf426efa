"""Parameters, images, splits, order and augmentation have one digest, however the work is shared,
and go on where it stopped.

What is trained from them is compared in `test_processes.py` and `test_fit.py`.
docs/reproducibility.md names these tests.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from train import same_bits
from train.tiny_training import everything_random, pretrain

TESTS = Path(__file__).parents[1]
# Measured on x86-64. Another value is another dataset, split or order: change one only with the
# seed tree or a formula.
GOLDEN = {
    "parameters": "24833bb0d7fe9cb2",
    "images": "85244dd5af8d6643",
    "splits": "d7d643fb0fd1a6f1",
    "order": "8d7d5edef49d0d07",
    "augmentation": "2edd3d46dd3d8050",
}
WAYS = {
    "workers": {"workers": 2, "shards": 0, "processes": 1, "start": 0},
    "one shard": {"workers": 0, "shards": 1, "processes": 1, "start": 0},
    "three shards": {"workers": 0, "shards": 3, "processes": 1, "start": 0},
    "two processes": {"workers": 0, "shards": 0, "processes": 2, "start": 0},
    "four processes": {"workers": 0, "shards": 0, "processes": 4, "start": 0},
    "a second run": {"workers": 0, "shards": 0, "processes": 1, "start": 3},
    "all at once": {"workers": 2, "shards": 3, "processes": 2, "start": 2},
}


@pytest.fixture(scope="module")
def plain():
    return same_bits.digests(workers=0, shards=0, processes=1, start=0)


def test_the_digests_are_the_known_ones(plain):
    exact = {name: value for name, value in plain.items() if name != "network"}
    assert exact == GOLDEN


@pytest.mark.parametrize("way", WAYS)
def test_however_the_work_is_shared_the_bits_are_the_same(way, plain):
    assert same_bits.digests(**WAYS[way]) == plain


def test_another_seed_changes_every_digest(plain, monkeypatch):
    monkeypatch.setattr(same_bits, "SEED", same_bits.SEED + 1)
    other = same_bits.digests(workers=0, shards=0, processes=1, start=0)
    assert not {name for name in plain if other[name] == plain[name]}


def elsewhere(**environment):
    """Return the digests of a process with another environment."""
    script = Path(same_bits.__file__)
    packages = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script, "0", "0", "1", "0"],
        env=os.environ | {"PYTHONPATH": packages} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_order_of_hashes_locale_and_hour_play_no_part(plain):
    found = elsewhere(PYTHONHASHSEED="123", LC_ALL="C", TZ="Pacific/Kiritimati")
    assert found == plain


@pytest.mark.faults
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the switches are those of x86-64")
def test_a_processor_without_wide_registers_and_fused_arithmetic_gives_the_same(plain, tmp_path):
    """Numba, NumPy, torch and the C library are told to do without AVX, AVX2, AVX-512 and FMA, as
    older processors must.
    """
    from numpy._core import _multiarray_umath as numpy_kernels

    wide = [k for k in numpy_kernels.__cpu_dispatch__ if numpy_kernels.__cpu_features__.get(k)]
    narrow = {
        "NUMBA_CPU_NAME": "x86-64",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
        "ATEN_CPU_CAPABILITY": "default",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4,-AVX512F",
    }
    obeyed = (
        "import numba, torch; from numpy._core import _multiarray_umath as m; assert"
        " torch.backends.cpu.get_cpu_capability() == 'DEFAULT'; assert not [k for k in"
        " m.__cpu_dispatch__ if m.__cpu_features__[k]]; assert numba.config.CPU_NAME == 'x86-64'"
    )
    subprocess.run([sys.executable, "-c", obeyed], env=os.environ | narrow, check=True)
    found = elsewhere(**narrow)
    assert {**found, "network": ""} == {**plain, "network": ""}


def trained(folder, **devices):
    pretrain(folder, recipe=everything_random(epochs=2), devices=devices)
    return (folder / "model.safetensors").read_bytes()


def test_on_one_machine_a_training_ends_with_the_same_bits_deterministic_or_not(tmp_path):
    once = trained(tmp_path / "a", deterministic=True)
    assert trained(tmp_path / "b", deterministic=True) == once
    assert trained(tmp_path / "c", deterministic=False) == once  # a CPU has no other kernels
    assert not torch.are_deterministic_algorithms_enabled()
