import subprocess
import sys
import textwrap
from base64 import urlsafe_b64encode

import pytest

from fdsl import locks


@pytest.fixture
def folder(tmp_path):
    """A .snakemake folder as a SIGKILL leaves it: locks, and a mark on an output in progress."""
    snakemake = tmp_path / ".snakemake"
    (snakemake / "locks").mkdir(parents=True)
    (snakemake / "locks" / "0.input.lock").write_text("a\n")
    (tmp_path / "results").mkdir()
    for name in ["results/marked.json", "results/done.json"]:
        (tmp_path / name).write_text("{}")
    for name in ["results/marked.json", "results/" + "long" * 60 + ".json"]:
        code = urlsafe_b64encode(name.encode()).decode()
        parts = [code[k : k + 254] for k in range(0, len(code), 254)]
        mark = snakemake.joinpath("incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1])
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("")
    return snakemake


def recovering(folder, then=""):
    code = f"from pathlib import Path; from fdsl import locks; locks.recover(Path({str(folder)!r})); {then}"
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_what_a_killed_snakemake_left_is_tidied(folder):
    subprocess.run(recovering(folder), check=True)
    assert not list((folder / "locks").iterdir())
    assert not [mark for mark in (folder / "incomplete").rglob("*") if mark.is_file()]
    assert sorted(path.name for path in (folder.parent / "results").iterdir()) == ["done.json"]


def test_a_living_snakemake_is_left_alone(folder):
    living = subprocess.Popen(
        recovering(folder, "print('held', flush=True); input()"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert living.stdout.readline() == "held\n"
    (folder / "locks" / "0.output.lock").write_text("b\n")
    (folder.parent / "results" / "marked.json").write_text("{}")
    subprocess.run(recovering(folder), check=True)
    assert (folder / "locks" / "0.output.lock").exists()
    assert (folder.parent / "results" / "marked.json").exists()
    living.communicate("\n")
    subprocess.run(recovering(folder), check=True)
    assert not list((folder / "locks").iterdir())


@pytest.mark.parametrize("name", ["../precious", "results/../../precious", "absolute"])
def test_marks_of_others_remove_nothing_outside(folder, name):
    precious = folder.parent.parent / "precious"
    precious.write_text("x")
    marked = str(precious) if name == "absolute" else name
    mark = folder / "incomplete" / urlsafe_b64encode(marked.encode()).decode()
    mark.write_text("")
    subprocess.run(recovering(folder), check=True)
    assert precious.read_text() == "x"
    assert not mark.exists()
    precious.unlink()


def test_a_folder_without_traces_is_fine(tmp_path):
    subprocess.run(recovering(tmp_path / ".snakemake"), check=True)
    assert (tmp_path / ".snakemake" / "fdsl.lock").exists()


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    assert locks.hold(tmp_path / "deep" / "lock")
    code = f"from fdsl import locks; print(locks.hold({str(tmp_path / 'deep' / 'lock')!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == "False\n"
    locks._held.pop().close()


def test_the_second_waits_for_the_first_to_end(tmp_path):
    path = tmp_path / "run.lock"
    code = f"""
from fdsl import locks
with locks.alone({str(path)!r}, doing="training"):
    print("second", flush=True)
"""
    with locks.alone(path, doing="training"):
        second = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=2)
    said, logged = second.communicate(timeout=30)
    assert said == "second\n"
    assert "another process is training; waiting for it to end" in logged
