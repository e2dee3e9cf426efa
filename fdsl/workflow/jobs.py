"""Jobs: rules of the job table with values for their wildcards, and what they need."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from fdsl.io.checksums import digest_json
from fdsl.provenance import fingerprint
from fdsl.schema.base import ConfigError
from fdsl.schema.yaml_files import workflow_folder
from fdsl.workflow.config import Config
from fdsl.workflow.resources import JobResources
from fdsl.workflow.rules import MARKERS, RULES, TARGETS, TRAININGS, WILDCARDS, Spec
from fdsl.workflow.runs import Run, Runs, replicate_key
from fdsl.workflow.specs import Specs


class Job:
    """One job: a rule with values for its wildcards. Paths are relative to the working directory.

    Attributes
    ----------
    rule
        A name of `RULES`.
    wildcards
        Name -> value.
    """

    def __init__(self, table: Jobs, rule: str, wildcards: Mapping[str, str]) -> None:
        self._table, self.rule, self.wildcards = table, rule, dict(wildcards)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, ...]:
        return (self.rule, *self.wildcards.values())

    @property
    def scale(self) -> str:
        """The scale of its files; empty for a report."""
        return self.wildcards.get("scale", "")

    @property
    def name(self) -> str:
        """What it makes at its scale: a run, dataset, table or figure; empty where there is one."""
        kinds = ("run", "dataset", "weights", "table", "figure")
        return next((self.wildcards[kind] for kind in kinds if kind in self.wildcards), "")

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Name -> file that it leaves, with its record."""
        return {
            name: path.format(**self.wildcards) for name, path in RULES[self.rule].outputs.items()
        }

    @cached_property
    def inputs(self) -> dict[str, list[str]]:
        """Name -> files that it reads or whose change repeats it."""
        return {
            name: function(self._table, **self.wildcards)
            for name, function in RULES[self.rule].inputs.items()
        }

    @property
    def record(self) -> str:
        """Where its record is."""
        return self.outputs["record"]

    @property
    def recorded_inputs(self) -> list[str]:
        """The inputs that its record names, with digests."""
        named = [paths for name, paths in self.inputs.items() if name not in MARKERS]
        return list(dict.fromkeys(path for paths in named for path in paths))

    @cached_property
    def spec(self) -> Spec:
        """All that decides what it computes, as plain JSON data."""
        spec = RULES[self.rule].spec(self._table.specs, **self.wildcards)
        return json.loads(json.dumps(spec))  # type: ignore[no-any-return]

    @property
    def spec_digest(self) -> str:
        """The spec's digest: 16 hexadecimal digits."""
        return digest_json(self.spec)[:16]

    @property
    def code(self) -> str:
        """Digest of the code behind it."""
        return _fingerprint(*RULES[self.rule].modules(self.spec))

    @property
    def repeating_code(self) -> str:
        """Digest of the code whose change repeats it; empty where none does."""
        return self.code if RULES[self.rule].code_repeats else ""

    @property
    def command(self) -> str:
        """The command that repeats it."""
        positional = [value for name, value in self.wildcards.items() if name != "scale"]
        scale = self.scale or self._table.scale
        words = ["fdsl", self.rule.replace("_", "-"), *positional, "--scale", scale]
        return " ".join([*words, "--spec", self.spec_digest])

    def __repr__(self) -> str:
        return f"Job({' '.join(self._identity)})"


class Jobs:
    """The jobs of a checked configuration.

    Attributes
    ----------
    config, scale, runs
        The configuration, the name of its scale, and the trainings behind its reports.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale
        self.runs = Runs(config)
        self.specs = Specs(config, self.runs)
        self.resources = JobResources(config)

    def job(self, rule: str, **wildcards: str) -> Job:
        """Return one job."""
        return Job(self, rule, {name: wildcards[name] for name in RULES[rule].wildcards})

    def path(self, rule: str, output: str, **wildcards: str) -> str:
        """Return the path of an output."""
        return RULES[rule].outputs[output].format(**wildcards)

    def threads(self, job: Job) -> int:
        """Return the CPU threads that a job may use."""
        if not job.scale or job.rule == "curves":
            return 1
        return self.resources.threads(job.scale, job.rule, job.wildcards.get("run", ""))

    def replicates(self, rule: str, **wildcards: str) -> list[Job]:
        """Return the jobs that one process performs: with a wildcard `replicates`, one a seed."""
        stem = wildcards.pop("replicates", None)
        if stem is None:
            return [self.job(rule, **wildcards)]
        runs = [replicate_key(stem, seed) for seed in self.sharing[rule]]
        return [self.job(rule, run=run, **wildcards) for run in runs]

    def process(self, job: Job) -> tuple[Job, ...]:
        """Return the jobs that one process performs together with a job, itself among them."""
        seeds = self.sharing.get(job.rule, [])
        if not seeds or (run := Run.read(job.name)).seed not in seeds:
            return (job,)
        keys = [replace(run, seed=seed).key for seed in seeds]
        return tuple(self.job(job.rule, **job.wildcards | {"run": key}) for key in keys)

    @cached_property
    def sharing(self) -> dict[str, list[int]]:
        """Rule whose replicates share a process -> their seeds."""
        scale, seeds = self.config.scales[self.scale], self.config.seeds(self.scale)
        found: dict[str, list[int]] = dict.fromkeys(scale.share_process, seeds)
        if "pretrain" in found and scale.pretrain_seeds is not None:
            found["pretrain"] = scale.pretrain_seeds
        return found

    def maker(self, path: str) -> Job | None:
        """Return the job that makes a file; None for a file that no rule makes."""
        for rule, pattern in _patterns().items():
            match = pattern.fullmatch(path)
            if match is not None:
                return self.job(rule, **match.groupdict())
        return None

    def targets(self, name: str = "all") -> list[str]:
        """Return the files of the rules `all` and `all_curves`."""
        if name == "all_curves":
            return self._curves()
        studies = self.config.studies.values()
        tables = [self.path("table", "csv", table=t) for s in studies for t in s.tables]
        figures = [self.path("figure", "png", figure=f) for s in studies for f in s.figures]
        claims = [self.path("claims", "csv")] if self.has_claims else []
        return [*tables, *figures, *claims, self.path("page", "page")]

    @property
    def has_claims(self) -> bool:
        """Whether any study has a claim."""
        return any(study.claims for study in self.config.studies.values())

    def needed(self, targets: Iterable[str], *, processes: bool = False) -> list[Job]:
        """Return the jobs behind some targets if nothing had been made yet, each once.

        Parameters
        ----------
        targets
            Files below `results`, names of the rules without wildcards, `all` or `all_curves`.
        processes
            Whether to add the jobs that share a process with one of these, and what they need.

        Returns
        -------
        list of Job
            In the order of `RULES`, then of their wildcards.

        Raises
        ------
        ConfigError
            If a target is none of these, or names something that no catalogue has.
        """
        found: dict[Job, None] = {}
        todo = [job for target in targets for job in self._target(target)]
        for job in todo:
            self.specs.require_known(job.wildcards)
        while todo:
            job = todo.pop()
            if job not in found:
                found[job] = None
                todo += self.process(job) if processes else ()
                paths = [path for paths in job.inputs.values() for path in paths]
                todo += [made for path in paths if (made := self.maker(path)) is not None]
        order = list(RULES)
        return sorted(found, key=lambda job: (order.index(job.rule), *job.wildcards.values()))

    def _target(self, target: str) -> Iterator[Job]:
        if target in TARGETS:
            for path in self.targets(target):
                yield from self._target(path)
            return
        single = [rule for rule in RULES if not RULES[rule].wildcards]
        made = self.job(target) if target in single else self.maker(str(PurePosixPath(target)))
        if made is None:
            raise ConfigError(
                f"target = {target!r} is no file of the workflow. Allowed: "
                f"{', '.join([*TARGETS, *single])}, or a file such as results/tables/table3.csv, "
                "results/figures/figure4.png, results/claims.csv, results/index.html"
            )
        yield made

    def _curves(self) -> list[str]:
        """Return the learning curves of every training behind the tables and figures."""
        measured = self.runs.of_reports()
        trained = {("pretrain", run.key) for run in self.runs.pretrainings(measured)}
        trained |= {(m.stage, m.run.key) for m in measured if m.stage in TRAININGS}
        return [
            self.path("curves", "png", scale=self.scale, stage=stage, run=key)
            for stage, key in sorted(trained)
        ]


def spec_digest(jobs: Sequence[Job]) -> str:
    """Return the digest of what decides the results of jobs that share a process; a single job's
    is its own.
    """
    digests = [job.spec_digest for job in jobs]
    return digests[0] if len(jobs) == 1 else digest_json(digests)[:16]


def on_disk(path: str) -> Path:
    """Return where a file is: those of the workflow are below its folder, wherever that is."""
    first, _, rest = path.partition("/")
    return workflow_folder() / rest if first == "workflow" else Path(path)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Return for each rule the pattern of the files that it leaves."""
    return {rule: re.compile(_pattern(list(row.outputs.values()))) for rule, row in RULES.items()}


def _pattern(paths: list[str]) -> str:
    """Return a pattern of paths whose common beginning holds all of their wildcards."""
    stem = os.path.commonprefix(paths)  # noqa: RUF071  characters, not components
    parts = re.split(r"\{(\w+)\}", stem)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f"(?P<{name}>{WILDCARDS[name]})" for name in parts[1::2]]
    endings = "|".join(re.escape(path.removeprefix(stem)) for path in paths)
    return f"{''.join(parts)}(?:{endings})"


@cache
def _fingerprint(*modules: str) -> str:
    return fingerprint(*modules)
