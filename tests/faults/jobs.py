"""The jobs of a running Snakemake, as /proc shows them, and how they are killed."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Job:
    """One process `python -m fdsl VERB …`."""

    pid: int
    rule: str

    def lives(self):
        return self in set(running([self.pid]))

    def cpu_seconds(self):
        """Return the processor time of the job so far, which tells how far it is on a busy machine,
        too; 0 if it has ended.
        """
        return sum(map(int, _stat(self.pid)[11:15])) / TICKS


class Started:
    """A Snakemake in a session of its own, which all processes that it starts belong to."""

    def __init__(self, project, command, *, log):
        with Path(log).open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=project.root,
                env=project.environment(),
                start_new_session=True,
                stdout=file,
                stderr=file,
            )
        self.log = Path(log)

    def ended(self):
        """Say whether Snakemake itself has ended."""
        return self.process.poll() is not None

    def processes(self):
        """Return the ids of all living processes of the session."""
        return [pid for pid in _pids() if _session(pid) == self.process.pid]

    def jobs(self):
        """Return the jobs at work."""
        return running(self.processes())

    def kill(self, whom, job):
        """Send SIGKILL to one job alone, to Snakemake alone, or to Snakemake and all that it
        started; or SIGINT, as Ctrl-C does.
        """
        if whom == "interrupt":
            os.killpg(self.process.pid, signal.SIGINT)
        elif whom == "all":
            # until nobody is left who could start another
            while living := self.processes():
                for pid in living:
                    _kill(pid)
                self.process.poll()
            self.process.wait()
        elif whom == "snakemake":
            _kill(self.process.pid)
            self.process.wait()
        else:
            _kill(job.pid)

    def wait(self, *, seconds):
        """Wait for Snakemake to end by itself and return its exit code."""
        return self.process.wait(timeout=seconds)

    def wait_for_orphans(self, *, seconds):
        """Wait for jobs that outlive their Snakemake."""
        deadline = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > deadline:
                raise TimeoutError(f"jobs of a killed Snakemake still run: {self.jobs()}")
            time.sleep(LOOK_SECONDS)

    def said(self):
        return self.log.read_text()


def running(pids):
    """Return the jobs among some processes."""
    found = []
    for pid in pids:
        words = _words(pid)
        if words[1:3] == ["-m", "fdsl"] and len(words) > 3:
            found.append(Job(pid, words[3].replace("-", "_")))
    return found


def _pids():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _words(pid):
    """Return the command line of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _session(pid):
    """Return the session of a living process; None if it has ended, also when nobody has noticed
    yet.
    """
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] != "Z" else None


def _stat(pid):
    """Return the fields of a process after its name, from its state on; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
