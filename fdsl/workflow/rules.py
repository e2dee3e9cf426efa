"""The job table: for every rule its files, its spec and its code, each written once.

The Snakefile's rules, the commands, `fdsl forecast`, `fdsl verify` and `fdsl crate` all read this
table. A job's *spec* holds all that decides what it computes; where and how fast it runs (threads,
device, loader processes) is no part of it, so moving to another machine re-runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fdsl.workflow import inputs
from fdsl.workflow.specs import Specs

Spec = dict[str, Any]

NAME, REPORT = "[a-z][a-z0-9_]*", "[a-z][a-z0-9_-]*"
WILDCARDS = {
    **dict.fromkeys(("scale", "weights"), NAME),
    "dataset": f"{NAME}(?:-d[1-9][0-9]*)?",
    "run": f"{NAME}(?:-{NAME}){{1,2}}-s[0-9]+",
    "replicates": f"{NAME}(?:-{NAME}){{1,2}}",
    "shard": "[0-9]{4}",
    "stage": "pretrain|finetune|detect",
    **dict.fromkeys(("table", "figure"), REPORT),
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
    """Return files and their record, below a folder (`stem` ends in a slash) or with one stem."""
    record = "record.json" if stem.endswith("/") else ".record.json"
    return {name: f"{stem}{file}" for name, file in (names | {"record": record}).items()}


def _model_files(folder: str, **more: str) -> dict[str, str]:
    names = {"weights": "model.safetensors", "config": "config.json", "card": "README.md"}
    return _files(f"{folder}/", **names, **more)


def _report_files(stem: str, *suffixes: str) -> dict[str, str]:
    forms = {suffix: f".{suffix}" for suffix in suffixes}
    return _files(stem, **forms, fragment=".fragment.html")


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
            "results/{scale}/parameters/{dataset}", parameters=".parquet", digest=".json"
        ),
        spec=Specs.sample_parameters,
        modules=lambda spec: ["fdsl.images.parameters", *_formulas([spec["dataset"]])],
    ),
    "render_shard": Rule(
        outputs=_files(
            "results/{scale}/images/{dataset}/shard-{shard}", shard=".arrow", digest=".json"
        ),
        inputs={"parameters": inputs.parameters, "digest": inputs.parameters_digest},
        spec=Specs.render_shard,
        modules=lambda spec: ["fdsl.images.shards", *_formulas([spec["dataset"]])],
    ),
    "difficulty": Rule(
        outputs=_files("results/{scale}/difficulty/{dataset}", measure=".json"),
        inputs={"images": inputs.images_of, "digest": inputs.image_digests_of},
        spec=Specs.difficulty,
        modules=lambda spec: [
            "fdsl.images.difficulty",
            "fdsl.images.shards",
            *_formulas([spec["dataset"]]),
        ],
    ),
    "fetch_downstream": Rule(
        outputs=_files("results/{scale}/downstream/{dataset}", manifest=".json"),
        inputs={"composed": inputs.composed_dataset},
        spec=Specs.fetch_downstream,
        modules=lambda _spec: ["fdsl.datasets.downstream", "fdsl.datasets.fetch"],
        code_repeats=False,  # reading again changes nothing that follows
    ),
    "compose": Rule(
        outputs=_files("results/{scale}/composed/{dataset}", folder=""),
        inputs={"manifests": inputs.composition_sources},
        spec=Specs.compose,
        modules=_of_downstream("fdsl.datasets.compose"),
    ),
    "pretrain": Rule(
        outputs=_model_files("results/{scale}/pretrain/{run}", metrics="metrics.jsonl"),
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
        outputs=_files("results/{scale}/attention/{run}", maps=".npz"),
        inputs={
            "weights": inputs.pretrained_weights,
            "digest": inputs.pretrained_record,
            "manifest": inputs.pretraining_manifest,
        },
        spec=Specs.pretrain,
        modules=_of_pretraining("fdsl.train.attention"),
    ),
    "finetune": Rule(
        outputs=_files("results/{scale}/finetune/{run}/", metrics="metrics.jsonl"),
        inputs=DOWNSTREAM_RUN,
        spec=Specs.finetune,
        modules=_of_downstream("fdsl.train.finetune"),
    ),
    "probe": Rule(
        outputs=_files("results/{scale}/probe/{run}/"),
        inputs=DOWNSTREAM_RUN,
        spec=Specs.probe,
        modules=_of_downstream("fdsl.train.probe"),
    ),
    "detect": Rule(
        outputs=_files("results/{scale}/detect/{run}/", metrics="metrics.jsonl"),
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
        outputs=_files("results/{scale}/{stage}/{run}/curves", png=".png"),
        inputs={"metrics": inputs.metrics},
        spec=Specs.curves,
        modules=lambda _spec: ["fdsl.report.run_curves"],
    ),
    "claims": Rule(
        outputs=_report_files("results/claims", "csv", "md", "html"),
        inputs={
            "records": inputs.claim_records,
            "pretrained": inputs.claim_pretrainings,
            "difficulty": inputs.claim_difficulties,
            "published": inputs.published,
        },
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
        outputs=_files("results/index", page=".html"),
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
