import subprocess
import sys
import textwrap
from base64 import urlsafe_b64encode

import pytest

from fdsl.io import locks


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
    code = (
        "from pathlib import Path; from fdsl.io import locks;"
        f" locks.recover(Path({str(folder)!r})); {then}"
    )
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


@pytest.mark.parametrize("marked", ["../{}", "results/../../{}", "{}/absolute", "."])
def test_marks_of_others_remove_nothing_outside(folder, marked):
    """Nor the working directory itself."""
    precious = folder.parent.with_name(f"{folder.parent.name}-precious")
    (precious / "absolute").mkdir(parents=True)
    name = marked.format(precious if "absolute" in marked else precious.name)
    mark = folder / "incomplete" / urlsafe_b64encode(name.encode()).decode()
    mark.write_text("")
    subprocess.run(recovering(folder), check=True)
    assert (precious / "absolute").is_dir()
    assert not mark.exists()
    assert (folder.parent / "results/done.json").exists()


def test_a_folder_without_traces_is_fine(tmp_path):
    subprocess.run(recovering(tmp_path / ".snakemake"), check=True)
    assert (tmp_path / ".snakemake" / "fdsl.lock").exists()


def test_a_folder_in_progress_is_removed_too(folder):
    composed = folder.parent / "results/marked.json"
    composed.unlink()
    (composed / "train").mkdir(parents=True)
    (composed / "train/half.png").write_bytes(b"half")
    subprocess.run(recovering(folder), check=True)
    assert not composed.exists()


def test_none_is_left_alone_only_because_it_came_second(folder):
    """Two live; the first one ends; a third one must still see the second."""
    first, second = (
        subprocess.Popen(
            recovering(folder, "print('held', flush=True); input()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    for living in (first, second):
        assert living.stdout.readline() == "held\n"
    (folder / "locks").mkdir(exist_ok=True)
    (folder / "locks" / "0.output.lock").write_text("b\n")
    first.communicate("\n")
    subprocess.run(recovering(folder), check=True)
    assert (folder / "locks" / "0.output.lock").exists()
    second.communicate("\n")
    subprocess.run(recovering(folder), check=True)
    assert not (folder / "locks" / "0.output.lock").exists()


def test_the_second_waits_for_the_first_to_end(tmp_path):
    path = tmp_path / "run.lock"
    code = f"""
from fdsl.io import locks
with locks.file_lock({str(path)!r}, doing="training"):
    print("second", flush=True)
"""
    with locks.file_lock(path, doing="training"):
        second = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=2)
    said, logged = second.communicate(timeout=30)
    assert said == "second\n"
    assert "another process is training; waiting for it to end" in logged
