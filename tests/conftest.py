"""No test reaches beyond this machine, nor does what a test starts: neither verbs, nor trainings,
nor Snakemake.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from offline import sitecustomize

FOLDER = str(Path(sitecustomize.__file__).parent)

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [FOLDER, os.environ.get("PYTHONPATH")]))
os.environ[sitecustomize.LOG] = str(Path(tempfile.mkdtemp(prefix="fdsl-network-")) / "log")


def pytest_collection_modifyitems(items):
    """Begin with what is slow, so that workers end together."""
    items.sort(key=lambda item: "slow" not in item.keywords)


def pytest_unconfigure():
    """Leave nothing behind."""
    shutil.rmtree(Path(os.environ[sitecustomize.LOG]).parent, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_asks_for_the_network():
    """Fail a test during which any process asked, even where the library that asked went on
    without.
    """
    yield
    log = Path(os.environ[sitecustomize.LOG])
    if log.exists():
        asked = log.read_text(encoding="utf-8")
        log.unlink()
        pytest.fail(f"the network was asked for:\n{asked}")
