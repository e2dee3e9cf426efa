"""The workflow in a folder of its own: as it is, with a tiny laptop scale, and with table 3 of that
scale made.
"""

import pytest
from workflow.checkout import checkout, copy, shrink

TABLE = "results/tables/table3.csv"


@pytest.fixture
def project(tmp_path):
    """The project as it is, without results."""
    return checkout(tmp_path)


@pytest.fixture
def tiny(project):
    """The project with a laptop scale of seconds: scratch against FractalDB on Digits, two
    replicates.
    """
    return shrink(project)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The tiny project with its table 3: seen by all tests of a process, changed by none."""
    project = shrink(checkout(tmp_path_factory.mktemp("built")))
    made = project.snakemake("--cores", "2", targets=[TABLE])
    assert made.returncode == 0, made.stdout + made.stderr
    return project


@pytest.fixture
def finished(built, tmp_path):
    """A copy of the tiny project with its table 3, to be changed."""
    return copy(built, tmp_path)
