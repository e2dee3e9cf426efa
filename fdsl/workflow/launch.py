"""How the command line of a training begins: Python alone, torchrun on one host, or srun on many."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fdsl.schema.user import MAX_PROCESSES, SPREAD

PATIENCE_S = 600  # for the last update and its checkpoint after SIGTERM; torchrun alone would kill after 30 s


@dataclass(frozen=True)
class Spread:
    """The processes that share one training: `each` (1 … 1024) on every one of `hosts` (1 … 999)."""

    hosts: int
    each: int

    def __post_init__(self) -> None:
        if not 1 <= self.each <= MAX_PROCESSES:
            raise ValueError(f"processes = {self.each} is out of range: use 1 to {MAX_PROCESSES}")
        if not 1 <= self.hosts <= 999:
            raise ValueError(f"hosts = {self.hosts} is out of range: use 1 to 999")

    @classmethod
    def read(cls, text: str) -> Spread:
        """Return what is written as hosts x processes on each, for example 4x8; ValueError if it is
        not.
        """
        if re.fullmatch(SPREAD, text) is None:
            raise ValueError(f"{text!r} is not hosts x processes on each, for example 4x8")
        hosts, each = text.split("x")
        return cls(int(hosts), int(each))


def launcher(spread: Spread, *, threads: int = 1, gpus: bool = False) -> str:
    """Return what stands before a verb of `fdsl` in a shell command.

    `exec` puts the training in the place of the shell, which would die of a scheduler's SIGTERM and
    take the training along.

    Processes on one host are started by torchrun, which tells them their ranks and finds a free
    port by itself. SIGTERM to torchrun reaches all of them; they finish the update, save and leave.
    torchrun then ends with a code of its own, not with 85, and the next attempt goes on all the
    same.

    Processes on many hosts are started by srun, so they need SLURM: it gives ranks, signals each
    process itself and hands on the exit code. They meet at the first host of the step
    (`fdsl.train.distributed.rendezvous`). A job step inherits nothing of its job's shape here,
    because Snakemake's plugin removes those variables: so the shape is written out.

    Parameters
    ----------
    spread
        The processes.
    threads
        CPU threads of all processes of one host together; read for many hosts only.
    gpus
        Whether each process has a GPU of its own; read for many hosts only.
    """
    if spread.hosts > 1:
        each = max(threads // spread.each, 1)
        shape = (
            f"--nodes={spread.hosts} --ntasks={spread.hosts * spread.each}"
            f" --ntasks-per-node={spread.each} --cpus-per-task={each}"
            f" {f'--gres=gpu:{spread.each} ' if gpus else ''}"
        )
        return (
            f"exec env LOCAL_WORLD_SIZE={spread.each} srun {shape}--kill-on-bad-exit=1 python -m"
            " fdsl"
        )
    if spread.each == 1:
        return "exec python -m fdsl"
    torchrun = f"python -m torch.distributed.run --standalone --nproc-per-node {spread.each}"
    return f"exec env TORCH_ELASTIC_SHUTDOWN_TIMEOUT={PATIENCE_S} {torchrun} -m fdsl"
