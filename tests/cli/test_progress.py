"""Progress of a loop in a log."""

import logging

import pytest

from fdsl.cli import progress


@pytest.fixture
def clock(monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="fdsl")
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_does_not_count_the_start(clock, caplog):
    def work():
        clock[0] = 60.0  # workers start
        for k in range(101):
            yield k
            clock[0] += 1.0

    assert list(progress.track(work(), total=101, unit="images", title="x")) == list(range(101))
    assert caplog.messages[0] == "x: 11 of 101 images, 1 images/s, 90 s left"
    assert caplog.messages[-1] == "x: 101 of 101 images, 0.63 images/s, 0 s left"


def test_slow_work_has_a_rate_too(clock, caplog):
    def work():
        for k in range(3):
            clock[0] += 25.0
            yield k

    list(progress.track(work(), total=3, unit="images", title="x"))
    assert caplog.messages[0] == "x: 2 of 3 images, 0.04 images/s, 25 s left"
