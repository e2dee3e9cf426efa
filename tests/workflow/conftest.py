"""The workflow in a folder of its own: as it is, and with a tiny laptop scale."""

import pytest
from workflow.checkout import checkout, shrink


@pytest.fixture
def project(tmp_path):
    """The project as it is, without results."""
    return checkout(tmp_path)


@pytest.fixture
def tiny(project):
    """The project with a laptop scale of seconds: scratch against FractalDB on Digits, one seed."""
    return shrink(project)
