"""The parts of a tiny training as fixtures."""

import pytest
from train import tiny_training


@pytest.fixture
def source_of():
    return tiny_training.Images


@pytest.fixture
def entry():
    return tiny_training.ENTRY


@pytest.fixture
def recipe():
    return tiny_training.recipe
