"""Locks that die with their process, so that nothing needs unlocking after a kill or a power cut."""

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
def holding(folder: Path) -> Iterator[bool]:
    """Hold an exclusive lock on a folder itself while the block runs, and say whether that worked;
    nothing is written.
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
def alone(path: str | Path, *, doing: str) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs; wait for another holder, and say so.

    Parameters
    ----------
    path
        Made if missing, with its folder; it stays there, empty.
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
    """Tidy what a killed Snakemake left behind, so that the same command goes on; a living one is
    left alone.

    Snakemake's own locks, and its marks on the outputs of jobs in progress, are files that only a
    clean end removes: after a SIGKILL or a power cut it asks for `--unlock` and
    `--rerun-incomplete`. Every Snakemake of this workflow therefore shares a lock of the kernel's
    until it ends. Whoever gets that lock for itself alone knows that no other lives, removes the
    stale locks, and removes the marked outputs with their marks. Those outputs were moved into
    place whole, but Snakemake has not noted what they were made from.

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
        # another one lives, or is tidying at this moment: then wait
        fcntl.flock(file, fcntl.LOCK_SH)
        log.warning(
            "another Snakemake of this workflow is at work in this folder: where their files meet,"
            " this one stops (locked directory, incomplete files); run it again when the other has"
            " ended"
        )
        return
    for lock in (folder / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    marks = folder / "incomplete"
    for mark in [path for path in marks.rglob("*") if path.is_file()]:
        output = Path(_marked(mark.relative_to(marks)))
        # the outputs of this workflow lie below the working directory; a mark that says otherwise
        # came from elsewhere
        if output.is_absolute() or ".." in output.parts or not output.parts:
            log.warning("%s marks %s, which is left alone", mark, output)
        else:
            _remove(folder.parent / output)
        mark.unlink()
    fcntl.flock(file, fcntl.LOCK_SH)


def _remove(output: Path) -> None:
    """Remove a file, or a folder with all that is in it, or nothing."""
    if output.is_dir() and not output.is_symlink():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)


def _marked(mark: Path) -> str:
    """Return the output that a mark of Snakemake's stands for: base64 of its path, cut into folders
    @… where it is long.
    """
    return urlsafe_b64decode("".join(part.removeprefix("@") for part in mark.parts)).decode()
