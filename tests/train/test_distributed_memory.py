import ctypes
import subprocess
import sys

import pytest

from fdsl.train import distributed

CHURN = """
import resource
import numpy as np
from fdsl.train.distributed import keep_freed_memory
assert {call}
def update():
    held = [np.ones(2**21, np.uint8) for _ in range(4)]
update()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    update()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(call):
    """Return the page faults of twenty updates that take and free eight megabytes each."""
    script = CHURN.format(call=call)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_freed_memory_is_used_again():
    assert faults("keep_freed_memory()") < 200 < faults("True")


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr(distributed.ctypes, "CDLL", lambda _: object())
    assert distributed.keep_freed_memory() is False
