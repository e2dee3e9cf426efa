"""Decide the claims of a paper from records: effect, interval, p values and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fdsl.report import statistics
from fdsl.report.content import DASH, signed
from fdsl.report.effects import Effects, effects
from fdsl.report.gates import Gate, gates_of
from fdsl.report.needs import difficulty_ratio, unmet
from fdsl.report.published_effects import published_effect
from fdsl.schema.study.claims import Claim
from fdsl.schema.study.figures import Ablation
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Table

NOT_RUN = "not run"
# By whether the scale is comparable: the claim's direction was found, or the other one.
FOUND = {True: "reproduced", False: "same direction"}
REFUTED = {True: "not reproduced", False: "opposite direction"}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The result of one claim at one scale; effects in percentage points, better minus worse.

    Attributes
    ----------
    low, high, level
        Interval of the effect and its coverage; `low` and `high` are None without one.
    p, p_holm, p_sign_flip
        Two-sided t test or TOST, the same adjusted for the study's claims, and the exact check
        beside it; None where there is no test.
    replicates
        How many have everything that the claim compares.
    n_to_decide
        Replicates that would decide, if the effect and its spread are those seen.
    gates
        The gates of the claim's rows, and the controls.
    note
        Reservations, joined by semicolons.
    """

    name: str
    claim: Claim
    scale: ReportScale
    published: float | None
    effect: float | None
    low: float | None
    high: float | None
    level: float
    p: float | None
    p_holm: float | None
    p_sign_flip: float | None
    replicates: int
    datasets: tuple[str, ...]
    verdict: str
    n_to_decide: int | None
    gates: tuple[Gate, ...]
    note: str

    @property
    def published_effect(self) -> str:
        """The published effect with a sign, or a dash."""
        return DASH if self.published is None else signed(self.published)

    @property
    def our_effect(self) -> str:
        """Our effect with a sign and its interval, or a dash."""
        if self.effect is None:
            return DASH
        interval = "" if self.low is None else f" [{signed(self.low)}, {signed(self.high or 0.0)}]"
        wider = f" ({self.level:.0%})" if interval and self.level != statistics.LEVEL else ""
        return f"{signed(self.effect)}{interval}{wider}"


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A claim with its evidence, before the claims of the study are seen together."""

    name: str
    claim: Claim
    scale: ReportScale
    published: float | None
    found: Effects
    unmet: tuple[str, ...]
    gates: tuple[Gate, ...]
    notes: tuple[str, ...]

    @property
    def p(self) -> float | None:
        """The p value of the direction that was seen; None if the claim cannot be tested."""
        claim, values = self.claim, self.found.per_replicate
        if self.unmet or len(values) < 2:
            return None
        if claim.kind == "greater":
            return float(statistics.t_test(values, margin=claim.margin_points))
        if self.as_claimed:
            return float(statistics.equivalence_test(values, margin=claim.margin_points))
        outside = np.copysign(1, values.mean()) * values
        return float(statistics.t_test(outside, margin=claim.margin_points))

    @property
    def as_claimed(self) -> bool:
        """Whether the mean effect lies where the claim says."""
        effect, margin = self.found.mean or 0.0, self.claim.margin_points
        return abs(effect) < margin if self.claim.kind == "equivalent" else effect > margin

    def n_to_decide(self, error: float) -> int | None:
        """Return the number of replicates that would decide at a level."""
        values = self.found.per_replicate
        sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        if self.found.mean is None or sd < statistics.ROUNDING:
            return None
        return statistics.replicates_to_decide(
            self.found.mean,
            sd,
            margin=self.claim.margin_points,
            equivalent=self.claim.kind == "equivalent",
            error=error,
        )


def decide_all(
    study: Study,
    scales: Mapping[str, ReportScale],
    *,
    runs: pd.DataFrame,
    printed: pd.DataFrame,
    gates: Sequence[Gate] = (),
    difficulty: Mapping[str, float | None] | None = None,
) -> list[Decision]:
    """Decide all claims of a study, in the order of its tables and figures.

    The effect is the mean over datasets of (mean of the better group - mean of the worse group),
    taken replicate by replicate. Holm's family is every claim that could be tested, also one whose
    gate fails: a gate never makes the other claims easier to decide. The tests are ours; the paper
    states none.

    Parameters
    ----------
    scales
        The scale as each table or figure of a claim sees it, by the report's name.
    runs
        From `fdsl.report.read_runs.read_runs`.
    printed
        From `fdsl.report.published.read_published`.
    gates
        From `fdsl.report.gates.check_gates`.
    difficulty
        As `fdsl.report.needs.difficulty_ratio`.
    """
    places = [*study.tables, *study.figures]
    claims = sorted(study.claims.items(), key=lambda item: places.index(item[1].table))
    cases = [
        _case(name, study, scales[claim.table], runs, printed, gates, difficulty or {})
        for name, claim in claims
    ]
    tested = {case.name: case.p for case in cases if case.p is not None}
    adjusted = statistics.holm(np.array(list(tested.values()), float))
    holm = dict(zip(tested, adjusted.tolist(), strict=True))
    undecided = sum(p > statistics.FAMILY_ERROR for p in holm.values())
    error = statistics.FAMILY_ERROR / max(1, undecided)
    return [_decide(case, holm.get(case.name), error) for case in cases]


def claim_columns(claim: Claim, study: Study, scale: ReportScale) -> list[Column]:
    """Return the columns that decide a claim at a scale: the scale's stand-ins, else the paper's,
    of those that the claim is about.
    """
    source = study.tables.get(claim.table) or study.figures[claim.table]
    assert isinstance(source, Table | Ablation)
    own = [c for c in source.columns if not scale.stand_ins or c.measure not in scale.reasons]
    measured = [column for column in (*scale.stand_ins, *own) if column.dataset]
    return [c for c in measured if claim.columns is None or c.label in claim.columns]


def _case(
    name: str,
    study: Study,
    scale: ReportScale,
    runs: pd.DataFrame,
    printed: pd.DataFrame,
    gates: Sequence[Gate],
    difficulty: Mapping[str, float | None],
) -> _Case:
    claim = study.claims[name]
    columns = claim_columns(claim, study, scale)
    found = effects(claim.better, claim.worse, runs, columns)
    faults = unmet(claim, scale, columns=[c.label for c in columns], difficulty=difficulty)
    if len(found.per_replicate):
        absent = [label for label in claim.needs.datasets if label not in found.datasets]
        faults += [f"no records on {label}" for label in absent if not faults]
    return _Case(
        name=name,
        claim=claim,
        scale=scale,
        published=published_effect(claim, study, printed),
        found=found,
        unmet=tuple(faults),
        gates=gates_of(claim, gates, found.datasets),
        notes=tuple(_notes(claim, scale, found, runs, difficulty)),
    )


def _notes(
    claim: Claim,
    scale: ReportScale,
    found: Effects,
    runs: pd.DataFrame,
    difficulty: Mapping[str, float | None],
) -> list[str]:
    """Return what a reader must know beside the verdict."""
    n, known = len(found.per_replicate), set(runs["pretraining"])
    absent = [row for row in claim.rows if row not in known]
    if absent or not n:
        return [f"no records of {', '.join(absent)}" if absent else "no replicate in common"]
    notes = [] if scale.comparable else ["on stand-ins"]
    if n == 1:
        notes.append(
            "interval over test images: this pair of networks only"
            if found.differences
            else "one replicate has no spread"
        )
    elif np.ptp(found.per_replicate) <= statistics.ROUNDING:
        notes.append("the replicates do not differ, which is no proof")
    if claim.kind == "equivalent":
        notes.append(f"claimed: within ±{claim.margin_points:.2f} points")
    asked = claim.needs.difficulty_ratio is not None and not scale.comparable
    if asked and difficulty_ratio(claim.rows, difficulty) is None:
        notes.append("difficulty of the images not measured")
    return notes


def _decide(case: _Case, p_holm: float | None, error: float) -> Decision:
    """Return the decision with the adjusted p value; `error` is the level of Holm's next step."""
    claim, found = case.claim, case.found
    equivalent = claim.kind == "equivalent"
    level = statistics.EQUIVALENCE_LEVEL if equivalent else statistics.LEVEL
    testable = not case.unmet and len(found.per_replicate) > 0
    interval = found.interval(level) if testable else None
    low, high = interval or (None, None)
    undecided = p_holm is not None and p_holm > statistics.FAMILY_ERROR
    n = case.n_to_decide(error) if undecided else None
    flip = case.p is not None and not equivalent
    return Decision(
        name=case.name,
        claim=claim,
        scale=case.scale,
        published=case.published,
        effect=found.mean if testable else None,
        low=low,
        high=high,
        level=level,
        p=case.p,
        p_holm=p_holm,
        p_sign_flip=(
            statistics.sign_flip_test(found.per_replicate, margin=claim.margin_points)
            if flip
            else None
        ),
        replicates=len(found.per_replicate) if testable else 0,
        datasets=found.datasets if testable else (),
        verdict=_verdict(case, p_holm, n),
        n_to_decide=n,
        gates=case.gates,
        note="" if case.unmet else "; ".join(case.notes),
    )


def _verdict(case: _Case, p_holm: float | None, n: int | None) -> str:
    values, comparable = case.found.per_replicate, case.scale.comparable
    failed = [gate.where for gate in case.gates if gate.passed is False]
    if case.unmet:
        return f"not testable here: {'; '.join(case.unmet)}"
    if not len(values):
        return NOT_RUN
    if failed:
        return f"instrument not valid: {', '.join(failed)}"
    if p_holm is None:
        return "undecided (one replicate)"
    if p_holm <= statistics.FAMILY_ERROR:
        return (FOUND if case.as_claimed else REFUTED)[comparable]
    if np.ptp(values) <= statistics.ROUNDING:
        return "undecided (no spread)"
    number = f"≈ {n}" if n is not None else f"> {statistics.MOST_REPLICATES}"
    return f"undecided (n {number} would decide)"
