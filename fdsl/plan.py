"""Everything that the Snakefile asks: the files of each job, and its order.

A job gets one JSON object, its *order*: all that decides what it computes. Where and how fast it computes (threads, device,
loader processes) is not part of the order, so moving to another machine re-runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fdsl import ofdb
from fdsl.catalog import RealPretraining, SyntheticDataset
from fdsl.config import Config, Resources
from fdsl.launch import Spread, launcher
from fdsl.plain_text import restructured
from fdsl.provenance import fingerprint
from fdsl.recipe import Preparation
from fdsl.runs import Run, Runs
from fdsl.study.figures import Ablation, Curves, Distributions, Samples, Teaser
from fdsl.study.scale import ReportScale

# What a probe takes from the order of the fine-tuning with the same key.
PROBED = (
    "run", "scale", "pretraining", "downstream", "classes", "run_seed", "train_labels", "test_images", "model",
)  # fmt: skip


class Plan:
    """Files and orders of all jobs, for a checked configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale
        self.runs = Runs(config)

    # --- files ------------------------------------------------------------------------------------------------------

    def records(self, report: str) -> list[str]:
        """Return the records that a table or figure is joined from."""
        return [measurement.record(self.scale) for measurement in self.runs.of_report(report)]

    def claim_records(self) -> list[str]:
        """Return the records that decide the claims."""
        return [measurement.record(self.scale) for measurement in self.runs.of_claims()]

    def images(self, scale: str, key: str) -> list[str]:
        """Return the big files that a pre-training reads: shards, or parameters where images are streamed, or none."""
        dataset = Run.read(key).pretraining
        if dataset not in self.config.synthetic:
            return []
        suffix = ".parquet" if self.config.scales[scale].images == "stream" else ".arrow"
        return [path.removesuffix(".json") + suffix for path in self._image_digests(scale, dataset)]

    def image_digests(self, scale: str, key: str) -> list[str]:
        """Return the small files that say what a pre-training reads: digests, or the manifest of real pictures."""
        dataset = Run.read(key).pretraining
        if dataset in self.config.synthetic:
            return self._image_digests(scale, dataset)
        return [self.pretraining_manifest(scale, key)]

    def pretraining_manifest(self, scale: str, key: str) -> str:
        """Return the manifest of the real pictures of a pre-training; empty for a synthetic dataset."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return ""
        return f"results/{scale}/downstream/{self.config.real(scale, name).dataset}.json"

    def all_records(self) -> list[str]:
        """Return the records of all tables and figures."""
        studies = self.config.studies.values()
        reports = [name for study in studies for name in [*study.tables, *study.figures]]
        return list(dict.fromkeys(path for name in reports for path in self.records(name)))

    def pretraining_records(self) -> list[str]:
        """Return the records of the pre-trainings behind all tables and figures."""
        studies = self.config.studies.values()
        reports = [name for study in studies for name in [*study.tables, *study.figures]]
        found = [m for name in reports for m in self.runs.of_report(name)]
        return [
            f"results/{self.scale}/pretrain/{run.key}/record.json"
            for run in self.runs.pretrainings(found)
        ]

    def figures(self) -> list[str]:
        """Return all figures."""
        studies = self.config.studies.values()
        return [f"results/figures/{name}.png" for study in studies for name in study.figures]

    def figure_files(self, name: str) -> list[str]:
        """Return what a figure needs besides records: attention maps, curves, parameters."""
        figure = self.runs.figure(name)
        if isinstance(figure, Distributions):
            return [
                f"results/{self.scale}/parameters/{dataset}.parquet" for dataset in figure.datasets
            ]
        pretrainings = self.runs.pretrainings(self.runs.of_figure(name))
        if isinstance(figure, Ablation | Teaser):
            return [f"results/{self.scale}/attention/{run.key}.npz" for run in pretrainings]
        if isinstance(figure, Curves):
            return [
                f"results/{self.scale}/pretrain/{run.key}/metrics.jsonl" for run in pretrainings
            ]
        return []

    def attention_manifest(self, scale: str, key: str) -> list[str]:
        """Return the manifest of the real pictures that an `attention` job shows, or nothing where a formula draws them."""
        manifest = self.pretraining_manifest(scale, key)
        return [manifest] if manifest else []

    def curves(self) -> list[str]:
        """Return the learning curves of every training behind the tables and figures."""
        studies = self.config.studies.values()
        reports = [name for study in studies for name in (*study.tables, *study.figures)]
        measured = [m for report in reports for m in self.runs.of_report(report)]
        pretrained = {("pretrain", run.key) for run in self.runs.pretrainings(measured)}
        tuned = {(m.stage, m.run.key) for m in measured if m.stage in {"finetune", "detect"}}
        return [
            f"results/{self.scale}/{stage}/{key}/curves.png"
            for stage, key in sorted(pretrained | tuned)
        ]

    def initial(self, scale: str, key: str, name: str) -> list[str]:
        """Return the file `name` of what a downstream run starts from: a pre-training, published weights, or nothing (scratch)."""
        released = Run.read(key).pretraining
        if released in self.config.released:
            return [f"results/{scale}/released/{released}/{name}"]
        pretraining = self.runs.pretraining(scale, Run.read(key))
        return [] if pretraining is None else [f"results/{scale}/pretrain/{pretraining.key}/{name}"]

    def manifest(self, scale: str, key: str) -> str:
        """Return the manifest of the downstream dataset of a run."""
        return f"results/{scale}/downstream/{Run.read(key).downstream}.json"

    def targets(self) -> list[str]:
        """Return all tables and figures of the studies."""
        studies = self.config.studies.values()
        tables = [f"results/tables/{name}.csv" for study in studies for name in study.tables]
        return [*tables, *self.figures(), "results/claims.csv", "results/index.html"]

    # --- orders -----------------------------------------------------------------------------------------------------

    def sampling(self, scale: str, dataset: str) -> str:
        """Return the order of a `sample_parameters` job."""
        return _order(**self._synthetic(self.config.dataset(scale, dataset)))

    def rendering(self, scale: str, dataset: str, shard: str) -> str:
        """Return the order of a `render_shard` job."""
        images = self._synthetic(self.config.dataset(scale, dataset))
        return _order(**images, shard=int(shard), shards=self._shards(scale, dataset))

    def pretraining(self, scale: str, key: str) -> str:
        """Return the order of a `pretrain` job."""
        run = Run.read(key)
        training = self.config.pretraining(scale, run.pretraining, run.model)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        ofdb.require_possible(
            recipe.augmentation.ofdb,
            self.config.dataset(scale, run.pretraining)
            if run.pretraining in self.config.synthetic
            else None,
            streamed=self.config.scales[scale].images == "stream",
            where=f"scales/{scale}.yaml: pretrain of {run.pretraining}",
        )
        return _order(
            **self._pictures(scale, run.pretraining),
            run=key,
            scale=scale,
            pretraining=run.pretraining,
            run_seed=run.seed,
            recipe=recipe.model_dump(mode="json"),
            model=self.config.models[run.model].deciding(),
        )

    def _pictures(self, scale: str, pretraining: str) -> dict[str, Any]:
        """Return what decides the images of a pre-training."""
        if pretraining in self.config.synthetic:
            entry = self.config.dataset(scale, pretraining)
            images = self.config.scales[scale].images
            return {"kind": "synthetic", "images": images, **self._synthetic(entry)}
        real = self.config.real(scale, pretraining)
        stand_in = self.config.scales[scale].real.get(pretraining)
        labels = self.config.finetuning(scale, real.dataset).train_labels
        return {
            "kind": real.kind,
            "real": real.dataset,
            "classes": self.config.downstream[real.dataset].classes,
            # no picture may serve both: those that any seed is fine-tuned on are left out
            "train_labels": labels,
            "left_out_seeds": [] if labels is None else self.config.seeds(scale),
            "pictures": None if stand_in is None else stand_in.pictures,
            "seed": self.config.user.dataset_seed,
        }

    def adoption(self, scale: str, name: str) -> str:
        """Return the order of an `adopt_weights` job."""
        entry = self.config.released[name]
        return _order(
            released=name,
            scale=scale,
            entry=entry.deciding(),
            model=self.config.models[entry.model].deciding(),
        )

    def finetuning(self, scale: str, key: str) -> str:
        """Return the order of a `finetune` job."""
        run = Run.read(key)
        if run.downstream is None:
            raise ValueError(f"{key!r} names no downstream dataset, so it is not a fine-tuning run")
        training = self.config.finetuning(scale, run.downstream)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        return _order(
            run=key,
            scale=scale,
            pretraining=run.pretraining,
            downstream=run.downstream,
            classes=self.config.downstream[run.downstream].classes,
            run_seed=run.seed,
            train_labels=training.train_labels,
            test_images=training.test_images,
            recipe=recipe.model_dump(mode="json"),
            model=self.config.models[run.model].deciding(),
        )

    def probing(self, scale: str, key: str) -> str:
        """Return the order of a `probe` job: the images of the fine-tuning with the same key, and nothing of its training."""
        tuned = json.loads(self.finetuning(scale, key))
        return _order(
            **{name: tuned[name] for name in PROBED},
            preparation={name: tuned["recipe"][name] for name in Preparation.model_fields},
            probe=self.config.probe.model_dump(mode="json"),
        )

    def detecting(self, scale: str, key: str) -> str:
        """Return the order of a `detect` job."""
        run = Run.read(key)
        if run.downstream is None:
            raise ValueError(f"{key!r} names no downstream dataset, so it is not a detection run")
        recipe = self.config.detection(scale).model_copy(update={"model": run.model})
        return _order(
            run=key,
            scale=scale,
            pretraining=run.pretraining,
            downstream=run.downstream,
            classes=self.config.downstream[run.downstream].classes,
            run_seed=run.seed,
            recipe=recipe.model_dump(mode="json"),
            model=self.config.models[run.model].deciding(),
        )

    def composing(self, dataset: str) -> str:
        """Return the order of a `compose` job."""
        entry = self.config.downstream[dataset]
        if entry.composed is None:
            raise ValueError(f"{dataset} is not composed: it comes from elsewhere")
        composed = entry.composed.model_dump(mode="json")
        return _order(name=dataset, parts=entry.parts, composed=composed)

    def fetching(self, dataset: str) -> str:
        """Return the order of a `fetch_downstream` job."""
        return _order(name=dataset, entry=self.config.downstream[dataset].deciding())

    def tabulation(self, name: str) -> str:
        """Return the order of a `table` job."""
        study = self.runs.study(name)
        only = study.model_copy(update={"figures": {}, "claims": {}})
        return _order(
            study=only.model_dump(mode="json"),
            name=name,
            scale=self._about(name),
            pictured=self._pictured(name),
            seed=self.config.user.dataset_seed,
        )

    def _pictured(self, table: str) -> dict[str, Any]:
        """Return the synthetic datasets whose images stand above a table, at their published settings."""
        shown = self.runs.table(table)
        names = shown.pretrainings if shown.pictures else []
        return {
            name: self.config.synthetic[name].model_dump(mode="json")
            for name in names
            if name in self.config.synthetic
        }

    def table_code(self, name: str) -> str:
        """Return the fingerprint behind a `table` job."""
        drawn = {entry["formula"] for entry in self._pictured(name).values()}
        formulas = [f"fdsl.formulas.{formula}" for formula in sorted(drawn)]
        return fingerprint(
            "fdsl.report.tables", *(["fdsl.report.gallery", *formulas] if drawn else [])
        )

    def drawing(self, name: str) -> str:
        """Return the order of a `figure` job."""
        figure = self.runs.figure(name)
        return _order(
            name=name,
            figure=figure.model_dump(mode="json"),
            datasets=self._drawn(figure),
            seed=self.config.user.dataset_seed,
            scale=self._about(name),
        )

    def _drawn(self, figure: Any) -> dict[str, Any]:
        """Return the synthetic datasets that a figure draws: samples at their published settings, others as they are trained on."""
        if isinstance(figure, Samples):
            shown = {"classes": figure.categories, "instances": figure.instances}
            return {
                name: self.config.synthetic[name].model_copy(update=shown).model_dump(mode="json")
                for name in figure.datasets
            }
        names = [
            *getattr(figure, "datasets", []),
            *(bar.pretraining for bar in getattr(figure, "bars", [])),
        ]
        return {
            name: self.config.dataset(self.scale, name).model_dump(mode="json")
            for name in names
            if name in self.config.synthetic
        }

    def told(self, report: str) -> str:
        """Return what Snakemake's report says of a table or figure: title, caption, and the scale where it is not the paper's."""
        study, scale = self.runs.study(report), self.config.scales[self.scale]
        shown = study.tables.get(report) or study.figures[report]
        return restructured(f"{shown.title}. {shown.caption} {scale.banner}")

    def deciding(self) -> str:
        """Return the order of the `claims` job."""
        studies = {
            name: study.model_dump(mode="json")
            for name, study in self.config.studies.items()
            if study.claims
        }
        reports = {
            claim.table for study in self.config.studies.values() for claim in study.claims.values()
        }
        return _order(studies=studies, scales={name: self._about(name) for name in sorted(reports)})

    def paging(self) -> str:
        """Return the order of the `page` job."""
        studies = self.config.studies
        reports = [name for s in studies.values() for name in [*s.tables, *s.figures]]
        return _order(
            studies={name: study.model_dump(mode="json") for name, study in studies.items()},
            scales={name: self._about(name) for name in reports},
            table_records={name: self.records(name) for name in reports},
            pretraining_records=self.pretraining_records(),
            datasets={
                name: entry.model_dump(mode="json") for name, entry in self.config.synthetic.items()
            },
            seed=self.config.user.dataset_seed,
        )

    def _about(self, report: str) -> dict[str, Any]:
        """Return what a table or figure must know, and say, about the scale."""
        scale = self.config.scales[self.scale]
        stand_ins = self.config.stand_ins(self.scale, report)
        frozen = self.runs.frozen(report) if report in self.runs.study(report).tables else []
        told = self.runs.told(report)
        reduced = {name: self._size(name) for name in scale.datasets if name in told}
        reduced |= {name: real.title for name, real in scale.real.items() if name in told}
        about = ReportScale(
            name=self.scale,
            title=scale.title,
            banner=scale.banner,
            comparable=scale.comparable,
            stand_ins=tuple(stand_ins),
            frozen=tuple(frozen),
            reduced={} if scale.comparable else reduced,
            reasons=self._reasons(report, bool(stand_ins)),
        )
        return about.model_dump(mode="json")

    def _reasons(self, report: str, replaced: bool) -> dict[str, str]:
        """Return why cells of a table or figure are not run."""
        told = self.runs.told(report)
        skipped = self.config.scales[self.scale].skip
        reasons = {name: reason for name, reason in skipped.items() if name in told}
        study = self.runs.study(report)
        source = study.tables.get(report) or study.figures[report]
        columns = list(getattr(source, "columns", []))
        for column in self.runs.columns(report, columns):
            for name in told & self.config.pretrainings.keys():
                reason = self.runs.skipped(name, str(column.dataset))
                if reason is not None and name not in reasons:
                    reasons[f"{name} on {column.dataset}"] = reason
        if replaced:
            instead = f"{self.scale} scale measures stand-ins in place of the paper's columns"
            reasons |= {column.measure: instead for column in columns if column.dataset}
        return reasons

    # --- code and machine -------------------------------------------------------------------------------------------

    def image_code(self, *modules: str, dataset: str) -> str:
        """Return the fingerprint of `modules` and of the formula behind a dataset."""
        return fingerprint(*modules, f"fdsl.formulas.{self.config.synthetic[dataset].formula}")

    def pretraining_code(self, key: str) -> str:
        """Return the fingerprint behind a `pretrain` job."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return self.image_code("fdsl.train.pretrain", "fdsl.data.synthetic", dataset=name)
        objectives = {"supervised": [], "dino": ["fdsl.train.dino"]}
        kind = self.config.pretrainings[name].kind
        return fingerprint("fdsl.train.pretrain", *objectives[kind], "fdsl.data.parts")

    def attention_code(self, key: str) -> str:
        """Return the fingerprint behind an `attention` job."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return self.image_code("fdsl.train.attention", "fdsl.data.synthetic", dataset=name)
        return fingerprint("fdsl.train.attention", "fdsl.data.parts")

    def figure_code(self, name: str) -> str:
        """Return the fingerprint behind a `figure` job."""
        drawn = {entry["formula"] for entry in self._drawn(self.runs.figure(name)).values()}
        return fingerprint(
            f"fdsl.report.figures.{self.runs.figure(name).kind}",
            "fdsl.data.synthetic",
            *(f"fdsl.formulas.{formula}" for formula in sorted(drawn)),
        )

    def composed(self, scale: str, dataset: str) -> list[str]:
        """Return the folder that `compose` makes a downstream dataset in, or nothing if it comes from elsewhere."""
        entry = self.config.downstream[dataset]
        return [] if entry.composed is None else [f"results/{scale}/composed/{entry.folder}"]

    def ingredients(self, scale: str, dataset: str) -> list[str]:
        """Return the manifests of the datasets whose pictures a composed one is made of."""
        composed = self.config.downstream[dataset].composed
        names = composed.sources if composed is not None else ()
        return [f"results/{scale}/downstream/{name}.json" for name in names]

    def ingredient_data(self, dataset: str) -> str:
        """Return where the pictures for a composed dataset are found, as JSON by name: never part of an order."""
        composed = self.config.downstream[dataset].composed
        names = composed.sources if composed is not None else ()
        return _order(**{name: json.loads(self.data(name)) for name in names})

    def require_downstream(self, names: Iterable[str]) -> None:
        """Raise MissingData, naming every one of these downstream datasets that is neither here nor fetchable."""
        from fdsl.data.downstream import require

        entries = {name: self.config.downstream[name] for name in names}
        must_be_here = {
            name: entry
            for name, entry in entries.items()
            if not entry.fetchable and entry.composed is None
        }
        require(must_be_here, self.config.user.data_root)

    def require_weights(self, names: Iterable[str]) -> None:
        """Raise MissingData, naming every one of these published weights whose file is not here."""
        from fdsl.data.weight_files import require

        require({name: self.config.released[name] for name in names}, self.config.user.data_root)

    def resources(self, scale: str, rule: str) -> Resources:
        """Return what one job of a rule may use at a scale."""
        return self.config.scales[scale].resources[rule]

    def spread(self, scale: str, rule: str, key: str) -> Spread:
        """Return the processes that share one training: as the user spreads its network, the user's number, or one for each GPU."""
        user = self.config.user
        wanted = user.spread.get(Run.read(key).model) if rule == "pretrain" else None
        if wanted is not None:
            return Spread.read(wanted)
        gpus = 0 if user.device == "cpu" else self.resources(scale, rule).gpu
        return Spread(1, user.processes or max(gpus, 1))

    def threads(self, scale: str, rule: str, key: str) -> int:
        """Return the CPU threads of one training on each host, all its processes together: at least one for each."""
        return max(self.resources(scale, rule).threads, self.spread(scale, rule, key).each)

    def gpus(self, scale: str, rule: str, key: str) -> int:
        """Return the GPUs of one training on each host: the scale's, or one for each process of a network that the user spreads."""
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
        """Return the resources of one training beyond threads, memory and time, under the names of Snakemake's SLURM plugin."""
        spread, gpus = self.spread(scale, rule, key), self.gpus(scale, rule, key)
        if spread.hosts == 1:
            return {"gpu": gpus}
        alone = spread.each == 1
        return {
            "mpi": "srun",  # the training's command begins with srun, so the plugin must not put another before it
            "nodes": spread.hosts,
            # the plugin refuses tasks_per_node = 1
            **({"tasks": spread.hosts} if alone else {"tasks_per_node": spread.each}),
            "tasks_per_gpu": 0,  # else the plugin asks for `tasks` on each GPU
            "cpus_per_task": max(self.threads(scale, rule, key) // spread.each, 1),
            **({"gres": f"gpu:{gpus}"} if gpus else {}),
        }

    def pretraining_data(self, scale: str, key: str) -> str:
        """Return where the real pictures of a pre-training are found; empty for a synthetic dataset."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return ""
        return self.data(self.config.real(scale, name).dataset)

    def data(self, dataset: str | None, *, scale: str | None = None) -> str:
        """Return where and how a downstream dataset is found, as JSON: never part of an order.

        A composed dataset belongs to a scale.
        """
        entry = self.config.downstream[str(dataset)]
        root = self.config.user.data_root
        if entry.composed is not None:
            root = f"results/{scale or self.scale}/composed"
        return _order(root=root, entry=entry.model_dump(mode="json"))

    def weights(self, name: str) -> str:
        """Return where published weights are found and all that is said of them, as JSON: never part of an order."""
        entry = self.config.released[name]
        return _order(root=self.config.user.data_root, entry=entry.model_dump(mode="json"))

    def about(self, scale: str, key: str) -> str:
        """Return words for the model card of a pre-training, as JSON: never part of an order."""
        run, budget = Run.read(key), self.config.scales[scale]
        entry: SyntheticDataset | RealPretraining
        if run.pretraining in self.config.synthetic:
            entry, terms = self.config.synthetic[run.pretraining], None
        else:
            entry = self.config.real(scale, run.pretraining)
            terms = self.config.downstream[entry.dataset].licence
        return _order(
            title=entry.title or run.pretraining,
            source=entry.source,
            terms=terms,
            model_title=self.config.models[run.model].title or run.model,
            banner=budget.banner,
            scale_title=budget.title,
            comparable=budget.comparable,
        )

    def machine(self) -> str:
        """Return how the user wants trainings to run, as JSON: never part of an order."""
        user = self.config.user
        return _order(
            device=user.device,
            micro_batch=user.micro_batch,
            loader_workers=user.loader_workers,
            compile=user.compile,
            deterministic=user.deterministic,
            checkpoint_seconds=user.checkpoint_seconds,
        )

    def _synthetic(self, entry: SyntheticDataset) -> dict[str, Any]:
        """Return what decides the images of a synthetic dataset."""
        return {"dataset": entry.deciding(), "seed": self.config.user.dataset_seed}

    def _image_digests(self, scale: str, dataset: str) -> list[str]:
        if self.config.scales[scale].images == "stream":
            return [f"results/{scale}/parameters/{dataset}.json"]
        shards = range(self._shards(scale, dataset))
        return [f"results/{scale}/images/{dataset}/shard-{shard:04d}.json" for shard in shards]

    def _size(self, dataset: str) -> str:
        entry = self.config.dataset(self.scale, dataset)
        side = entry.settings["image_size_px"]
        return f"{entry.classes:,} categories × {entry.instances:,} images, {side} px"

    def _shards(self, scale: str, dataset: str) -> int:
        shards = self.config.scales[scale].shards
        return shards.get(dataset, shards["default"])


def _order(**values: Any) -> str:
    return json.dumps(values, sort_keys=True)
