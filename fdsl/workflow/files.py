"""The files that jobs read and make."""

from __future__ import annotations

from fdsl.schema.study.figures import Ablation, Curves, Distributions, Teaser
from fdsl.schema.study.paper import Study
from fdsl.workflow.config import Config
from fdsl.workflow.runs import Measurement, Run, Runs


class Files:
    """Where everything lies, relative to the working directory."""

    def __init__(self, config: Config, runs: Runs) -> None:
        self.config = config
        self.scale = config.user.scale
        self.runs = runs

    def records(self, report: str) -> list[str]:
        """Return the records that a table or figure is joined from."""
        return [measurement.record(self.scale) for measurement in self.runs.of_report(report)]

    def claim_records(self) -> list[str]:
        """Return the records that decide the claims."""
        return [measurement.record(self.scale) for measurement in self.runs.of_claims()]

    def all_records(self) -> list[str]:
        """Return the records of all tables and figures."""
        return list(dict.fromkeys(found.record(self.scale) for found in self._measured()))

    def pretraining_records(self) -> list[str]:
        """Return the records of the pre-trainings behind all tables and figures."""
        return [
            f"results/{self.scale}/pretrain/{run.key}/record.json"
            for run in self.runs.pretrainings(self._measured())
        ]

    def figures(self) -> list[str]:
        """Return all figures."""
        studies = self.config.studies.values()
        return [f"results/figures/{name}.png" for study in studies for name in study.figures]

    def fragments(self) -> list[str]:
        """Return the fragments of all tables and figures."""
        return [path for s in self.config.studies.values() for path in self.fragments_of(s)]

    def fragments_of(self, study: Study) -> list[str]:
        """Return the fragments of a study's tables and figures in the order of the page."""
        reports = {"tables": study.tables, "figures": study.figures}
        names = [f"{kind}/{name}" for kind, shown in reports.items() for name in shown]
        return [f"results/{name}.fragment.html" for name in names]

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

    def curves(self) -> list[str]:
        """Return the learning curves of every training behind the tables and figures."""
        measured = self._measured()
        pretrained = {("pretrain", run.key) for run in self.runs.pretrainings(measured)}
        tuned = {(m.stage, m.run.key) for m in measured if m.stage in {"finetune", "detect"}}
        return [
            f"results/{self.scale}/{stage}/{key}/curves.png"
            for stage, key in sorted(pretrained | tuned)
        ]

    def targets(self) -> list[str]:
        """Return all tables and figures of the studies."""
        studies = self.config.studies.values()
        tables = [f"results/tables/{name}.csv" for study in studies for name in study.tables]
        return [*tables, *self.figures(), "results/claims.csv", "results/index.html"]

    def images(self, scale: str, key: str) -> list[str]:
        """Return the big files that a pre-training reads: shards, or parameters where images are
        streamed, or none.
        """
        dataset = Run.read(key).pretraining
        if dataset not in self.config.synthetic:
            return []
        suffix = ".parquet" if self.config.scales[scale].images == "stream" else ".arrow"
        return [path.removesuffix(".json") + suffix for path in self._image_digests(scale, dataset)]

    def image_digests(self, scale: str, key: str) -> list[str]:
        """Return the small files that say what a pre-training reads: digests, or the manifest of
        real pictures.
        """
        dataset = Run.read(key).pretraining
        if dataset in self.config.synthetic:
            return self._image_digests(scale, dataset)
        return [self.pretraining_manifest(scale, key)]

    def pretraining_manifest(self, scale: str, key: str) -> str:
        """Return the manifest of the real pictures of a pre-training; empty for a synthetic
        dataset.
        """
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return ""
        return f"results/{scale}/downstream/{self.config.real(scale, name).dataset}.json"

    def attention_manifest(self, scale: str, key: str) -> list[str]:
        """Return the manifest of the real pictures that an `attention` job shows, or nothing where
        a formula draws them.
        """
        manifest = self.pretraining_manifest(scale, key)
        return [manifest] if manifest else []

    def initial(self, scale: str, key: str, name: str) -> list[str]:
        """Return the file `name` of what a downstream run starts from: a pre-training, published
        weights, or nothing (scratch).
        """
        released = Run.read(key).pretraining
        if released in self.config.released:
            return [f"results/{scale}/released/{released}/{name}"]
        pretraining = self.runs.pretraining(scale, Run.read(key))
        return [] if pretraining is None else [f"results/{scale}/pretrain/{pretraining.key}/{name}"]

    def manifest(self, scale: str, key: str) -> str:
        """Return the manifest of the downstream dataset of a run."""
        return f"results/{scale}/downstream/{Run.read(key).downstream}.json"

    def composed(self, scale: str, dataset: str) -> list[str]:
        """Return the folder that `compose` makes a downstream dataset in, or nothing if it comes
        from elsewhere.
        """
        entry = self.config.downstream[dataset]
        return [] if entry.composed is None else [f"results/{scale}/composed/{entry.folder}"]

    def ingredients(self, scale: str, dataset: str) -> list[str]:
        """Return the manifests of the datasets whose pictures a composed one is made of."""
        composed = self.config.downstream[dataset].composed
        names = composed.sources if composed is not None else ()
        return [f"results/{scale}/downstream/{name}.json" for name in names]

    def _measured(self) -> list[Measurement]:
        """Return the measurements behind all tables and figures."""
        studies = self.config.studies.values()
        names = [name for study in studies for name in (*study.tables, *study.figures)]
        return [found for name in names for found in self.runs.of_report(name)]

    def _image_digests(self, scale: str, dataset: str) -> list[str]:
        if self.config.scales[scale].images == "stream":
            return [f"results/{scale}/parameters/{dataset}.json"]
        shards = range(self.config.scales[scale].shards_of(dataset))
        return [f"results/{scale}/images/{dataset}/shard-{shard:04d}.json" for shard in shards]
