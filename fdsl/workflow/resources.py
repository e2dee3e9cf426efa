"""Where and how fast a job computes: never part of an order, so moving to another machine re-runs
nothing.
"""

from __future__ import annotations

from fdsl.schema.scale import Resources
from fdsl.workflow.as_json import as_json
from fdsl.workflow.config import Config
from fdsl.workflow.launch import Spread, launcher
from fdsl.workflow.runs import Run


class Machine:
    """Threads, GPUs, hosts, memory and time of jobs, and the command that starts a training on
    them.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def resources(self, scale: str, rule: str) -> Resources:
        """Return what one job of a rule may use at a scale."""
        return self.config.scales[scale].resources[rule]

    def spread(self, scale: str, rule: str, key: str) -> Spread:
        """Return the processes that share one training: as the user spreads its network, the user's
        number, or one for each GPU.
        """
        user = self.config.user
        wanted = user.spread.get(Run.read(key).model) if rule == "pretrain" else None
        if wanted is not None:
            return Spread.read(wanted)
        gpus = 0 if user.device == "cpu" else self.resources(scale, rule).gpu
        return Spread(1, user.processes or max(gpus, 1))

    def threads(self, scale: str, rule: str, key: str) -> int:
        """Return the CPU threads of one training on each host, all its processes together: at least
        one for each.
        """
        return max(self.resources(scale, rule).threads, self.spread(scale, rule, key).each)

    def gpus(self, scale: str, rule: str, key: str) -> int:
        """Return the GPUs of one training on each host: the scale's, or one for each process of a
        network that the user spreads.
        """
        if self.config.user.device == "cpu":
            return 0
        gpus = self.resources(scale, rule).gpu
        spread = rule == "pretrain" and Run.read(key).model in self.config.user.spread
        return self.spread(scale, rule, key).each if spread and gpus else gpus

    def launcher(self, scale: str, rule: str, key: str) -> str:
        """Return how the command line of a training begins."""
        threads, gpus = self.threads(scale, rule, key), self.gpus(scale, rule, key) > 0
        return launcher(self.spread(scale, rule, key), threads=threads, gpus=gpus)

    def devices(self, scale: str, rule: str, key: str) -> dict[str, int | str]:
        """Return the resources of one training beyond threads, memory and time, under the names of
        Snakemake's SLURM plugin.
        """
        spread, gpus = self.spread(scale, rule, key), self.gpus(scale, rule, key)
        if spread.hosts == 1:
            return {"gpu": gpus}
        alone = spread.each == 1
        return {
            "mpi": (
                "srun"
            ),  # the training's command begins with srun, so the plugin must not put another before it
            "nodes": spread.hosts,
            # the plugin refuses tasks_per_node = 1
            **({"tasks": spread.hosts} if alone else {"tasks_per_node": spread.each}),
            "tasks_per_gpu": 0,  # else the plugin asks for `tasks` on each GPU
            "cpus_per_task": max(self.threads(scale, rule, key) // spread.each, 1),
            **({"gres": f"gpu:{gpus}"} if gpus else {}),
        }

    def settings(self) -> str:
        """Return how the user wants trainings to run, as JSON: never part of an order."""
        user = self.config.user
        return as_json(
            device=user.device,
            micro_batch=user.micro_batch,
            loader_workers=user.loader_workers,
            compile=user.compile,
            deterministic=user.deterministic,
            checkpoint_seconds=user.checkpoint_seconds,
        )
