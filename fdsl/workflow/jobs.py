"""The job table: for every rule its files, its spec and its code, each written once.

The Snakefile's rules, the commands, `fdsl forecast`, `fdsl verify` and `fdsl crate` all read this
table. A job's *spec* holds all that decides what it computes; where and how fast it runs (threads,
device, loader processes) is no part of it, so moving to another machine re-runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io.checksums import digest_json
from fdsl.provenance import fingerprint
from fdsl.schema.base import ConfigError
from fdsl.schema.yaml_files import workflow_folder
from fdsl.workflow import inputs
from fdsl.workflow.config import Config
from fdsl.workflow.resources import JobResources
from fdsl.workflow.runs import Runs
from fdsl.workflow.specs import Specs

Spec = dict[str, Any]

NAME, REPORT = "[a-z][a-z0-9_]*", "[a-z][a-z0-9_-]*"
WILDCARDS = {
    "scale": NAME,
    "dataset": NAME,
    "weights": NAME,
    "run": f"{NAME}(?:-{NAME}){{1,2}}-s[0-9]+",
    "shard": "[0-9]{4}",
    "stage": "pretrain|finetune|detect",
    "table": REPORT,
    "figure": REPORT,
}
# Large files with a small digest or record beside them: jobs depend on the digest, so that touching
# or copying the large file re-trains nothing.
LARGE = {"parameters", "images", "weights", "composed"}
# Inputs that say only whether something else has changed; no record names them.
MARKERS = {"digest", "composed"}
FOLDERS = {"folder"}  # outputs that are directories
TRAININGS = ("pretrain", "finetune", "detect")
TARGETS = ("all", "all_curves")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of the table.

    Attributes
    ----------
    outputs
        Name -> path with wildcards.
    inputs
        Name -> function of the table and the rule's wildcards that returns paths.
    spec
        Function of `Specs` and the wildcards.
    modules
        Spec -> the modules whose code decides the result.
    code_repeats
        Whether a change of that code repeats the job.
    """

    outputs: Mapping[str, str]
    inputs: Mapping[str, Callable[..., list[str]]] = field(default_factory=dict)
    spec: Callable[..., Spec]
    modules: Callable[[Spec], list[str]]
    code_repeats: bool = True

    @property
    def wildcards(self) -> list[str]:
        """The names of the wildcards, in the order of the path."""
        return re.findall(r"\{(\w+)\}", next(iter(self.outputs.values())))


def _files(stem: str, **names: str) -> dict[str, str]:
    return {name: f"{stem}{file}" for name, file in names.items()}


def _model_files(folder: str) -> dict[str, str]:
    names = {"weights": "model.safetensors", "config": "config.json", "card": "README.md"}
    return _files(f"{folder}/", **names, record="record.json")


def _report_files(stem: str, *suffixes: str) -> dict[str, str]:
    forms = {suffix: f".{suffix}" for suffix in suffixes}
    return _files(stem, **forms, fragment=".fragment.html", record=".record.json")


def _formulas(datasets: Iterable[Spec]) -> list[str]:
    return [f"fdsl.formulas.{name}" for name in sorted({d["formula"] for d in datasets})]


def _of_pretraining(module: str) -> Callable[[Spec], list[str]]:
    """Return the modules behind a job that reads what a network is pre-trained on."""

    def modules(spec: Spec) -> list[str]:
        if spec["kind"] == "synthetic":
            return [module, "fdsl.images.shards", *_formulas([spec["dataset"]])]
        objective = ["fdsl.train.dino"] if spec["kind"] == "dino" else []
        return [module, *objective, "fdsl.datasets.splits"]

    return modules


def _of_downstream(module: str) -> Callable[[Spec], list[str]]:
    return lambda _spec: [module, "fdsl.datasets.splits"]


DOWNSTREAM_RUN = {
    "manifest": inputs.manifest,
    "weights": inputs.initial_weights,
    "digest": inputs.initial_record,
}

RULES: dict[str, Rule] = {
    "sample_parameters": Rule(
        outputs=_files(
            "results/{scale}/parameters/{dataset}",
            parameters=".parquet",
            digest=".json",
            record=".record.json",
        ),
        spec=Specs.sample_parameters,
        modules=lambda spec: ["fdsl.images.parameters", *_formulas([spec["dataset"]])],
    ),
    "render_shard": Rule(
        outputs=_files(
            "results/{scale}/images/{dataset}/shard-{shard}",
            shard=".arrow",
            digest=".json",
            record=".record.json",
        ),
        inputs={"parameters": inputs.parameters, "digest": inputs.parameters_digest},
        spec=Specs.render_shard,
        modules=lambda spec: ["fdsl.images.shards", *_formulas([spec["dataset"]])],
    ),
    "fetch_downstream": Rule(
        outputs=_files(
            "results/{scale}/downstream/{dataset}", manifest=".json", record=".record.json"
        ),
        inputs={"composed": inputs.composed_dataset},
        spec=Specs.fetch_downstream,
        modules=lambda _spec: ["fdsl.datasets.downstream", "fdsl.datasets.fetch"],
        code_repeats=False,  # reading again changes nothing that follows
    ),
    "compose": Rule(
        outputs=_files("results/{scale}/composed/{dataset}", folder="", record=".record.json"),
        inputs={"manifests": inputs.composition_sources},
        spec=Specs.compose,
        modules=_of_downstream("fdsl.datasets.compose"),
    ),
    "pretrain": Rule(
        outputs=_model_files("results/{scale}/pretrain/{run}")
        | {"metrics": "results/{scale}/pretrain/{run}/metrics.jsonl"},
        inputs={
            "images": inputs.images,
            "manifest": inputs.pretraining_manifest,
            "digest": inputs.image_digests,
        },
        spec=Specs.pretrain,
        modules=_of_pretraining("fdsl.train.pretrain"),
    ),
    "import_weights": Rule(
        outputs=_model_files("results/{scale}/published_weights/{weights}"),
        spec=Specs.import_weights,
        modules=lambda _spec: ["fdsl.train.import_weights", "fdsl.train.model_card"],
    ),
    "attention": Rule(
        outputs=_files("results/{scale}/attention/{run}", maps=".npz", record=".record.json"),
        inputs={
            "weights": inputs.pretrained_weights,
            "digest": inputs.pretrained_record,
            "manifest": inputs.pretraining_manifest,
        },
        spec=Specs.pretrain,
        modules=_of_pretraining("fdsl.train.attention"),
    ),
    "finetune": Rule(
        outputs=_files(
            "results/{scale}/finetune/{run}/", record="record.json", metrics="metrics.jsonl"
        ),
        inputs=DOWNSTREAM_RUN,
        spec=Specs.finetune,
        modules=_of_downstream("fdsl.train.finetune"),
    ),
    "probe": Rule(
        outputs={"record": "results/{scale}/probe/{run}/record.json"},
        inputs=DOWNSTREAM_RUN,
        spec=Specs.probe,
        modules=_of_downstream("fdsl.train.probe"),
    ),
    "detect": Rule(
        outputs=_files(
            "results/{scale}/detect/{run}/", record="record.json", metrics="metrics.jsonl"
        ),
        inputs={**DOWNSTREAM_RUN, "composed": inputs.composed_of_run},
        spec=Specs.detect,
        modules=_of_downstream("fdsl.train.detection.detect"),
    ),
    "table": Rule(
        outputs=_report_files("results/tables/{table}", "csv", "md", "tex", "html"),
        inputs={"records": inputs.table_records, "published": inputs.published},
        spec=Specs.table,
        modules=lambda spec: [
            "fdsl.report.tables",
            *(["fdsl.report.gallery"] if spec["pictured"] else []),
            *_formulas(spec["pictured"].values()),
        ],
    ),
    "figure": Rule(
        outputs=_report_files("results/figures/{figure}", "png", "pdf", "csv"),
        inputs={
            "records": inputs.figure_records,
            "files": inputs.figure_files,
            "published": inputs.published,
        },
        spec=Specs.figure,
        modules=lambda spec: [
            f"fdsl.report.figures.{spec['figure']['kind']}",
            "fdsl.images.streamed",
            *_formulas(spec["datasets"].values()),
        ],
    ),
    "curves": Rule(
        outputs=_files(
            "results/{scale}/{stage}/{run}/", png="curves.png", record="curves.record.json"
        ),
        inputs={"metrics": inputs.metrics},
        spec=Specs.curves,
        modules=lambda _spec: ["fdsl.report.run_curves"],
    ),
    "claims": Rule(
        outputs=_report_files("results/claims", "csv", "md", "html"),
        inputs={"records": inputs.claim_records, "published": inputs.published},
        spec=Specs.claims,
        modules=lambda _spec: ["fdsl.report.claims"],
    ),
    "runs": Rule(
        outputs=_report_files("results/runs", "csv"),
        inputs={"records": inputs.run_records},
        spec=Specs.runs_list,
        modules=lambda _spec: ["fdsl.report.runs_list"],
    ),
    "page": Rule(
        outputs={"page": "results/index.html", "record": "results/index.record.json"},
        inputs={
            "claims": inputs.claims_fragment,
            "reports": inputs.report_fragments,
            "runs": inputs.runs_fragment,
        },
        spec=Specs.page,
        modules=lambda spec: ["fdsl.report.page", *_formulas(spec["datasets"].values())],
    ),
}
REPORTS = ("table", "figure", "claims", "runs", "page")


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

    def needed(self, targets: Iterable[str]) -> list[Job]:
        """Return the jobs behind some targets if nothing had been made yet, each once.

        Parameters
        ----------
        targets
            Files below `results`, names of the rules without wildcards, `all` or `all_curves`.

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


def on_disk(path: str) -> Path:
    """Return where a file is: those of the workflow are below its folder, wherever that is."""
    first, _, rest = path.partition("/")
    return workflow_folder() / rest if first == "workflow" else Path(path)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """Return for each rule the pattern of the files that it leaves."""
    return {rule: re.compile("|".join(_alternatives(row))) for rule, row in RULES.items()}


def _alternatives(row: Rule) -> Iterator[str]:
    """Yield a pattern for each output; only the first one names its groups by lookahead."""
    stem = _common_stem(list(row.outputs.values()))
    endings = "|".join(re.escape(path.removeprefix(stem)) for path in row.outputs.values())
    parts = re.split(r"\{(\w+)\}", stem)
    literal = [re.escape(part) if i % 2 == 0 else _group(part) for i, part in enumerate(parts)]
    yield f"{''.join(literal)}(?:{endings})"


def _group(wildcard: str) -> str:
    return f"(?P<{wildcard}>{WILDCARDS[wildcard]})"


def _common_stem(paths: list[str]) -> str:
    """Return what all paths begin with, which holds all of their wildcards."""
    shortest = min(paths, key=len)
    same = next((i for i in range(len(shortest)) if len({p[i] for p in paths}) > 1), len(shortest))
    return shortest[:same]


@cache
def _fingerprint(*modules: str) -> str:
    return fingerprint(*modules)
