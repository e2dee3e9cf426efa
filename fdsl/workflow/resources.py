"""Where and how fast a job computes: no part of a spec, so another machine re-runs nothing."""

from __future__ import annotations

from fdsl.schema.scale import Resources
from fdsl.workflow.config import Config
from fdsl.workflow.launch import ProcessGrid, launcher
from fdsl.workflow.runs import Run

SPREADABLE = ("pretrain", "finetune")  # rules whose trainings several processes can share
RETRIED = ("pretrain", "finetune", "detect")  # go on from a checkpoint, so a retry needs no more
TASKS = ("tasks", "tasks_per_node", "tasks_per_gpu", "cpus_per_task")
NAMES = ("gpu", "gres", "mpi", "nodes", *TASKS, "mem_mb", "runtime", "launch")


class JobResources:
    """Threads, GPUs, nodes, memory and time of jobs, and the command that launches them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def budget(self, scale: str, rule: str) -> Resources:
        """Return what one job of a rule may use at a scale."""
        return self.config.scales[scale].resources[rule]

    def grid(self, scale: str, rule: str, run: str) -> ProcessGrid:
        """Return the processes that share one training: the user's, or one for each GPU."""
        user = self.config.user
        grid = user.nodes_x_processes.get(Run.read(run).model) if rule == "pretrain" else None
        if grid is not None:
            return ProcessGrid.read(grid)
        if rule not in SPREADABLE:
            return ProcessGrid(1, 1)
        gpus = 0 if user.device == "cpu" else self.budget(scale, rule).gpu
        return ProcessGrid(1, user.processes or max(gpus, 1))

    def threads(self, scale: str, rule: str, run: str = "") -> int:
        """Return the CPU threads of a job on each node: at least one for each process."""
        threads = self.budget(scale, rule).threads
        return max(threads, self.grid(scale, rule, run).processes) if run else threads

    def gpus(self, scale: str, rule: str, run: str) -> int:
        """Return the GPUs of a training on each node: the scale's, or one for each process."""
        if self.config.user.device == "cpu":
            return 0
        gpus = self.budget(scale, rule).gpu
        chosen = rule == "pretrain" and Run.read(run).model in self.config.user.nodes_x_processes
        return self.grid(scale, rule, run).processes if chosen and gpus else gpus

    def launcher(self, scale: str, rule: str, run: str) -> str:
        """Return the launcher prefix of a training's command: python, torchrun or srun."""
        threads, gpus = self.threads(scale, rule, run), self.gpus(scale, rule, run) > 0
        return launcher(self.grid(scale, rule, run), threads=threads, gpus=gpus)

    def devices(self, scale: str, rule: str, run: str) -> dict[str, int | str]:
        """Return GPUs, nodes and tasks of a training, named as in Snakemake's SLURM plugin."""
        grid, gpus = self.grid(scale, rule, run), self.gpus(scale, rule, run)
        if grid.nodes == 1:
            return {"gpu": gpus}
        alone = grid.processes == 1
        return {
            "mpi": "srun",  # the command begins with srun, so the plugin must not add another
            "nodes": grid.nodes,
            # the plugin refuses tasks_per_node = 1
            **({"tasks": grid.nodes} if alone else {"tasks_per_node": grid.processes}),
            "tasks_per_gpu": 0,  # else the plugin asks for `tasks` on each GPU
            "cpus_per_task": max(self.threads(scale, rule, run) // grid.processes, 1),
            **({"gres": f"gpu:{gpus}"} if gpus else {}),
        }

    def of(self, rule: str, *, scale: str, run: str = "", attempt: int = 1) -> dict[str, int | str]:
        """Return what Snakemake reserves for a job, threads apart.

        Memory (MB) and time (minutes) grow with each attempt, but for trainings: those go on from
        a checkpoint.
        """
        budget = self.budget(scale, rule)
        factor = 1 if rule in RETRIED else attempt
        trained = run and budget.gpu is not None and rule in {*RETRIED, "probe"}
        return {
            **(self.devices(scale, rule, run) if trained else {}),
            "mem_mb": factor * budget.mem_mb,
            "runtime": factor * budget.runtime,
            "launch": self.launcher(scale, rule, run) if rule in SPREADABLE else "python -m fdsl",
        }
