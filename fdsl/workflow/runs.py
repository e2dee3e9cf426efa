"""Which trainings stand behind a table, a figure or a claim at the chosen scale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from fdsl.schema.study.figures import Ablation, Curves, Figure, Scaling, Teaser
from fdsl.schema.study.paper import Study
from fdsl.schema.study.tables import SCRATCH, Column, Stage, Table
from fdsl.workflow.config import Config

FROZEN = {"knn": "k-NN", "linear": "linear probe"}

Named = TypeVar("Named")


def replicate_key(replicates: str, seed: int) -> str:
    """Return the key of one of the runs that differ in their seed alone; the only place that makes
    one.
    """
    return f"{replicates}-s{seed}"


@dataclass(frozen=True)
class Run:
    """One training: what was pre-trained on, which network, what is fine-tuned on (or nothing), and
    the seed.
    """

    pretraining: str
    model: str
    seed: int
    downstream: str | None = None

    @property
    def key(self) -> str:
        """The run's name in paths and records."""
        parts = (self.pretraining, self.model, self.downstream)
        return replicate_key("-".join(part for part in parts if part), self.seed)

    @classmethod
    def read(cls, key: str) -> Run:
        """Return the run with a key; the only place that reads one."""
        name = r"([a-z][a-z0-9_]*)"
        match = re.fullmatch(rf"{name}-{name}(?:-{name})?-s(\d+)", key)
        if match is None:
            raise ValueError(f"{key!r} is not a run key such as fractaldb1k-vit_tiny-s0")
        pretraining, model, downstream, seed = match.groups()
        return cls(pretraining, model, int(seed), downstream)


@dataclass(frozen=True)
class Draw:
    """One draw of a synthetic dataset: its name, and what is added to the root seed."""

    dataset: str
    number: int

    @property
    def key(self) -> str:
        """The draw's name in paths; the only place that makes one. Draw 0 has the dataset's own."""
        return f"{self.dataset}-d{self.number}" if self.number else self.dataset

    @classmethod
    def read(cls, key: str) -> Draw:
        """Return the draw with a key; the only place that reads one."""
        match = re.fullmatch(r"([a-z][a-z0-9_]*)(?:-d([1-9]\d*))?", key, re.ASCII)
        if match is None:
            raise ValueError(f"{key!r} is not a dataset or a draw of one such as rcdb1k-d1")
        return cls(match[1], int(match[2] or 0))


@dataclass(frozen=True)
class Measurement:
    """A downstream run and the stage of the workflow that leaves its record: fine-tuning, frozen
    features or detection.
    """

    stage: Stage
    run: Run

    def record(self, scale: str) -> str:
        """Return the path of the record."""
        return f"results/{scale}/{self.stage}/{self.run.key}/record.json"


class Runs:
    """The runs that a configuration asks for.

    Attributes
    ----------
    config, scale
        The checked configuration and the name of its scale.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale

    def study(self, report: str) -> Study:
        """Return the study that has a table or figure."""
        owners = {name: s for s in self._studies for name in (*s.tables, *s.figures)}
        return _named("table or figure", report, owners)

    def table(self, name: str) -> Table:
        """Return a table of the studies by its name."""
        return _named("table", name, {k: t for s in self._studies for k, t in s.tables.items()})

    def figure(self, name: str) -> Figure:
        """Return a figure of the studies by its name."""
        return _named("figure", name, {k: f for s in self._studies for k, f in s.figures.items()})

    def referenced_pretrainings(self, report: str) -> set[str]:
        """Return all pre-trainings that a table or figure references, including those not run."""
        study = self.study(report)
        if report in study.tables:
            return set(study.tables[report].pretrainings)
        figure = study.figures[report]
        if isinstance(figure, Curves):
            return self.referenced_pretrainings(figure.table)
        return set(_shown(figure))

    def columns(self, report: str, columns: Sequence[Column]) -> list[Column]:
        """Return the columns of a table or figure that are run at this scale."""
        stand_ins = self.config.stand_ins(self.scale, report)
        if stand_ins:
            also = self.config.datasets_at_hand(self.scale)
            columns = [*stand_ins, *(column for column in columns if column.dataset in also)]
        return [column for column in columns if column.dataset]

    def frozen(self, name: str) -> list[Column]:
        """Return the columns that a table has for the frozen network at this scale."""
        table = self.table(name)
        return [
            column.model_copy(
                update={"evaluation": kind, "label": f"{column.label}, {FROZEN[kind]}"}
            )
            for kind in table.frozen
            for column in self.columns(name, table.columns)
        ]

    def of_table(self, name: str) -> list[Measurement]:
        """Return the measurements that make a table."""
        table = self.table(name)
        columns = [*self.columns(name, table.columns), *self.frozen(name)]
        return self._runs(table.pretrainings, columns)

    def of_figure(self, name: str) -> list[Measurement]:
        """Return the measurements that a figure shows."""
        figure = self.figure(name)
        if isinstance(figure, Curves):
            return self.of_table(figure.table)
        if isinstance(figure, Ablation | Scaling | Teaser):
            columns = [figure.column] if isinstance(figure, Teaser) else figure.columns
            return self._runs(_shown(figure), self.columns(name, columns))
        return []

    def of_report(self, name: str) -> list[Measurement]:
        """Return the measurements behind a table or a figure."""
        return self.of_table(name) if name in self.study(name).tables else self.of_figure(name)

    def of_reports(self) -> list[Measurement]:
        """Return the measurements behind all tables, figures and claims, each once."""
        names = [name for study in self._studies for name in (*study.tables, *study.figures)]
        found = [measurement for name in names for measurement in self.of_report(name)]
        return list(dict.fromkeys([*found, *self.of_claims()]))

    def of_claims(self) -> list[Measurement]:
        """Return the measurements that decide the claims of all studies."""
        claims = [claim for study in self._studies for claim in study.claims.values()]
        reports = sorted({claim.table for claim in claims})
        found = [measurement for name in reports for measurement in self.of_report(name)]
        rows = {row for claim in claims for row in claim.rows}
        return list(dict.fromkeys([*found, *self._of_gates(reports, rows, found)]))

    def _of_gates(
        self, reports: Iterable[str], rows: set[str], found: Sequence[Measurement]
    ) -> list[Measurement]:
        """Return what the scale's gates need besides: runs of the controls, and linear probes."""
        gates, controls = self.config.scales[self.scale].gates, []
        for name in reports if gates.controls else ():
            study = self.study(name)
            source = study.tables.get(name) or study.figures[name]
            columns = self.columns(name, getattr(source, "columns", []))
            controls += self._runs(gates.controls, [c for c in columns if c.stage == "finetune"])
        if gates.finetune_beats_probe is None:
            return controls
        probed = [
            Measurement("probe", m.run)
            for m in found
            if m.stage == "finetune"
            and m.run.pretraining in rows - self.config.published_weights.keys()
            and self.config.downstream[str(m.run.downstream)].objective == "cross_entropy"
        ]
        return [*controls, *probed]

    def pretrainings(self, measurements: Iterable[Measurement]) -> list[Run]:
        """Return the pre-trainings that measurements start from, each once."""
        found = [self.pretraining(self.scale, measurement.run) for measurement in measurements]
        return [run for run in dict.fromkeys(found) if run is not None]

    def pretraining(self, scale: str, run: Run) -> Run | None:
        """Return the pre-training that a downstream run starts from; None from scratch and from
        published weights.
        """
        if run.pretraining in {SCRATCH, *self.config.published_weights}:
            return None
        return replace(run, seed=self.pretraining_seed(scale, run.seed), downstream=None)

    def pretraining_seed(self, scale: str, seed: int) -> int:
        """Return the seed of the pre-training that a seed's downstream runs start from."""
        return _in_turn(self.config.scales[scale].pretrain_seeds, seed)

    def draw(self, scale: str, run: Run) -> Draw:
        """Return the draw of the synthetic dataset that a pre-training sees."""
        return Draw(run.pretraining, _in_turn(self.config.scales[scale].draws, run.seed))

    def skipped(self, pretraining: str, downstream: str) -> str | None:
        """Return why this scale does not evaluate a pre-training on a downstream dataset, or None
        if it does.
        """
        scale = self.config.scales[self.scale]
        if pretraining in scale.skip:
            return scale.skip[pretraining]
        if pretraining not in self.config.pretrainings:
            return None
        entry = self.config.real(self.scale, pretraining)
        same = entry.kind == "supervised" and entry.dataset == downstream
        if same or downstream in entry.overlaps:
            return "it was pre-trained on labelled pictures of the same dataset"
        return None

    def _runs(self, pretrainings: Iterable[str], columns: Sequence[Column]) -> list[Measurement]:
        found = [
            Measurement(column.stage, Run(pretraining, model, seed, column.dataset))
            for pretraining in pretrainings
            for column in columns
            if column.dataset and self._offered(pretraining, column)
            for model in [self._model(pretraining, column)]
            for seed in self.config.seeds(self.scale, column.stage)
        ]
        return list(dict.fromkeys(found))

    def _offered(self, pretraining: str, column: Column) -> bool:
        """Say whether a column can be filled; published weights are of one network, and of none
        that detects.
        """
        if self.skipped(pretraining, str(column.dataset)) is not None:
            return False
        if pretraining not in self.config.published_weights:
            return True
        model = self.config.published_weights[pretraining].model
        return column.stage == "finetune" and column.model in {None, model}

    def _model(self, pretraining: str, column: Column) -> str:
        if pretraining in self.config.published_weights:
            return self.config.published_weights[pretraining].model
        if column.model is not None:
            return column.model
        if column.stage == "detect":
            return self.config.detection(self.scale).model
        training = self.config.finetuning(self.scale, str(column.dataset))
        return self.config.recipe(self.scale, training).model

    @property
    def _studies(self) -> Iterable[Study]:
        return self.config.studies.values()


def _shown(figure: Figure) -> list[str]:
    """Return the pre-trainings of a figure's bars, else the datasets that it shows."""
    bars = figure.bars if isinstance(figure, Ablation | Teaser) else []
    return [bar.pretraining for bar in bars] or list(getattr(figure, "datasets", []))


def _in_turn(shared: Sequence[int] | None, seed: int) -> int:
    """Return which of some shared seeds a seed uses; its own if there are none."""
    return seed if shared is None else shared[seed % len(shared)]


def _named(kind: str, name: str, known: dict[str, Named]) -> Named:
    if name not in known:
        raise ValueError(f"no study has a {kind} {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]
