"""One undisturbed run of the whole tiny workflow, and the book in which what the faults did is
noted.
"""

import os
import time
from pathlib import Path

import pytest
from faults import summary
from faults.results import held
from faults.strikes import durations
from faults.tiny import reduce
from workflow.checkout import checkout


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The project after a run without faults."""
    project = reduce(checkout(tmp_path_factory.mktemp("undisturbed")))
    built = project.snakemake("--cores", "2")
    assert built.returncode == 0, built.stdout + built.stderr
    return project


@pytest.fixture(scope="session")
def expected(undisturbed):
    """What every way to the end must leave."""
    return held(undisturbed)


@pytest.fixture(scope="session")
def typical(undisturbed):
    """{rule: seconds of one undisturbed job}."""
    return durations(undisturbed)


@pytest.fixture
def struck(undisturbed, tmp_path):
    """The same project with an empty working directory."""
    return undisturbed.elsewhere(tmp_path / "work")


@pytest.fixture
def note(request):
    """A function that notes rows about the faults of a test; they go to the file $FAULTS_SUMMARY,
    if that is set.
    """
    began = time.monotonic()

    def write(section, rows, **about):
        if path := os.environ.get("FAULTS_SUMMARY"):
            seconds = round(time.monotonic() - began, 1)
            summary.note(Path(path), section, rows=rows, about={**about, "seconds": seconds})

    return write
