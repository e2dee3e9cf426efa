"""Worker processes that exit when their parent does, even after a SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any


@contextmanager
def process_pool(
    count: int, *, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of `count` worker processes.

    Raises
    ------
    ChildProcessError
        If a worker dies.
    """
    # spawn, because a forked child of a process with threads (numba, pyarrow) can hang
    with ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(initializer, initargs),
    ) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise ChildProcessError(
                "a worker process died: it was killed, perhaps for lack of memory, or printed its"
                f" reason above. Run the same command again, with fewer workers than {count} if"
                " memory is short"
            ) from None


def _begin(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    """Exit with the parent: workers hold both ends of the queue, so its SIGKILL closes neither."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
