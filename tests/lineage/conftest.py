import os
import shutil
from pathlib import Path

import pytest
from lineage.finished import expected, finish


@pytest.fixture(scope="session")
def wanted():
    """What the checkout's configuration asks for."""
    return expected()


@pytest.fixture(scope="session")
def once(tmp_path_factory, wanted):
    """A finished table 3 that nobody changes."""
    folder, before = tmp_path_factory.mktemp("finished"), Path.cwd()
    os.chdir(folder)
    try:
        jobs = finish(wanted)
    finally:
        os.chdir(before)
    return folder, jobs


@pytest.fixture
def finished(once, tmp_path, monkeypatch):
    """The jobs of a finished table 3, which lies in the working directory and may be changed."""
    folder, jobs = once
    shutil.copytree(folder / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return jobs
