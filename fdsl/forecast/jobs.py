"""The jobs that Snakemake would run for some targets if nothing had been made yet, without
Snakemake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from fdsl.schema.base import ConfigError, choose
from fdsl.schema.study.tables import SCRATCH
from fdsl.workflow.plan import Plan
from fdsl.workflow.runs import Run

# In the order of the work, which is also the order of a forecast's lines.
RULES = (
    "sample_parameters",
    "render_shard",
    "fetch_downstream",
    "compose",
    "pretrain",
    "adopt_weights",
    "attention",
    "finetune",
    "probe",
    "detect",
    "table",
    "figure",
    "claims",
    "runs",
    "page",
    "curves",
    "all_curves",
    "all",
)
PAGE = ("results/claims.fragment.html", "results/runs.fragment.html")
WITHOUT_FILE = (
    "all",
    "all_curves",
    "claims",
    "runs",
    "page",
)  # rules that are targets by their name

_SCALE, _NAME = r"(?P<scale>[a-z][a-z0-9_]*)", r"(?P<name>[a-z][a-z0-9_]*)"
_RUN = r"(?P<name>[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*){1,2}-s[0-9]+)"
_REPORT = r"(?P<name>[a-z][a-z0-9_-]*)"
_MODEL = r"(?:model\.safetensors|record\.json|config\.json|README\.md"

# What each rule leaves, as in workflow/rules.
OUTPUTS = {
    "sample_parameters": rf"{_SCALE}/parameters/{_NAME}\.(?:parquet|json|record\.json)",
    "render_shard": (
        rf"{_SCALE}/images/{_NAME}/shard-(?P<part>[0-9]{{4}})\.(?:arrow|json|record\.json)"
    ),
    "fetch_downstream": rf"{_SCALE}/downstream/{_NAME}\.(?:json|record\.json)",
    "compose": rf"{_SCALE}/composed/{_NAME}(?:\.record\.json)?",
    "pretrain": rf"{_SCALE}/pretrain/{_RUN}/{_MODEL}|metrics\.jsonl)",
    "adopt_weights": rf"{_SCALE}/released/{_NAME}/{_MODEL})",
    "attention": rf"{_SCALE}/attention/{_RUN}\.(?:npz|record\.json)",
    "finetune": rf"{_SCALE}/finetune/{_RUN}/(?:record\.json|metrics\.jsonl)",
    "probe": rf"{_SCALE}/probe/{_RUN}/record\.json",
    "detect": rf"{_SCALE}/detect/{_RUN}/(?:record\.json|metrics\.jsonl)",
    "table": rf"tables/{_REPORT}\.(?:csv|md|tex|html|fragment\.html)",
    "figure": rf"figures/{_REPORT}\.(?:png|pdf|csv|fragment\.html)",
    "claims": r"claims\.(?:csv|md|html|fragment\.html)",
    "runs": r"runs\.(?:csv|fragment\.html)",
    "page": r"index\.html",
    "curves": rf"{_SCALE}/(?P<part>pretrain|finetune|detect)/{_RUN}/curves\.png",
}
_PATTERNS = {rule: re.compile(rf"results/{pattern}") for rule, pattern in OUTPUTS.items()}


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes
    ----------
    rule
        Its rule.
    scale, name, part
        Wildcards, empty where the rule has none: `name` is a dataset, the key of a run, a table or
        a figure; `part` the number of a shard, or the stage whose curves are drawn.
    """

    rule: str
    scale: str = ""
    name: str = ""
    part: str = ""


def jobs(plan: Plan, targets: Iterable[str]) -> list[Job]:
    """Return each job once, in the order of the work.

    Parameters
    ----------
    plan
        Files of a configuration.
    targets
        Files below `results`, or the rules all, all_curves, claims and page.

    Raises
    ------
    ConfigError
        If a target is neither, or names a scale, dataset or network that is not there.
    ValueError
        If no study has the table or figure.
    """
    known: dict[str, Job] = {}

    def job_of(path: str) -> Job:
        if path not in known:
            known[path] = _job(path)
        return known[path]

    todo = [job_of(target) for target in targets]
    for job in todo:
        _require_known(plan, job)
    found: set[Job] = set()
    while todo:
        job = todo.pop()
        if job not in found:
            found.add(job)
            todo.extend(job_of(path) for path in _needs(plan, job))
    return sorted(found, key=lambda j: (RULES.index(j.rule), j.scale, j.name, j.part))


def _job(target: str) -> Job:
    """Return the job that makes a target."""
    if target in WITHOUT_FILE:
        return Job(target)
    path = str(PurePosixPath(target))
    for rule, pattern in _PATTERNS.items():
        match = pattern.fullmatch(path)
        if match is not None:
            return Job(rule, **match.groupdict())
    raise ConfigError(
        f"target = {target!r} is no file of the workflow. Allowed: {', '.join(WITHOUT_FILE)}, or a"
        " file such as results/tables/table3.csv, results/figures/figure4.png, results/claims.csv,"
        " results/index.html"
    )


def _require_known(plan: Plan, job: Job) -> None:
    """Refuse a target whose names stand in no catalogue; what it needs is then known too."""
    config, where = plan.config, "fdsl forecast"
    if job.rule == "table":
        plan.runs.table(job.name)
    if job.rule == "figure":
        plan.runs.figure(job.name)
    if not job.scale:
        return
    choose("scale", job.scale, list(config.scales), where=where)
    if job.rule in {"sample_parameters", "render_shard"}:
        choose("dataset", job.name, list(config.synthetic), where=where)
    elif job.rule in {"fetch_downstream", "compose"}:
        choose("dataset", job.name, list(config.downstream), where=where)
    elif job.rule == "adopt_weights":
        choose("weights", job.name, list(config.released), where=where)
    else:
        run = Run.read(job.name)
        known = [SCRATCH, *config.synthetic, *config.pretrainings, *config.released]
        choose("pre-training", run.pretraining, known, where=where)
        choose("network", run.model, list(config.models), where=where)
        if run.downstream is not None:
            choose("dataset", run.downstream, list(config.downstream), where=where)


def _needs(plan: Plan, job: Job) -> list[str]:
    """Return the files that a job waits for, as the rules say."""
    scale, name = job.scale, job.name
    match job.rule:
        case "all":
            return plan.files.targets()
        case "all_curves":
            return plan.files.curves()
        case "table":
            return plan.files.records(name)
        case "figure":
            return [*plan.files.records(name), *plan.files.figure_files(name)]
        case "claims":
            return plan.files.claim_records()
        case "runs":
            return [*plan.files.all_records(), *plan.files.pretraining_records()]
        case "page":
            return [*plan.files.fragments(), *PAGE]
        case "curves":
            return [f"results/{scale}/{job.part}/{name}/metrics.jsonl"]
        case "render_shard":
            return [f"results/{scale}/parameters/{name}.json"]
        case "pretrain":
            return plan.files.image_digests(scale, name)
        case "attention":
            record = f"results/{scale}/pretrain/{name}/record.json"
            return [record, *plan.files.attention_manifest(scale, name)]
        case "fetch_downstream":
            return plan.files.composed(scale, name)
        case "compose":
            return plan.files.ingredients(scale, name)
        case "finetune" | "probe" | "detect":
            return [
                plan.files.manifest(scale, name),
                *plan.files.initial(scale, name, "record.json"),
            ]
        case _:
            return []
