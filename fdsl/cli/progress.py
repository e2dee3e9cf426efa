"""Progress of a loop: a bar on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 10

log = logging.getLogger(__name__)


def track(items: Iterable[Item], *, total: int, unit: str, title: str) -> Iterator[Item]:
    """Yield `items` and show how far the loop is, its rate and the time left."""
    show = _bar if sys.stderr.isatty() else _lines
    yield from show(items, total, unit, title)


def _bar(items: Iterable[Item], total: int, unit: str, title: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    rate = "{task.fields[rate]}"
    columns = (title, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate="")
        begun = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            per_second = _number(done / (time.monotonic() - begun))
            bar.update(task, advance=1, rate=f"{per_second} {unit}/s")


def _lines(items: Iterable[Item], total: int, unit: str, title: str) -> Iterator[Item]:
    begun = first = logged = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done == 1:  # includes the start of workers and compilation, unlike all others
            first = logged = now
        if now - logged >= SECONDS_BETWEEN_LINES or done == total:
            rate = done / (now - begun) if done == total else (done - 1) / (now - first)
            progress = f"{title}: {done} of {total} {unit}, {_number(rate)} {unit}/s"
            log.info("%s, %.0f s left", progress, (total - done) / rate)
            logged = now


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
