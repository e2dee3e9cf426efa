"""A tiny image source, network and recipe, on which a training takes a second."""

import tiny_training
import pytest


@pytest.fixture
def pictures():
    return tiny_training.Pictures


@pytest.fixture
def entry():
    return tiny_training.ENTRY


@pytest.fixture
def recipe():
    return tiny_training.recipe


@pytest.fixture
def pretrain():
    return tiny_training.pretrain


@pytest.fixture
def finetune():
    return tiny_training.finetune
