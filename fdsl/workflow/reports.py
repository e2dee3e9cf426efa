"""Orders of the jobs that report: tables, figures, claims and the page."""

from __future__ import annotations

from typing import Any

from fdsl.io.escaping import escape_rst
from fdsl.schema.study.figures import Samples
from fdsl.schema.study.report_scale import ReportScale
from fdsl.workflow.as_json import as_json
from fdsl.workflow.config import Config
from fdsl.workflow.files import Files
from fdsl.workflow.runs import Runs


class Reports:
    """All that decides what a report says, as JSON, and what is said about a report."""

    def __init__(self, config: Config, runs: Runs, files: Files) -> None:
        self.config = config
        self.scale = config.user.scale
        self.runs = runs
        self.files = files

    def tabulation(self, name: str) -> str:
        """Return the order of a `table` job."""
        study = self.runs.study(name)
        only = study.model_copy(update={"figures": {}, "claims": {}})
        return as_json(
            study=only.model_dump(mode="json"),
            name=name,
            scale=self._about(name),
            pictured=self.pictured(name),
            seed=self.config.user.dataset_seed,
        )

    def pictured(self, table: str) -> dict[str, Any]:
        """Return the synthetic datasets whose images stand above a table, at their published
        settings.
        """
        shown = self.runs.table(table)
        names = shown.pretrainings if shown.pictures else []
        return {
            name: self.config.synthetic[name].model_dump(mode="json")
            for name in names
            if name in self.config.synthetic
        }

    def drawing(self, name: str) -> str:
        """Return the order of a `figure` job."""
        figure = self.runs.figure(name)
        return as_json(
            name=name,
            figure=figure.model_dump(mode="json"),
            datasets=self.drawn(figure),
            seed=self.config.user.dataset_seed,
            scale=self._about(name),
        )

    def drawn(self, figure: Any) -> dict[str, Any]:
        """Return the synthetic datasets that a figure draws: samples at their published settings,
        others as they are trained on.
        """
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
        """Return what Snakemake's report says of a table or figure: title, caption, and the scale
        where it is not the paper's.
        """
        study, scale = self.runs.study(report), self.config.scales[self.scale]
        shown = study.tables.get(report) or study.figures[report]
        return escape_rst(f"{shown.title}. {shown.caption} {scale.banner}")

    def hashed_fields(self) -> str:
        """Return the order of the `claims` job."""
        studies = {
            name: study.model_dump(mode="json")
            for name, study in self.config.studies.items()
            if study.claims
        }
        reports = {
            claim.table for study in self.config.studies.values() for claim in study.claims.values()
        }
        return as_json(
            studies=studies, scales={name: self._about(name) for name in sorted(reports)}
        )

    def paging(self) -> str:
        """Return the order of the `page` job."""
        studies = self.config.studies
        reports = [name for s in studies.values() for name in [*s.tables, *s.figures]]
        return as_json(
            studies={name: study.model_dump(mode="json") for name, study in studies.items()},
            scales={name: self._about(name) for name in reports},
            table_records={name: self.files.records(name) for name in reports},
            pretraining_records=self.files.pretraining_records(),
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

    def _size(self, dataset: str) -> str:
        entry = self.config.dataset(self.scale, dataset)
        side = entry.settings["image_size_px"]
        return f"{entry.classes:,} categories × {entry.instances:,} images, {side} px"
