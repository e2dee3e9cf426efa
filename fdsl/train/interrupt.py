"""Leaving early without losing work: signals of a scheduler, and a limit of wall time."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

EXIT_CODE = 85
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Interrupted(SystemExit):
    """The training saved a checkpoint and stopped on request; uncaught, the process ends with exit
    code 85.
    """

    def __init__(self, step: int) -> None:
        super().__init__(EXIT_CODE)
        self.step = step


class StopRequest:
    """Whether the training has been asked to stop: by a signal, or because its wall time is used
    up.
    """

    def __init__(self, *, wall_seconds: float | None = None) -> None:
        self._deadline = None if wall_seconds is None else time.monotonic() + wall_seconds
        self._signal: int | None = None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Remember a signal; the handler that `listening` installs."""
        self._signal = number

    def reason(self) -> str | None:
        """Return why to stop, or None."""
        if self._signal is not None:
            return f"signal {signal.Signals(self._signal).name}"
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "wall time is used up"
        return None


@contextmanager
def listening(*, wall_seconds: float | None) -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGUSR1 into a StopRequest while the block runs (in the main thread;
    elsewhere wall time only).
    """
    request = StopRequest(wall_seconds=wall_seconds)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.receive) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
