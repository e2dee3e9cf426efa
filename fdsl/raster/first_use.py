"""Compiling without its memory: once for each version of the kernels, in a process that ends with
it.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context

from fdsl.io import locks
from fdsl.raster import CACHE_FOLDER


def compile_apart(name: str, draw: Callable[[], object]) -> None:
    """Let another process compile the kernels that `draw` uses, if nobody has yet; here they will
    be loaded.

    A compiler at work takes up to 80 MB that stay with its process, as much again as all else that
    a drawing process needs. Processes that ask at once wait for one of them.

    Parameters
    ----------
    name
        Of what is drawn, as a part of a file's name: whoever draws the same needs the same kernels.
    draw
        Draws anything that needs all of them; can be pickled. When it fails, the kernels are
        compiled here.
    """
    mark = CACHE_FOLDER / f"{name}.compiled"
    if mark.exists():
        return
    with locks.file_lock(CACHE_FOLDER / f"{name}.lock", doing=f"compiling the kernels of {name}"):
        if mark.exists():
            return
        process = get_context("spawn").Process(target=draw)
        process.start()
        process.join()
        if process.exitcode == 0:
            mark.touch()
