"""The launcher prefix of a training's command: Python alone, torchrun on one node, or srun."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fdsl.schema.user import GRID, MAX_PROCESSES

# For the last update and its checkpoint after SIGTERM; torchrun alone would kill after 30 s.
PATIENCE_S = 600


@dataclass(frozen=True)
class ProcessGrid:
    """Processes that share a training: `processes` (1 … 1024) on each of `nodes` (1 … 999)."""

    nodes: int
    processes: int

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= MAX_PROCESSES:
            raise ValueError(
                f"processes = {self.processes} is out of range: use 1 to {MAX_PROCESSES}"
            )
        if not 1 <= self.nodes <= 999:
            raise ValueError(f"nodes = {self.nodes} is out of range: use 1 to 999")

    @classmethod
    def read(cls, text: str) -> ProcessGrid:
        """Parse nodes x processes on each, for example 4x8; ValueError for anything else."""
        if re.fullmatch(GRID, text) is None:
            raise ValueError(f"{text!r} is not nodes x processes on each, for example 4x8")
        nodes, processes = text.split("x")
        return cls(int(nodes), int(processes))


def launcher(grid: ProcessGrid, *, threads: int = 1, gpus: bool = False) -> str:
    """Return the launcher prefix (python, torchrun or srun) of an `fdsl` command.

    `exec` replaces the shell, which would die of a scheduler's SIGTERM and take the training along.

    On one node, torchrun sets the ranks and finds a free port. SIGTERM to torchrun reaches all
    processes; they finish the update, save and exit. torchrun then exits with a code of its own,
    not with 85, and the next attempt resumes all the same.

    On several nodes, srun starts the processes, so they need SLURM: it sets ranks, signals each
    process itself and passes the exit code on. They meet at the first node of the step
    (`fdsl.train.distributed.rendezvous`). Snakemake's plugin removes the variables from which a
    step would inherit its shape, so the shape is written out.

    Parameters
    ----------
    grid
        The processes.
    threads
        CPU threads of all processes of one node together; read for several nodes only.
    gpus
        Whether each process has a GPU of its own; read for several nodes only.
    """
    if grid.nodes > 1:
        each = max(threads // grid.processes, 1)
        shape = (
            f"--nodes={grid.nodes} --ntasks={grid.nodes * grid.processes} "
            f"--ntasks-per-node={grid.processes} --cpus-per-task={each} "
            f"{f'--gres=gpu:{grid.processes} ' if gpus else ''}--kill-on-bad-exit=1"
        )
        return f"exec env LOCAL_WORLD_SIZE={grid.processes} srun {shape} python -m fdsl"
    if grid.processes == 1:
        return "exec python -m fdsl"
    torchrun = f"python -m torch.distributed.run --standalone --nproc-per-node {grid.processes}"
    return f"exec env TORCH_ELASTIC_SHUTDOWN_TIMEOUT={PATIENCE_S} {torchrun} -m fdsl"
