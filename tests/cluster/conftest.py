"""Two SLURM nodes on this host for all tests of this folder; without SLURM they are skipped."""

import os
import signal

import pytest
from cluster import local_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The running cluster. Its daemons end with the tests."""
    reason = local_cluster.why_not()
    if "PYTEST_XDIST_WORKER" in os.environ:
        reason = "one process at a time can have the cluster: use `make test-cluster`"
    if reason:
        pytest.skip(reason)
    # pytest dies of SIGTERM without tidying, which would leave the daemons alive
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM"))
    try:
        with local_cluster.Cluster(tmp_path_factory.mktemp("slurm")) as running:
            yield running
    finally:
        signal.signal(signal.SIGTERM, before)
