"""Numbers as people read them."""

import pytest

from fdsl.forecast.amount import Amount, Origin
from fdsl.forecast.table import hours, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, ""), (36, "0.01 m"), (5400, "1.5 m"), (359_640, "99.9 m"), (36_000_000, "10,000 m")],
)
def test_hours(seconds, text):
    assert hours(Amount.of(seconds, Origin.MEASURED)) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (999, "999 B a"),
        (1_500, "1.5 KB a"),
        (88e9, "88 GB a"),
        (4.54e12, "4.54 TB a"),
        (5e18, "5e+03 PB a"),
    ],
)
def test_bytes(count, text):
    assert size(Amount.of(count, Origin.ASSUMED)) == text
