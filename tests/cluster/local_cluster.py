"""A SLURM cluster of two nodes on this host, on the loopback device, without systemd and without
accounting.

The commands of SLURM read one file, /etc/slurm/slurm.conf: the plugin's job steps drop SLURM_CONF
from their environment. So the file is written there, which needs root, and a cluster that somebody
else has configured is left alone.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
MADE_HERE = "# written by the tests of fdsl; removed when they end\n"
MUNGE = Path("/run/munge/munged.pid")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol")
NODES = ("n1", "n2")
PATIENCE_S = 60

SLURM_CONF = """\
ClusterName=fdsl
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
SlurmdTimeout=15
MinJobAge=600
KillWait=15
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=8000 Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=8000 Gres=gpu:1
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=n[1-2] MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
"""

# Any device file will do: SLURM hands out numbers, and no test touches a GPU.
GRES_CONF = """\
NodeName=n1 Name=gpu Count=1 File=/dev/null
NodeName=n2 Name=gpu Count=1 File=/dev/zero
"""


def why_not() -> str | None:
    """Return why no cluster can be brought up here, or None."""
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        return (
            f"{', '.join(missing)} not installed: `make test-cluster` installs Debian's slurm-wlm"
            " and munge"
        )
    if os.geteuid() != 0:
        return "not root: the daemons of SLURM and /etc/slurm need it"
    conf = CONFIGURATION / "slurm.conf"
    if conf.exists() and not conf.read_text().startswith(MADE_HERE):
        return f"{conf} configures another cluster, which is left alone"
    return None


def run(*command, check=True) -> str:
    """Run a command of SLURM and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def wait_for(condition, *, what: str, seconds: float = PATIENCE_S):
    """Return what `condition` returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"waited {seconds} s for {what}")


@dataclass
class Cluster:
    """The daemons, each known by its pid file. Use as a context manager."""

    folder: Path
    _cleaning: ExitStack = field(default_factory=ExitStack)

    def __enter__(self):
        with ExitStack() as cleaning:
            cleaning.callback(self._remove_configuration)
            self._configure()
            if not _alive(MUNGE):
                cleaning.callback(_end, MUNGE)
                self._munge()
            cleaning.callback(_end, self.folder / "slurmctld.pid")
            subprocess.run([_program("slurmctld"), "-c"], check=True)
            for node in NODES:
                cleaning.callback(self.end_node, node)
                self.start_node(node)
            cleaning.callback(self._cancel_all)
            wait_for(lambda: set(self.nodes().values()) == {"idle"}, what="idle nodes")
            self._cleaning = cleaning.pop_all()
        return self

    def __exit__(self, *_):
        self._cleaning.close()

    def nodes(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = run("sinfo", "--noheader", "--Node", "--format=%N|%T", check=False).split()
        return dict(line.split("|") for line in lines)

    def jobs(self, rule: str, *, state: str = "RUNNING") -> list[str]:
        """Return the numbers of the jobs of a rule that are in a state, or in `all`; tasks of an
        array are like 1_2.
        """
        listed = run("squeue", "--noheader", f"--states={state}", "--format=%i|%k", check=False)
        lines = [line.split("|") for line in listed.splitlines()]
        return [number for number, comment in lines if comment.startswith(f"rule_{rule}_")]

    def hasten(self) -> None:
        """Start requeued jobs at once; SLURM lets them wait for two minutes."""
        for number in run(
            "squeue", "--noheader", "--states=PENDING", "--format=%A", check=False
        ).split():
            run("scontrol", "update", f"JobId={number}", "StartTime=now", check=False)

    def node_of(self, number: str) -> str:
        """Return the node of a running job, or several as n[1-2]."""
        return run("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()

    def cancel(self, number: str) -> None:
        """End a job as its owner or an administrator does."""
        run("scancel", number)

    def preempt(self, number: str) -> None:
        """Send a job of a few seconds to a partition of higher priority; it needs all of the node
        where the other one runs.
        """
        node = self.node_of(number)
        whole = ["--exclusive", "--nodes=1", f"--nodelist={node}", "--output=/dev/null"]
        run("sbatch", "--partition=urgent", *whole, "--wrap=sleep 3")

    def limit(self, number: str, *, minutes: int) -> None:
        """Give a running job so much time from its start."""
        run("scontrol", "update", f"JobId={number}", f"TimeLimit={minutes}")

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        subprocess.run([_program("slurmd"), "-N", node], check=True)

    def kill_node(self, node: str) -> None:
        """End a node as a power cut does: its daemon and all jobs on it, without notice."""
        daemon = int((self.folder / f"slurmd.{node}.pid").read_text())
        log = str(self.folder / "log" / f"slurmd.{node}.log")
        steps = [
            pid
            for pid in _processes()
            if _command(pid).startswith("slurmstepd:") and log in _open_files(pid)
        ]
        for pid in [daemon, *_with_descendants(steps)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end_node(self, node: str) -> None:
        """End the daemon of a node in good order."""
        _end(self.folder / f"slurmd.{node}.pid")

    def _configure(self) -> None:
        for name in ("state", "spool/n1", "spool/n2", "log"):
            (self.folder / name).mkdir(parents=True)
        CONFIGURATION.mkdir(exist_ok=True)
        conf = SLURM_CONF.format(
            host=socket.gethostname(), folder=self.folder, ports=_free_ports(3)
        )
        (CONFIGURATION / "slurm.conf").write_text(MADE_HERE + conf)
        (CONFIGURATION / "gres.conf").write_text(MADE_HERE + GRES_CONF)

    def _remove_configuration(self) -> None:
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)

    def _munge(self) -> None:
        MUNGE.parent.mkdir(parents=True, exist_ok=True)
        shutil.chown(MUNGE.parent, "munge", "munge")
        MUNGE.parent.chmod(0o755)
        subprocess.run(["runuser", "-u", "munge", "--", _program("munged")], check=True)

    def _cancel_all(self) -> None:
        run("scancel", "--user=root", check=False)
        wait_for(lambda: not run("squeue", "--noheader", check=False).strip(), what="the last job")


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True


def _end(pid_file: Path) -> None:
    """End the daemon whose pid file this is, and wait until it has gone."""
    if not _alive(pid_file):
        return
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what=f"the end of {pid_file.name}")


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(path.readlink()))
    return found


def _with_descendants(pids: list[int]) -> list[int]:
    """Return processes and all that they started, directly or not."""
    parents = {}
    for pid in _processes():
        with suppress(OSError):
            # the fields after the name, which may hold spaces and stands in brackets: state,
            # parent, ...
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = list(pids)
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found
