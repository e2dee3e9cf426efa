"""Gates: whether the runs of a scale can decide a claim, checked from their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from fdsl.report import compare
from fdsl.report.content import DASH, signed
from fdsl.report.effects import effects
from fdsl.report.statistics import LEVEL
from fdsl.schema.study.claims import Claim
from fdsl.schema.study.gates import Control, Gates, NegativeControl
from fdsl.schema.study.tables import SCRATCH, Column


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The result of one gate for one row.

    Attributes
    ----------
    gate
        Its key in the scale.
    row, dataset
        Pre-training, and the column that it is about; for a control its pre-trainings, and empty.
    value, limit
        Factor over chance, or percentage points; of a control the bound of its 95 % interval that
        decides. `value` is None without records.
    passed
        None if it could not be checked; `note` says why.
    """

    gate: str
    row: str
    dataset: str
    value: float | None
    limit: float
    passed: bool | None
    note: str

    @property
    def where(self) -> str:
        """Gate and row, as a verdict names them."""
        return f"{self.gate} of {self.row}{self.dataset and f' on {self.dataset}'}"

    @property
    def status(self) -> str:
        """Passed, failed or not checked."""
        return {True: "passed", False: "failed", None: "not checked"}[self.passed]

    @property
    def shown_value(self) -> str:
        """The value as a factor or in points, or a dash."""
        return DASH if self.value is None else self._shown(self.value)

    @property
    def shown_limit(self) -> str:
        """The limit in the same form."""
        return self._shown(self.limit)

    def _shown(self, number: float) -> str:
        return f"× {number:.2f}" if self.gate == "pretraining_accuracy" else signed(number)


def check_gates(
    asked: Gates,
    rows: Iterable[str],
    *,
    runs: pd.DataFrame,
    pretrained: pd.DataFrame,
    columns: Sequence[Column],
) -> list[Gate]:
    """Check the gates that a scale asks for.

    Parameters
    ----------
    rows
        Pre-trainings of the claims.
    runs
        From `fdsl.report.read_runs.read_runs`; with linear probes for `finetune_beats_probe`.
    pretrained
        From `fdsl.report.read_runs.read_pretrainings`.
    columns
        Datasets of the claims.
    """
    tuned = [column for column in columns if column.evaluation == "finetune"]
    found: list[Gate] = []
    for row in dict.fromkeys(rows):
        if asked.pretraining_accuracy is not None and row != SCRATCH:
            found.append(_accuracy(row, pretrained, asked.pretraining_accuracy))
        if asked.finetune_beats_probe is not None:
            found += _beats_probe(row, runs, tuned, asked.finetune_beats_probe)
    if asked.positive_control is not None:
        found.append(_control("positive_control", asked.positive_control, runs, tuned))
    if asked.negative_control is not None:
        found.append(_control("negative_control", asked.negative_control, runs, tuned))
    return found


def gates_of(claim: Claim, gates: Iterable[Gate], datasets: Sequence[str]) -> tuple[Gate, ...]:
    """Return the gates of a claim's rows on its datasets, and all controls."""
    return tuple(
        gate
        for gate in gates
        if gate.gate.endswith("_control")
        or (gate.row in claim.rows and (not gate.dataset or gate.dataset in datasets))
    )


def summary(gates: Sequence[Gate]) -> str:
    """Return how many gates passed, failed and were not checked; failed ones by name."""
    parts = []
    for status in ("passed", "failed", "not checked"):
        mine = [gate.where for gate in gates if gate.status == status]
        named = f" ({', '.join(mine)})" if status == "failed" else ""
        parts += [f"{len(mine)} {status}{named}"] if mine else []
    return ", ".join(parts)


def _accuracy(row: str, pretrained: pd.DataFrame, limit: float) -> Gate:
    """The worst replicate decides: each of them must have learned its labels."""
    mine = pretrained[pretrained["pretraining"] == row]
    factors = (mine["accuracy"] / mine["chance"]).dropna()
    value = float(factors.min()) if len(factors) else None
    return Gate(
        gate="pretraining_accuracy",
        row=row,
        dataset="",
        value=value,
        limit=limit,
        passed=None if value is None else value >= limit,
        note="no training accuracy in its records" if value is None else "",
    )


def _beats_probe(
    row: str, runs: pd.DataFrame, columns: Sequence[Column], tolerance: float
) -> Iterator[Gate]:
    for column in columns:
        probe = column.model_copy(update={"evaluation": "linear"})
        shown = compare.placed(runs[runs["pretraining"] == row], [column, probe])
        scores = shown.pivot_table(index="seed", columns="measure", values="score")
        both = {column.measure, probe.measure} <= set(scores.columns)
        gain = (scores[column.measure] - scores[probe.measure]).mean() if both else float("nan")
        known = pd.notna(gain)
        yield Gate(
            gate="finetune_beats_probe",
            row=row,
            dataset=column.label,
            value=float(gain) if known else None,
            limit=-tolerance,
            passed=bool(gain >= -tolerance) if known else None,
            note="" if known else "no fine-tuning and linear probe of one replicate",
        )


def _control(name: str, control: Control, runs: pd.DataFrame, columns: Sequence[Column]) -> Gate:
    found = effects([control.pretraining], [control.than], runs, columns)
    interval = found.interval(LEVEL) if len(found.per_replicate) > 1 else None
    below = isinstance(control, NegativeControl) and control.must == "stay below"
    value = passed = None
    note = "fewer than two replicates of both"
    if interval is not None:
        low, high = interval
        value = high if below else low
        beats = low > 0
        passed = high < 0 if below else beats == (name == "positive_control")
        note = f"gain {signed(found.mean or 0.0)} on {', '.join(found.datasets)}"
    verb = {"positive_control": "beats", "negative_control": "must not beat"}[name]
    row = f"{control.pretraining} {'stays below' if below else verb} {control.than}"
    return Gate(gate=name, row=row, dataset="", value=value, limit=0.0, passed=passed, note=note)
