"""What the present configuration asks for: every job behind its tables, figures and claims, with
its files, order and code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from fdsl.io.records import record_path
from fdsl.lineage.modules import MODULES
from fdsl.provenance import fingerprint
from fdsl.workflow.plan import Plan
from fdsl.workflow.runs import Measurement, Run

PUBLISHED = "workflow/published/tables.csv"
FRAGMENT = ".fragment.html"
REPORTS = ("results/report.zip", "results/report.html")  # snakemake --report
TRAININGS = {"pretrain", "finetune", "detect"}


@dataclass(frozen=True)
class Job:
    """One job. Paths are as Snakemake has them: below the working directory.

    Attributes
    ----------
    kind
        As in its record.
    record
        Where its record stands.
    outputs
        Files and folders that it makes besides, with the small digests of big files.
    inputs
        What its record must name; None where others name it (published weights).
    order
        What decides the result, as plain data.
    code
        Digest of the code, or None where a change of the code repeats nothing.
    """

    kind: str
    record: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] | None
    order: dict[str, Any]
    code: str | None


@dataclass(frozen=True)
class Asked:
    """All that a configuration asks for.

    Attributes
    ----------
    scale
        Of the configuration.
    jobs
        By the path of their record.
    besides
        Files that can be asked for and have no record: the learning curves as pictures, Snakemake's
        report.
    """

    scale: str
    jobs: dict[str, Job]
    besides: tuple[str, ...]

    @classmethod
    def by(cls, plan: Plan) -> Asked:
        """Return what the targets of a plan need."""
        found = {job.record: job for job in (*_reports(plan), *_work(plan))}
        return cls(plan.scale, found, (*plan.files.curves(), *REPORTS))

    def covers(self, name: str) -> bool:
        """Say whether a file is asked for."""
        return name in self._files or name.startswith(self._folders)

    @cached_property
    def _files(self) -> set[str]:
        made = {path for job in self.jobs.values() for path in (job.record, *job.outputs)}
        return made | set(self.besides)

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        """What the names of other files begin with: in composed pictures, a training's curves for
        TensorBoard, its checkpoints.
        """
        composed = [o for job in self.jobs.values() if job.kind == "compose" for o in job.outputs]
        trained = [job for job in self.jobs.values() if job.kind in TRAININGS]
        boards = [f"{job.record.rpartition('/')[0]}/tensorboard" for job in trained]
        kept = [f"results/{self.scale}/checkpoints/{job.order['run']}" for job in trained]
        locks = [f"{folder}.lock" for folder in kept]
        return (*(f"{folder}/" for folder in [*composed, *boards, *kept]), *locks)


def _reports(plan: Plan) -> Iterable[Job]:
    """Yield the jobs that make what people read."""
    for study in plan.config.studies.values():
        for name in study.tables:
            suffixes = (".csv", ".html", ".md", ".tex", FRAGMENT)
            outputs = [f"results/tables/{name}{suffix}" for suffix in suffixes]
            yield _job(
                "table",
                outputs,
                inputs=[*plan.files.records(name), PUBLISHED],
                order=plan.reports.tabulation(name),
                code=plan.codes.table(name),
            )
        for name in study.figures:
            yield _job(
                "figure",
                [
                    f"results/figures/{name}{suffix}"
                    for suffix in (".png", ".pdf", ".csv", FRAGMENT)
                ],
                inputs=[*plan.files.records(name), *plan.files.figure_files(name), PUBLISHED],
                order=plan.reports.drawing(name),
                code=plan.codes.figure(name),
            )
    yield _job(
        "claims",
        [f"results/claims{suffix}" for suffix in (".csv", ".html", ".md", FRAGMENT)],
        inputs=[*plan.files.claim_records(), PUBLISHED],
        order=plan.reports.hashed_fields(),
        code=_code(*MODULES["claims"]),
    )
    yield _job(
        "runs",
        ["results/runs.csv", "results/runs.fragment.html"],
        inputs=[*plan.files.all_records(), *plan.files.pretraining_records()],
        order="{}",
        code=_code("fdsl.report.runs_list"),
    )
    yield _job(
        "page",
        ["results/index.html"],
        inputs=[
            *plan.files.fragments(),
            "results/claims.fragment.html",
            "results/runs.fragment.html",
        ],
        order=plan.reports.paging(),
        code=_code(*MODULES["page"]),
    )


def _work(plan: Plan) -> Iterable[Job]:
    """Yield the jobs behind the reports: trainings, and what they read."""
    studies = plan.config.studies.values()
    files = [
        path
        for study in studies
        for name in study.figures
        for path in plan.files.figure_files(name)
    ]
    reports = [name for study in studies for name in (*study.tables, *study.figures)]
    measured = list(dict.fromkeys(m for name in reports for m in plan.runs.of_report(name)))
    pretrained = plan.runs.pretrainings(measured)
    yield from (_measurement(plan, measurement) for measurement in measured)
    yield from (_pretraining(plan, run) for run in pretrained)
    released = {m.run.pretraining for m in measured} & plan.config.released.keys()
    yield from (_adoption(plan, name) for name in sorted(released))
    yield from (_attention(plan, path) for path in sorted(set(files)) if path.endswith(".npz"))
    drawn = {run.pretraining for run in pretrained} & plan.config.synthetic.keys()
    shown = {_stem(path) for path in files if path.endswith(".parquet")}
    for dataset in sorted(drawn | shown):
        yield from _images(plan, dataset, stored=dataset in drawn)
    real = {_stem(plan.files.pretraining_manifest(plan.scale, run.key)) for run in pretrained} - {
        ""
    }
    yield from _downstream(plan, {str(m.run.downstream) for m in measured} | real)


def _measurement(plan: Plan, measurement: Measurement) -> Job:
    scale, key = plan.scale, measurement.run.key
    orders: dict[str, Callable[[str, str], str]] = {
        "finetune": plan.orders.finetuning,
        "probe": plan.orders.probing,
        "detect": plan.orders.detecting,
    }
    stage, folder = measurement.stage, f"results/{scale}/{measurement.stage}/{key}"
    return Job(
        stage,
        f"{folder}/record.json",
        () if stage == "probe" else (f"{folder}/metrics.jsonl",),
        (plan.files.manifest(scale, key), *plan.files.initial(scale, key, "model.safetensors")),
        json.loads(orders[stage](scale, key)),
        _code(*MODULES[stage]),
    )


def _pretraining(plan: Plan, run: Run) -> Job:
    scale, key = plan.scale, run.key
    folder = f"results/{scale}/pretrain/{key}"
    return Job(
        "pretrain",
        f"{folder}/record.json",
        _weights(folder, "metrics.jsonl"),
        tuple(plan.files.images(scale, key)) or (plan.files.pretraining_manifest(scale, key),),
        json.loads(plan.orders.pretraining(scale, key)),
        plan.codes.pretraining(key),
    )


def _adoption(plan: Plan, name: str) -> Job:
    folder = f"results/{plan.scale}/released/{name}"
    return Job(
        "released",
        f"{folder}/record.json",
        _weights(folder),
        None,
        json.loads(plan.orders.adoption(plan.scale, name)),
        _code(*MODULES["adopt_weights"]),
    )


def _weights(folder: str, *more: str) -> tuple[str, ...]:
    names = ("model.safetensors", "config.json", "README.md", *more)
    return tuple(f"{folder}/{name}" for name in names)


def _attention(plan: Plan, path: str) -> Job:
    scale, key = plan.scale, _stem(path)
    weights = f"results/{scale}/pretrain/{key}/model.safetensors"
    return _job(
        "attention",
        [path],
        inputs=[weights, *plan.files.attention_manifest(scale, key)],
        order=plan.orders.pretraining(scale, key),
        code=plan.codes.attention(key),
    )


def _images(plan: Plan, dataset: str, *, stored: bool) -> Iterable[Job]:
    """Yield the jobs that sample and, where a pre-training reads them from files, draw a synthetic
    dataset.
    """
    scale = plan.scale
    parameters = f"results/{scale}/parameters/{dataset}.parquet"
    yield _job(
        "sample_parameters",
        [parameters, f"results/{scale}/parameters/{dataset}.json"],
        inputs=[],
        order=plan.orders.sampling(scale, dataset),
        code=plan.codes.images("fdsl.images.parameters", dataset=dataset),
    )
    digests = plan.files.image_digests(scale, Run(dataset, "any", 0).key) if stored else []
    for digest in digests:
        shard = digest.removesuffix(".json")
        if "/images/" in shard:
            yield _job(
                "render_shard",
                [f"{shard}.arrow", digest],
                inputs=[parameters],
                order=plan.orders.rendering(scale, dataset, shard.rpartition("-")[2]),
                code=plan.codes.images("fdsl.images.synthetic", dataset=dataset),
            )


def _downstream(plan: Plan, names: set[str]) -> Iterable[Job]:
    """Yield the jobs that check real pictures, compose some, and check what those are composed of."""
    todo, scale = sorted(names), plan.scale
    for name in todo:
        manifest = f"results/{scale}/downstream/{name}.json"
        yield _job(
            "fetch_downstream", [manifest], inputs=[], order=plan.orders.fetching(name), code=None
        )
        ingredients = plan.files.ingredients(scale, name)
        for folder in plan.files.composed(scale, name):
            yield _job(
                "compose",
                [folder],
                inputs=ingredients,
                order=plan.orders.composing(name),
                code=_code(*MODULES["compose"]),
            )
        todo += [found for path in ingredients if (found := _stem(path)) not in todo]


def _job(kind: str, outputs: list[str], *, inputs: list[str], order: str, code: str | None) -> Job:
    """Return a job whose record stands beside its first output."""
    record = record_path(outputs[0]).as_posix()
    return Job(kind, record, tuple(outputs), tuple(inputs), json.loads(order), code)


def _stem(path: str) -> str:
    """Return a file's name without folder and suffix; empty for an empty path."""
    return path.rpartition("/")[2].rpartition(".")[0]


@cache
def _code(*modules: str) -> str:
    return fingerprint(*modules)
