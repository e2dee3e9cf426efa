"""A job of the workflow while its command runs: what the job table says of it, and its record."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdsl.io import checksums, records

if TYPE_CHECKING:
    from fdsl.workflow.config import Config
    from fdsl.workflow.jobs import Job

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningJob:
    """One job, begun.

    Attributes
    ----------
    job
        Its row of the job table.
    config
        The configuration behind it.
    threads
        CPU threads that it may use.
    started
        When it began, UTC.
    """

    job: Job
    config: Config
    threads: int
    started: str

    @property
    def spec(self) -> dict[str, Any]:
        """All that decides what it computes."""
        return self.job.spec

    @property
    def job_start(self) -> dict[str, Any]:
        """What a record says of the beginning of its job."""
        return {"spec": self.spec, "started": self.started}

    @cached_property
    def code(self) -> str:
        """Digest of the code behind it, for its record."""
        return self.job.code

    def output(self, name: str) -> Path:
        """Return where an output goes."""
        return Path(self.job.outputs[name])

    def inputs(self, name: str) -> list[Path]:
        """Return the files of an input."""
        from fdsl.workflow.jobs import on_disk

        return [on_disk(path) for path in self.job.inputs[name]]

    def input_digests(self) -> dict[str, str]:
        """Return the SHA-256 of the inputs, by the names that records give them."""
        from fdsl.workflow.jobs import on_disk

        return {name: checksums.digest(on_disk(name)) for name in self.job.recorded_inputs}

    def write_record(self, **entries: Any) -> None:
        """Write the record of a job that is no training; `entries` are what else it holds."""
        from fdsl.provenance import environment

        made = [path for name, path in self.job.outputs.items() if name != "record"]
        content = {
            "kind": self.job.rule,
            "run": self.job.name or self.job.rule,
            "seed": self.spec.get("seed"),
            **self.job_start,
            "code": self.code,
            "environment": environment(),
            **({"inputs": self.input_digests()} | entries),
        }
        records.write(self.job.record, content, outputs=made)


def begin(
    rule: str,
    wildcards: Sequence[Mapping[str, str]],
    *,
    config: Config,
    spec: str | None = None,
    threads: int | None = None,
) -> Iterator[RunningJob]:
    """Rebuild jobs from the configuration and check that they can run; yield each when its turn
    comes.

    Parameters
    ----------
    rule, wildcards
        Which jobs: those that share this process.
    config
        The configuration.
    spec
        Digest of the specs that the jobs were planned with; None = any.
    threads
        CPU threads; None = those of the scale.

    Raises
    ------
    ConfigError
        Before the first job, if a name is unknown, or the configuration allows no such job or gives
        other specs than the planned ones.
    FileNotFoundError
        Before the first job, if an input of any is missing.
    """
    from fdsl.schema.base import ConfigError
    from fdsl.workflow.jobs import Jobs, on_disk, spec_digest

    table = Jobs(config)
    jobs = [table.job(rule, **{"scale": config.user.scale, **values}) for values in wildcards]
    for job in jobs:
        table.specs.require_known(job.wildcards)
    found = spec_digest(jobs)
    if spec not in {None, found}:
        names = ", ".join(job.name for job in jobs)
        raise ConfigError(
            f"{rule} {names}: planned with spec {spec}, but this configuration gives {found}: use"
            " the configuration of the plan (--config, --set, --scale)"
        )
    for job in jobs:
        for path in (path for paths in job.inputs.values() for path in paths):
            if not on_disk(path).exists():
                raise FileNotFoundError(
                    f"{path} is missing, which {job.rule} {job.name} reads: make it first with "
                    f"snakemake --cores all {path}"
                )
    for job in jobs:
        if os.environ.get("RANK", "0") == "0":
            log.info("%s", job.command)
        yield RunningJob(job, config, threads or table.threads(job), records.now())
