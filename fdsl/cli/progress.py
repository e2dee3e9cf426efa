"""Progress of a loop with its rate and the time left: a bar on a terminal, a line every ten seconds
in a log.
"""

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
    """Yield `items` and show how far the loop is."""
    lines = (
        _bar(items, total, unit, title)
        if sys.stderr.isatty()
        else _lines(items, total, unit, title)
    )
    yield from lines


def _bar(items: Iterable[Item], total: int, unit: str, title: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate="")
        begun = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            bar.update(
                task, advance=1, rate=f"{_number(done / (time.monotonic() - begun))} {unit}/s"
            )


def _lines(items: Iterable[Item], total: int, unit: str, title: str) -> Iterator[Item]:
    begun = first = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done == 1:  # it also waits for workers and compilers, which tells nothing about the rest
            first = said = now
        if now - said >= SECONDS_BETWEEN_LINES or done == total:
            rate = done / (now - begun) if done == total else (done - 1) / (now - first)
            log.info(
                "%s: %d of %d %s, %s %s/s, %.0f s left",
                title,
                done,
                total,
                unit,
                _number(rate),
                unit,
                (total - done) / rate,
            )
            said = now


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
