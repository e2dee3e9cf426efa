from __future__ import annotations

import numpy as np
import pytest

from fdsl.formulas import constants

TYPES = {"sides": "int32", "radius": "float64"}
LIMITS = {"sides": (1, 9), "radius": (0.0, 2.0)}


def test_a_row_is_read_as_it_was_made():
    rows = constants.row(TYPES, 3, 0.5)
    assert [values.dtype.name for values in rows.values()] == ["int32", "float64"]
    read = constants.read(rows, LIMITS)
    assert read == {"sides": 3, "radius": 0.5}
    assert [type(value) for value in read.values()] == [int, float]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"sides": [3]}, r"columns \['radius'\] are missing"),
        ({"sides": [], "radius": []}, "0 rows"),
        ({"sides": [3, 4], "radius": [1.0, 1.0]}, "2 rows"),
        ({"sides": [3], "radius": [1.0, 1.0]}, "2 rows"),
        ({"sides": [10], "radius": [1.0]}, "sides = 10 must be an integer from 1 to 9"),
        ({"sides": [2.5], "radius": [1.0]}, "sides = 2.5 must be an integer"),
        ({"sides": [3], "radius": [np.nan]}, "radius = nan must be a number from 0.0 to 2.0"),
        ({"sides": [np.inf], "radius": [1.0]}, "sides = inf must be an integer"),
    ],
)
def test_an_impossible_row_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        constants.read({name: np.array(values) for name, values in rows.items()}, LIMITS)
