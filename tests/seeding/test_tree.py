import numpy as np
import pytest
from hypothesis import given, strategies as st

from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

paths = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5).map(tuple)
GOLDEN_STATE = [3720262131340692736, 13631297208863701589, 3698914648000016401, 7136968600954273938]
GOLDEN_INTEGERS = [376407431, 1068277990, 3759147845]
roots = st.integers(0, tree.MAX_SEED)


@given(roots, paths)
def test_a_branch_is_a_function_of_root_and_path(root, path):
    first, again = tree.generator(root, *path), tree.generator(root, *path)
    assert np.array_equal(first.random(4), again.random(4))
    assert np.array_equal(tree.kernel_state(root, *path), tree.kernel_state(root, *path))


@given(roots, paths, paths)
def test_other_branches_differ(root, path, other):
    if path != other:
        assert not np.array_equal(tree.kernel_state(root, *path), tree.kernel_state(root, *other))


def test_the_numbers_never_change():
    """Goldens: whoever changes these changes every dataset that was ever made."""
    assert tree.kernel_state(0, 1, 2, 3, Stage.RENDER).tolist() == GOLDEN_STATE
    assert (
        tree.generator(7, 1, 2, 3, Stage.PARAMETERS).integers(0, 2**32, 3).tolist()
        == GOLDEN_INTEGERS
    )


@pytest.mark.parametrize("root", [-1, 2**63])
def test_a_root_out_of_range_is_refused(root):
    with pytest.raises(ValueError, match=r"seed .* is out of range"):
        tree.sequence(root, 1)


@pytest.mark.parametrize("part", [-1, 2**32])
def test_a_path_out_of_range_is_refused(part):
    with pytest.raises(ValueError, match="seed path"):
        tree.sequence(0, part)
