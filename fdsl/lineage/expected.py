"""What the present configuration makes: its jobs by their records, and what else may be there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fdsl.workflow import resolved
from fdsl.workflow.jobs import Job, Jobs
from fdsl.workflow.rules import TRAININGS

SNAKEMAKE_REPORTS = ("results/report.zip", "results/report.html")


@dataclass(frozen=True)
class Expected:
    """All that a configuration makes.

    Attributes
    ----------
    scale
        Of the configuration.
    jobs
        By the path of their record.
    optional
        Files that can be asked for besides: learning curves as images, Snakemake's report.
    """

    scale: str
    jobs: dict[str, Job]
    optional: frozenset[str]

    @classmethod
    def by(cls, table: Jobs) -> Expected:
        """Return what the targets of a configuration need."""
        curves = [job for job in table.needed(["all_curves"]) if job.rule == "curves"]
        drawn = {path for job in curves for path in job.outputs.values()}
        needed = {job.record: job for job in table.needed(["all"])}
        return cls(table.scale, needed, frozenset({*drawn, *SNAKEMAKE_REPORTS}))

    def covers(self, name: str) -> bool:
        """Return whether the configuration makes a file, or may."""
        return name in self._files or name.startswith(self._folders)

    @cached_property
    def _files(self) -> set[str]:
        return {path for job in self.jobs.values() for path in job.outputs.values()} | self.optional

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        """Return how the names of further files begin: composed images, TensorBoard, checkpoints,
        and what Snakemake leaves.
        """
        composed = [job.outputs["folder"] for job in self.jobs.values() if job.rule == "compose"]
        trained = [job for job in self.jobs.values() if job.rule in TRAININGS]
        boards = [f"{job.record.rpartition('/')[0]}/tensorboard" for job in trained]
        kept = [f"results/{self.scale}/checkpoints/{job.name}" for job in trained]
        snakemake = [resolved.FOLDER, "results/benchmarks", f"results/{self.scale}/benchmarks"]
        folders = [f"{folder}/" for folder in [*composed, *boards, *kept, *snakemake]]
        return (*folders, *(f"{folder}.lock" for folder in kept))
