"""Worker process_pool."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fdsl.io.workers import process_pool

PARENT = """
import os, sys, time
from fdsl.io.workers import process_pool
if __name__ == "__main__":
    with process_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    # the pipe closes when the last process that holds it has ended, so reading it to its end is the
    # test
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        parent.kill()
        deadline = time.monotonic() + 20
        while _lives(worker) and time.monotonic() < deadline:
            time.sleep(0.05)
        survived = _lives(worker)
        if survived:
            os.kill(worker, signal.SIGKILL)
    assert not survived


def test_a_killed_worker_is_told_in_words():
    with pytest.raises(ChildProcessError, match="fewer workers than 1"), process_pool(1) as pool:
        pool.submit(os._exit, 3).result()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    return state != "Z"
