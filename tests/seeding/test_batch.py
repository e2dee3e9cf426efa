import numpy as np
import pytest
from hypothesis import given, strategies as st

from fdsl.seeding import tree
from fdsl.seeding.batch import uniforms

parts = st.integers(0, 2**32 - 1)
paths = st.integers(1, 6).flatmap(
    lambda length: st.lists(st.tuples(*[parts] * length), min_size=1, max_size=5)
)


@given(st.integers(0, tree.MAX_SEED), paths, st.integers(0, 6))
def test_they_are_what_a_generator_of_each_branch_draws(root, rows, draws):
    found = uniforms(root, np.array(rows, np.int64), draws=draws)
    expected = [tree.generator(root, *row).random(draws) for row in rows]
    assert np.array_equal(found, np.array(expected))


@pytest.mark.parametrize("root", [0, 1, 2**32 - 1, 2**32, tree.MAX_SEED])
def test_the_borders_of_the_ranges_are_right_too(root):
    rows = np.array([[0, 0, 0, 0], [2**32 - 1] * 4, [3, 2**31, 0, 4]], np.int64)
    expected = [tree.generator(root, *map(int, row)).random(3) for row in rows]
    assert np.array_equal(uniforms(root, rows, draws=3), np.array(expected))


def test_no_branch_gives_no_numbers():
    assert uniforms(0, np.empty((0, 4), np.int64), draws=2).shape == (0, 2)


@pytest.mark.parametrize("root", [-1, 2**63])
def test_a_root_out_of_range_is_refused(root):
    with pytest.raises(ValueError, match=r"seed -?\d+ is out of range"):
        uniforms(root, np.zeros((1, 1), np.int64), draws=1)


@pytest.mark.parametrize("part", [-1, 2**32])
def test_a_path_out_of_range_is_refused(part):
    with pytest.raises(ValueError, match=f"seed paths from {part} to {part} are out of range"):
        uniforms(0, np.array([[part]]), draws=1)


@pytest.mark.parametrize(("shape", "draws"), [((2,), 1), ((2, 0), 1), ((2, 1), -1)])
def test_shapes_that_mean_nothing_are_refused(shape, draws):
    with pytest.raises(ValueError, match="use draws >= 0 and paths of shape"):
        uniforms(0, np.zeros(shape, np.int64), draws=draws)
