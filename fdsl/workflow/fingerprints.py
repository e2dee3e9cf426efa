"""Digests of the code that jobs reach, where it depends on what they compute."""

from __future__ import annotations

from fdsl.provenance import fingerprint
from fdsl.workflow.config import Config
from fdsl.workflow.reports import Reports
from fdsl.workflow.runs import Run, Runs


class Codes:
    """Fingerprints that change with what a job may compute differently, and with nothing else."""

    def __init__(self, config: Config, runs: Runs, reports: Reports) -> None:
        self.config = config
        self.runs = runs
        self.reports = reports

    def images(self, *modules: str, dataset: str) -> str:
        """Return the fingerprint of `modules` and of the formula behind a dataset."""
        return fingerprint(*modules, f"fdsl.formulas.{self.config.synthetic[dataset].formula}")

    def pretraining(self, key: str) -> str:
        """Return the fingerprint behind a `pretrain` job."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return self.images("fdsl.train.pretrain", "fdsl.images.shards", dataset=name)
        objectives = {"supervised": [], "dino": ["fdsl.train.dino"]}
        kind = self.config.pretrainings[name].kind
        return fingerprint("fdsl.train.pretrain", *objectives[kind], "fdsl.datasets.splits")

    def attention(self, key: str) -> str:
        """Return the fingerprint behind an `attention` job."""
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return self.images("fdsl.train.attention", "fdsl.images.shards", dataset=name)
        return fingerprint("fdsl.train.attention", "fdsl.datasets.splits")

    def table(self, name: str) -> str:
        """Return the fingerprint behind a `table` job."""
        drawn = {entry["formula"] for entry in self.reports.pictured(name).values()}
        formulas = [f"fdsl.formulas.{formula}" for formula in sorted(drawn)]
        return fingerprint(
            "fdsl.report.tables", *(["fdsl.report.gallery", *formulas] if drawn else [])
        )

    def figure(self, name: str) -> str:
        """Return the fingerprint behind a `figure` job."""
        drawn = {entry["formula"] for entry in self.reports.drawn(self.runs.figure(name)).values()}
        return fingerprint(
            f"fdsl.report.figures.{self.runs.figure(name).kind}",
            "fdsl.images.shards",
            *(f"fdsl.formulas.{formula}" for formula in sorted(drawn)),
        )
