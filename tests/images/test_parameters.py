"""Parameter files that others made: they are checked as wholes, and the formulas check their
values.
"""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fdsl import formulas
from fdsl.images import parameters
from fdsl.images.export.imported import read_parameters
from fdsl.images.parameters import KEY, Parameters, content_digest, read_table
from fdsl.io.storage import DamagedFile

SYSTEM = {
    "map": np.arange(2, dtype=np.int32),
    **{name: np.array([0.3, -0.2]) for name in "abcdef"},
    "p": np.array([0.5, 0.5]),
}


def write(path, columns, *, about=None):
    """Write one category as `fdsl import` does; the digest is right unless `about` says another."""
    rows = len(next(iter(columns.values())))
    content = content_digest(Parameters(columns, np.array([0, rows], np.int64)))
    held = {"formula": "fractaldb", "classes": 1, "content": content}
    table = pa.table({"category": np.zeros(rows, np.int64), **columns})
    text = json.dumps(held if about is None else about)
    pq.write_table(table.replace_schema_metadata({KEY: text.encode()}), path)
    return path


def test_a_whole_file_is_read(tmp_path):
    found, _ = read_table(write(tmp_path / "p.parquet", SYSTEM))
    assert found.classes == 1
    np.testing.assert_array_equal(found.of(0)["a"], SYSTEM["a"])


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ([1], "is not a parameter file"),
        ({"classes": 10**18, "content": ""}, "1000000000000000000 categories in 2 rows"),
        ({"classes": 0, "content": ""}, "0 categories in 2 rows"),
        ({"classes": "many", "content": ""}, "is not a parameter file"),
        ({"classes": [1], "content": ""}, "is not a parameter file"),
        ({"classes": float("inf"), "content": ""}, "is not a parameter file"),
        ({"classes": 1, "content": "0" * 64}, "its digest differs"),
    ],
)
def test_what_a_file_says_of_itself_is_checked_before_memory_is_taken(about, message, tmp_path):
    with pytest.raises(DamagedFile, match=message):
        read_table(write(tmp_path / "p.parquet", SYSTEM, about=about))


def test_equal_rows_cannot_fill_the_memory(tmp_path, monkeypatch):
    columns = {name: np.zeros(200_000) for name in "abcdefp"}
    path = write(tmp_path / "p.parquet", columns)
    monkeypatch.setattr(parameters, "LARGEST_BYTES", 8 * 8 * 200_000 - 1)
    assert path.stat().st_size < 10_000
    with pytest.raises(DamagedFile, match="200,000 rows take more than"):
        read_table(path)


@pytest.mark.parametrize(
    "odd", [pa.array(["x", "y"]), pa.array([[1.0], [2.0]]), pa.array([b"x", b"y"])]
)
def test_columns_without_numbers_are_refused(odd, tmp_path):
    path = write(tmp_path / "p.parquet", SYSTEM)
    table = pq.read_table(path).append_column("odd", odd)
    pq.write_table(table, path)
    with pytest.raises(DamagedFile, match="the columns odd hold no numbers"):
        read_table(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.array([np.nan, 0.1])}, "not finite or beyond"),
        ({"a": np.array([1e30, 0.1])}, "not finite or beyond"),
        ({"p": np.array([-0.5, 1.5])}, "must be at least 0 and sum to 1"),
        ({"p": np.array([0.5, 0.1])}, "must be at least 0 and sum to 1"),
    ],
)
def test_values_that_are_no_system_stop_at_the_formula_not_in_a_kernel(change, message, tmp_path):
    path = write(tmp_path / "p.parquet", SYSTEM | change)
    known = read_parameters(path, formula="fractaldb")
    formula = formulas.get("fractaldb")
    with pytest.raises(ValueError, match=message):
        formula.render(formula.Settings(), known.of(0), seed=0, category=0, instance=0)
