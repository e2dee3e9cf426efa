"""What must be made for a table: runs, their keys, their files, and everything that one job needs to know.

The Snakefile asks this module and nothing else. A job gets one JSON object, its *order*: all that decides what it computes.
Where and how fast it computes (threads, device, loader processes) is not part of the order, so moving to another machine
re-runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fdsl.config import Config, Resources
from fdsl.provenance import fingerprint
from fdsl.study import SCRATCH, Column, Figure, ReportScale, Table


@dataclass(frozen=True)
class Run:
    """One training: what was pre-trained on, which network, what is fine-tuned on (or nothing), and the seed."""

    pretraining: str
    model: str
    seed: int
    downstream: str | None = None

    @property
    def key(self) -> str:
        """The run's name in paths and records; the only place that makes one."""
        parts = [
            self.pretraining,
            self.model,
            *([self.downstream] if self.downstream else []),
            f"s{self.seed}",
        ]
        return "-".join(parts)

    @classmethod
    def read(cls, key: str) -> Run:
        """Return the run with a key; the only place that reads one."""
        name = r"([a-z][a-z0-9_]*)"
        match = re.fullmatch(rf"{name}-{name}(?:-{name})?-s(\d+)", key)
        if match is None:
            raise ValueError(f"{key!r} is not a run key such as fractaldb1k-vit_tiny-s0")
        pretraining, model, downstream, seed = match.groups()
        return cls(pretraining, model, int(seed), downstream)


class Plan:
    """Files and orders of all jobs, for a checked configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale

    # --- which runs -------------------------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """Return a table of the studies by its name."""
        tables = {
            key: table
            for study in self.config.studies.values()
            for key, table in study.tables.items()
        }
        if name not in tables:
            raise ValueError(
                f"no study has a table {name!r}; there are: {', '.join(sorted(tables))}"
            )
        return tables[name]

    def columns(self, name: str) -> list[Column]:
        """Return the columns of a table that are run at this scale."""
        stand_ins = self.config.scales[self.scale].stand_ins
        return stand_ins or [column for column in self.table(name).columns if column.dataset]

    def runs(self, name: str) -> list[Run]:
        """Return the fine-tuning runs whose records make a table at this scale."""
        skipped = self.config.scales[self.scale].skip
        rows = [row.pretraining for row in self.table(name).rows if row.pretraining]
        pretrainings = [pretraining for pretraining in rows if pretraining not in skipped]
        datasets = [str(column.dataset) for column in self.columns(name)]
        return [
            Run(pretraining, self._model(dataset), seed, dataset)
            for pretraining in pretrainings
            for dataset in datasets
            for seed in self.config.seeds(self.scale)
        ]

    def _model(self, downstream: str) -> str:
        training = self.config.finetuning(self.scale, downstream)
        return self.config.recipe(self.scale, training).model

    # --- files ------------------------------------------------------------------------------------------------------

    def records(self, table: str) -> list[str]:
        """Return the records that a table is joined from."""
        return [f"results/{self.scale}/finetune/{run.key}/record.json" for run in self.runs(table)]

    def images(self, scale: str, key: str, suffix: str) -> list[str]:
        """Return the files that a pre-training reads its images from: shards, or parameters where images are streamed.

        Parameters
        ----------
        suffix
            `arrow` or `parquet` for the files themselves, `json` for their digests.
        """
        dataset = Run.read(key).pretraining
        if self.config.scales[scale].images == "stream":
            return [
                f"results/{scale}/parameters/{dataset}.{'parquet' if suffix == 'arrow' else suffix}"
            ]
        shards = range(self._shards(scale, dataset))
        return [f"results/{scale}/images/{dataset}/shard-{shard:04d}.{suffix}" for shard in shards]

    def initial(self, scale: str, key: str, name: str) -> list[str]:
        """Return the file `name` of the pre-training that a fine-tuning run starts from, or nothing for a run from scratch."""
        run = Run.read(key)
        if run.pretraining == SCRATCH:
            return []
        shared = self.config.scales[scale].pretrain_seeds
        seed = run.seed if shared is None else shared[run.seed % len(shared)]
        pretraining = Run(run.pretraining, run.model, seed)
        return [f"results/{scale}/pretrain/{pretraining.key}/{name}"]

    def manifest(self, scale: str, key: str) -> str:
        """Return the manifest of the downstream dataset of a fine-tuning run."""
        return f"results/{scale}/downstream/{Run.read(key).downstream}.json"

    def targets(self) -> list[str]:
        """Return all tables and figures of the studies."""
        studies = self.config.studies.values()
        tables = [f"results/tables/{name}.csv" for study in studies for name in study.tables]
        figures = [f"results/figures/{name}.png" for study in studies for name in study.figures]
        return [*tables, *figures]

    # --- orders -----------------------------------------------------------------------------------------------------

    def sampling(self, scale: str, dataset: str) -> str:
        """Return the order of a `sample_parameters` job."""
        entry = self.config.dataset(scale, dataset)
        return _order(dataset=entry.deciding(), seed=self.config.user.dataset_seed)

    def rendering(self, scale: str, dataset: str, shard: str) -> str:
        """Return the order of a `render_shard` job."""
        order = json.loads(self.sampling(scale, dataset))
        return _order(**order, shard=int(shard), shards=self._shards(scale, dataset))

    def pretraining(self, scale: str, key: str) -> str:
        """Return the order of a `pretrain` job."""
        run = Run.read(key)
        recipe = self.config.recipe(scale, self.config.scales[scale].pretrain).model_copy(
            update={"model": run.model}
        )
        return _order(
            **json.loads(self.sampling(scale, run.pretraining)),
            run=key,
            scale=scale,
            images=self.config.scales[scale].images,
            pretraining=run.pretraining,
            run_seed=run.seed,
            recipe=recipe.model_dump(mode="json"),
            model=self.config.models[run.model].deciding(),
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

    def fetching(self, dataset: str) -> str:
        """Return the order of a `fetch_downstream` job."""
        return _order(name=dataset, entry=self.config.downstream[dataset].deciding())

    def tabulation(self, name: str) -> str:
        """Return the order of a `table` job."""
        scale = self.config.scales[self.scale]
        study = next(study for study in self.config.studies.values() if name in study.tables)
        about = ReportScale(
            name=self.scale,
            title=scale.title,
            banner=scale.banner,
            comparable=scale.comparable,
            stand_ins=tuple(scale.stand_ins),
            reduced={} if scale.comparable else {name: self._size(name) for name in scale.datasets},
            reasons={**scale.skip, **self._replaced(name)},
        )
        only = study.model_copy(update={"tables": {name: study.tables[name]}, "figures": {}})
        return _order(
            study=only.model_dump(mode="json"), name=name, scale=about.model_dump(mode="json")
        )

    def drawing(self, name: str) -> str:
        """Return the order of a `figure` job: datasets at their published settings, with only the categories that it shows."""
        figure = self._figure(name)
        shown = {"classes": figure.categories, "instances": figure.instances}
        datasets = [
            self.config.synthetic[dataset].model_copy(update=shown) for dataset in figure.datasets
        ]
        return _order(
            figure=figure.model_dump(mode="json"),
            datasets=[dataset.model_dump(mode="json") for dataset in datasets],
            seed=self.config.user.dataset_seed,
        )

    # --- code and machine -------------------------------------------------------------------------------------------

    def image_code(self, *modules: str, dataset: str) -> str:
        """Return the fingerprint of `modules` and of the formula behind a dataset."""
        return fingerprint(*modules, f"fdsl.formulas.{self.config.synthetic[dataset].formula}")

    def pretraining_code(self, key: str) -> str:
        """Return the fingerprint behind a `pretrain` job."""
        return self.image_code(
            "fdsl.train.pretrain", "fdsl.data.synthetic", dataset=Run.read(key).pretraining
        )

    def figure_code(self, name: str) -> str:
        """Return the fingerprint behind a `figure` job."""
        drawn = {self.config.synthetic[dataset].formula for dataset in self._figure(name).datasets}
        return fingerprint(
            "fdsl.report.figures",
            "fdsl.data.synthetic",
            *(f"fdsl.formulas.{formula}" for formula in drawn),
        )

    def require_downstream(self, names: Iterable[str]) -> None:
        """Raise MissingData, naming every one of these downstream datasets that is neither here nor fetchable."""
        from fdsl.data.downstream import require

        entries = {name: self.config.downstream[name] for name in names}
        must_be_here = {name: entry for name, entry in entries.items() if not entry.fetchable}
        require(must_be_here, self.config.user.data_root)

    def resources(self, scale: str, rule: str) -> Resources:
        """Return what one job of a rule may use at a scale."""
        return self.config.scales[scale].resources[rule]

    def data(self, dataset: str | None) -> str:
        """Return where and how a downstream dataset is found, as JSON: never part of an order."""
        entry = self.config.downstream[str(dataset)]
        return _order(root=self.config.user.data_root, entry=entry.model_dump(mode="json"))

    def machine(self) -> str:
        """Return how the user wants trainings to run, as JSON: never part of an order."""
        user = self.config.user
        return _order(
            device=user.device,
            micro_batch=user.micro_batch,
            loader_workers=user.loader_workers,
            checkpoint_seconds=user.checkpoint_seconds,
        )

    def _figure(self, name: str) -> Figure:
        figures = {
            key: figure
            for study in self.config.studies.values()
            for key, figure in study.figures.items()
        }
        if name not in figures:
            raise ValueError(
                f"no study has a figure {name!r}; there are: {', '.join(sorted(figures))}"
            )
        return figures[name]

    def _replaced(self, table: str) -> dict[str, str]:
        """Return why the table's own columns are not run where stand-ins are."""
        if not self.config.scales[self.scale].stand_ins:
            return {}
        columns = [str(column.dataset) for column in self.table(table).columns if column.dataset]
        return dict.fromkeys(columns, f"{self.scale} scale measures the stand-in datasets instead")

    def _size(self, dataset: str) -> str:
        entry = self.config.dataset(self.scale, dataset)
        side = entry.settings["image_size_px"]
        return f"{entry.classes:,} categories × {entry.instances:,} images, {side} px"

    def _shards(self, scale: str, dataset: str) -> int:
        shards = self.config.scales[scale].shards
        return shards.get(dataset, shards["default"])


def _order(**values: Any) -> str:
    return json.dumps(values, sort_keys=True)
