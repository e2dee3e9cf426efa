"""Specs: all that decides what a job computes, as plain data. One method for each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fdsl.formulas import ofdb
from fdsl.io.escaping import escape_rst
from fdsl.schema.base import ConfigError, choose
from fdsl.schema.recipe import Preparation
from fdsl.schema.study.figures import Figure, Samples
from fdsl.schema.study.report_scale import ReportScale
from fdsl.workflow.config import Config
from fdsl.workflow.runs import Draw, Run, Runs

Spec = dict[str, Any]

# What a probe takes from the spec of the fine-tuning with the same key.
PROBED = {
    *("run", "scale", "pretraining", "downstream", "classes", "run_seed", "replicate", "model"),
    *("train_labels", "test_images", "resplit"),
}


class Specs:
    """The specs of a configuration's jobs; the parameters of a method are its rule's wildcards."""

    def __init__(self, config: Config, runs: Runs) -> None:
        self.config, self.runs = config, runs
        self.scale = config.user.scale
        self.seed = config.user.dataset_seed

    def require_known(self, wildcards: Mapping[str, str]) -> None:
        """Raise ConfigError if a wildcard names something that is in no catalogue or study."""
        config, where = self.config, "target"
        if "table" in wildcards:
            self.runs.table(wildcards["table"])
        if "figure" in wildcards:
            self.runs.figure(wildcards["figure"])
        known: dict[str, Iterable[str]] = {
            "scale": config.scales,
            "dataset": [*config.synthetic, *config.downstream],
            "weights": config.published_weights,
        }
        for kind in known.keys() & wildcards.keys():
            name = wildcards[kind]
            drawn = kind == "dataset" and Draw.read(name).dataset in config.synthetic
            choose(kind, Draw.read(name).dataset if drawn else name, known[kind], where=where)
        if "run" in wildcards:
            run = Run.read(wildcards["run"])
            choose("pre-training", run.pretraining, config.names(), where=where)
            choose("network", run.model, config.models, where=where)
            if run.downstream is not None:
                choose("dataset", run.downstream, config.downstream, where=where)

    # Images and downstream datasets --------------------------------------------------------------

    def sample_parameters(self, scale: str, dataset: str) -> Spec:
        """Return what decides the parameters of a draw of a synthetic dataset."""
        draw = Draw.read(dataset)
        entry = self.config.dataset(scale, draw.dataset)
        return {"dataset": entry.hashed_fields(), "seed": self.seed + draw.number}

    def render_shard(self, scale: str, dataset: str, shard: str) -> Spec:
        """Return what decides one shard of a synthetic dataset."""
        shards = self.config.scales[scale].shards_of(Draw.read(dataset).dataset)
        return {**self.sample_parameters(scale, dataset), "shard": int(shard), "shards": shards}

    def difficulty(self, scale: str, dataset: str) -> Spec:
        """Return what decides how hard a draw is: its images, and the side of the network's."""
        name = Draw.read(dataset).dataset
        entry = self.config.dataset(scale, name)
        if entry.instances < 2:
            raise ConfigError(f"difficulty of {dataset}: instances = 1 must be 2 or more")
        return {
            **self.sample_parameters(scale, dataset),
            "images": self.config.scales[scale].images,
            "side_px": self.config.network_px(scale, name),
        }

    def fetch_downstream(self, scale: str, dataset: str) -> Spec:  # noqa: ARG002
        """Return what decides how a downstream dataset is read."""
        return {"name": dataset, "entry": self.config.downstream[dataset].hashed_fields()}

    def compose(self, scale: str, dataset: str) -> Spec:  # noqa: ARG002
        """Return what decides a dataset that is composed of others' pictures."""
        entry = self.config.downstream[dataset]
        if entry.composed is None:
            raise ValueError(f"{dataset} is not a composed dataset")
        composed = entry.composed.model_dump(mode="json")
        return {"name": dataset, "parts": entry.parts, "composed": composed}

    # Trainings -----------------------------------------------------------------------------------

    def pretrain(self, scale: str, run: str) -> Spec:
        """Return what decides a pre-training, or the attention maps of its network."""
        key = Run.read(run)
        name, stored = key.pretraining, self.config.scales[scale].images
        training = self.config.pretraining(scale, name, key.model)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": key.model})
        ofdb.require_possible(
            recipe.augmentation.ofdb,
            self.config.dataset(scale, name) if name in self.config.synthetic else None,
            streamed=stored == "stream",
            where=f"scales/{scale}.yaml: pretrain of {name}",
        )
        return {
            **self._images(scale, key),
            "run": run,
            "scale": scale,
            "pretraining": name,
            "run_seed": key.seed,
            "replicate": self._replicate(scale, key),
            "recipe": recipe.model_dump(mode="json"),
            "model": self.config.models[key.model].hashed_fields(),
        }

    def _images(self, scale: str, run: Run) -> Spec:
        """Return what decides the images of a pre-training."""
        draw, pretraining = self.runs.draw(scale, run), run.pretraining
        if pretraining in self.config.synthetic:
            images = self.config.scales[scale].images
            drawn = self.sample_parameters(scale, draw.key)
            return {"kind": "synthetic", "images": images, **drawn}
        real = self.config.real(scale, pretraining)
        stand_in = self.config.scales[scale].real.get(pretraining)
        labels = self.config.finetuning(scale, real.dataset).train_labels
        return {
            "kind": real.kind,
            "real": real.dataset,
            "labels": real.labels,
            "classes": self.config.downstream[real.dataset].classes,
            # no picture may serve both: those that any seed fine-tunes on are left out
            "train_labels": labels,
            "left_out_seeds": [] if labels is None else self.config.seeds(scale),
            "pictures": None if stand_in is None else stand_in.pictures,
            "seed": self.seed + draw.number,
        }

    def import_weights(self, scale: str, weights: str) -> Spec:
        """Return what decides how published weights are brought into the form of a pre-training."""
        entry = self.config.published_weights[weights]
        return {
            "weights": weights,
            "scale": scale,
            "entry": entry.hashed_fields(),
            "model": self.config.models[entry.model].hashed_fields(),
        }

    def finetune(self, scale: str, run: str) -> Spec:
        """Return what decides a fine-tuning."""
        key = Run.read(run)
        training = self.config.finetuning(scale, str(key.downstream))
        recipe = self.config.recipe(scale, training).model_copy(update={"model": key.model})
        return {
            **self._downstream(scale, key),
            "train_labels": training.train_labels,
            "test_images": training.test_images,
            "resplit": training.resplit,
            "recipe": recipe.model_dump(mode="json"),
        }

    def probe(self, scale: str, run: str) -> Spec:
        """Return what decides a probe: the images of the fine-tuning with the same key."""
        tuned = self.finetune(scale, run)
        return {
            **{name: value for name, value in tuned.items() if name in PROBED},
            "preparation": {name: tuned["recipe"][name] for name in Preparation.model_fields},
            "probe": self.config.probe.model_dump(mode="json"),
        }

    def detect(self, scale: str, run: str) -> Spec:
        """Return what decides a detection training."""
        key = Run.read(run)
        recipe = self.config.detection(scale).model_copy(update={"model": key.model})
        return {**self._downstream(scale, key), "recipe": recipe.model_dump(mode="json")}

    def _downstream(self, scale: str, run: Run) -> Spec:
        """Return what every run on a downstream dataset has; ValueError for a pre-training."""
        if run.downstream is None:
            raise ValueError(
                f"{run.key!r} names no downstream dataset: use a key such as "
                f"{run.pretraining}-{run.model}-cifar10-s{run.seed}"
            )
        return {
            "run": run.key,
            "scale": scale,
            "pretraining": run.pretraining,
            "downstream": run.downstream,
            "classes": self.config.downstream[run.downstream].classes,
            "run_seed": run.seed,
            "replicate": self._replicate(scale, run),
            "model": self.config.models[run.model].hashed_fields(),
        }

    def _replicate(self, scale: str, run: Run) -> Spec:
        """Return which draw, pre-training, and choice of labels, head and order a run is of."""
        start = run if run.downstream is None else self.runs.pretraining(scale, run)
        return {
            "draw": None if start is None else self.runs.draw(scale, start).number,
            "pretraining": None if start is None else start.seed,
            "finetuning": None if run.downstream is None else run.seed,
        }

    # Reports -------------------------------------------------------------------------------------

    def table(self, table: str) -> Spec:
        """Return what decides a table, besides the records."""
        study = self.runs.study(table).model_copy(update={"figures": {}, "claims": {}})
        shown = self.runs.table(table)
        return {
            "study": study.model_dump(mode="json"),
            "name": table,
            "scale": self._report_scale(table),
            "pictured": self._drawn(shown.pretrainings if shown.pictures else []),
            "seed": self.seed,
        }

    def figure(self, figure: str) -> Spec:
        """Return what decides a figure, besides the records."""
        shown = self.runs.figure(figure)
        return {
            "name": figure,
            "figure": shown.model_dump(mode="json"),
            "datasets": self._drawn_by(shown),
            "seed": self.seed,
            "scale": self._report_scale(figure),
        }

    def curves(self, scale: str, stage: str, run: str) -> Spec:
        """Return what decides the learning curves of a training: which training it is."""
        return {"scale": scale, "stage": stage, "run": run}

    def claims(self) -> Spec:
        """Return what decides the verdicts on the claims, besides the records."""
        studies = {name: s for name, s in self.config.studies.items() if s.claims}
        reports = {claim.table for study in studies.values() for claim in study.claims.values()}
        return {
            "studies": {name: study.model_dump(mode="json") for name, study in studies.items()},
            "scales": {name: self._report_scale(name) for name in sorted(reports)},
        }

    def runs_list(self) -> Spec:
        """Return what decides the list of runs, besides the records."""
        return {"scale": self.scale}

    def page(self) -> Spec:
        """Return what decides the page, besides its fragments."""
        budget = self.config.scales[self.scale]
        studies = [
            {"title": s.title, "reference": s.reference, "reports": [*s.tables, *s.figures]}
            for s in self.config.studies.values()
        ]
        return {
            "studies": studies,
            "scale": {"name": self.scale, "title": budget.title, "banner": budget.banner},
            "datasets": self._drawn(self.config.synthetic),
            "seed": self.seed,
        }

    def caption(self, report: str) -> str:
        """Return what Snakemake's report says of a table or figure, as reStructuredText."""
        study, scale = self.runs.study(report), self.config.scales[self.scale]
        shown = study.tables.get(report) or study.figures[report]
        return escape_rst(f"{shown.title}. {shown.caption} {scale.banner}")

    def _drawn(self, names: Any) -> Spec:
        """Return the synthetic datasets among some names, at their published settings."""
        return {
            name: self.config.synthetic[name].model_dump(mode="json")
            for name in names
            if name in self.config.synthetic
        }

    def _drawn_by(self, figure: Figure) -> Spec:
        """Return the datasets that a figure draws: samples at their published settings, others as
        this scale trains on them.
        """
        if isinstance(figure, Samples):
            shown = {"classes": figure.categories, "instances": figure.instances}
            return {name: entry | shown for name, entry in self._drawn(figure.datasets).items()}
        bars = [bar.pretraining for bar in getattr(figure, "bars", [])]
        return {
            name: self.config.dataset(self.scale, name).model_dump(mode="json")
            for name in [*getattr(figure, "datasets", []), *bars]
            if name in self.config.synthetic
        }

    def _report_scale(self, report: str) -> Spec:
        """Return what a table or figure must know, and say, about the scale."""
        scale, study = self.config.scales[self.scale], self.runs.study(report)
        referenced = self.runs.referenced_pretrainings(report)
        reduced = {name: self._size(name) for name in scale.datasets if name in referenced}
        reduced |= {name: real.title for name, real in scale.real.items() if name in referenced}
        about = ReportScale(
            name=self.scale,
            title=scale.title,
            banner=scale.banner,
            comparable=scale.comparable,
            stand_ins=tuple(self.config.stand_ins(self.scale, report)),
            frozen=tuple(self.runs.frozen(report)) if report in study.tables else (),
            models=tuple(sorted({m.run.model for m in self.runs.of_report(report)})),
            gates=scale.gates,
            reduced={} if scale.comparable else reduced,
            reasons=self._reasons(report, referenced),
        )
        return about.model_dump(mode="json")

    def _reasons(self, report: str, referenced: set[str]) -> dict[str, str]:
        """Return why cells of a table or figure are not run."""
        skipped, study = self.config.scales[self.scale].skip, self.runs.study(report)
        reasons = {name: reason for name, reason in skipped.items() if name in referenced}
        columns = list(getattr(study.tables.get(report) or study.figures[report], "columns", []))
        for column in self.runs.columns(report, columns):
            for name in referenced & self.config.pretrainings.keys():
                reason = self.runs.skipped(name, str(column.dataset))
                if reason is not None and name not in reasons:
                    reasons[f"{name} on {column.dataset}"] = reason
        if self.config.stand_ins(self.scale, report):
            instead = f"{self.scale} scale measures stand-ins in place of the paper's columns"
            run = self.runs.columns(report, columns)
            reasons |= {c.measure: instead for c in columns if c.dataset and c not in run}
        return reasons

    def _size(self, dataset: str) -> str:
        entry = self.config.dataset(self.scale, dataset)
        return f"{entry.classes:,} categories × {entry.instances:,} images, {entry.side_px} px"
