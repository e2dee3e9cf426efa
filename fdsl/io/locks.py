"""Kernel locks, which end with their process: a kill or a power cut leaves nothing to unlock."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
_held: list[IO[str]] = []


@contextmanager
def try_lock(folder: Path) -> Iterator[bool]:
    """Try to hold an exclusive lock on a folder during the block; yield whether it is held.

    Nothing is written to the folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@contextmanager
def file_lock(path: str | Path, *, doing: str) -> Iterator[None]:
    """Hold an exclusive lock on a file during the block; wait for another holder and log that.

    Parameters
    ----------
    path
        Made if missing, with its folder; stays there, empty.
    doing
        What another holder is doing, for the log.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("another process is %s; waiting for it to end", doing)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def recover(folder: Path) -> None:
    """Remove stale locks and incomplete outputs; do nothing while another instance runs.

    Snakemake's own locks, and its marks on the outputs of running jobs, are files that only a clean
    exit removes: after a SIGKILL or a power cut it asks for `--unlock` and `--rerun-incomplete`.
    Every Snakemake of this workflow therefore shares a kernel lock until it exits. One that gets
    this lock exclusively knows that no other runs, so it removes the stale locks and the marked
    outputs with their marks. (Those outputs are complete, but Snakemake has no metadata of them.)

    Parameters
    ----------
    folder
        The `.snakemake` folder of the working directory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "fdsl.lock").open("a")
    _held.append(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # another instance runs, or is cleaning up at this moment: then wait
        fcntl.flock(file, fcntl.LOCK_SH)
        log.warning(
            "another Snakemake of this workflow runs in this folder; if this one stops (locked"
            " directory, incomplete files), run it again when the other has ended"
        )
        return
    for lock in (folder / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    marks = folder / "incomplete"
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        output = Path(_marked(mark.relative_to(marks)))
        # outputs of this workflow are below the working directory; other marks are not ours
        if output.is_absolute() or ".." in output.parts or not output.parts:
            log.warning("%s marks %s, which is left alone", mark, output)
        else:
            _remove(folder.parent / output)
        mark.unlink()
    fcntl.flock(file, fcntl.LOCK_SH)


def _remove(output: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if output.is_dir() and not output.is_symlink():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)


def _marked(mark: Path) -> str:
    """Return the output path of a mark: base64, split into folders that begin with @ if long."""
    return urlsafe_b64decode("".join(part.removeprefix("@") for part in mark.parts)).decode()
