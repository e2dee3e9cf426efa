"""The claims of the studies as CSV, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from fdsl.io.storage import write_text
from fdsl.report.csv_files import to_csv, two_decimals
from fdsl.report.decisions import Decision, claim_columns, decide_all
from fdsl.report.gates import check_gates, summary
from fdsl.report.html import SUFFIX, document, write_fragment
from fdsl.report.published import read_published
from fdsl.report.read_runs import read_pretrainings, read_runs
from fdsl.report.templating import render
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale

FILES = (".csv", ".md", ".html", SUFFIX)
LEGEND = (
    "Effects in percentage points: the claimed better group minus the other, mean over datasets,"
    " paired by replicate (one run of the whole pipeline). The interval is Student's, of this claim"
    " alone: 95 %, and 90 % where the claim is 'about as well'. A verdict needs p ≤ 0.05 after"
    " Holm's correction for all tested claims of the study, by a t test against the claim's margin"
    " (0 unless stated) or two one-sided tests. n ≈ … is the number of replicates that would"
    " decide with probability 0.8, if effect and spread are those seen. The tests are ours: the"
    " paper states none."
)
GATES_LEGEND = (
    "What must hold before records decide anything. A claim with a failed gate, or any claim if a"
    " control fails, gets no verdict. Training accuracy as a multiple of chance, of the worst"
    " replicate; fine-tuning minus a linear probe of the same weights in points; for controls the"
    " decisive bound of the gain's 95 % interval."
)


def write_claims(
    studies: Mapping[str, Study],
    *,
    scales: Mapping[str, ReportScale],
    records: Iterable[str | Path],
    published: str | Path,
    out: str | Path,
    pretrained: Iterable[str | Path] = (),
    difficulty: Mapping[str, float | None] | None = None,
) -> list[Decision]:
    """Decide all claims; write them as CSV, Markdown, HTML document, and fragment for the page.

    Parameters
    ----------
    studies
        At least one of them with claims; those without are left out.
    scales
        The scale as each table or figure of a claim sees it, by the report's name.
    records
        All records of the runs behind the claims, in any order.
    published
        workflow/published/tables.csv.
    out
        The CSV; the others have the suffixes `FILES`. Each file is written whole or not at all.
    pretrained
        Records of the pre-trainings, for the gate `pretraining_accuracy`.
    difficulty
        As `fdsl.report.needs.difficulty_ratio`.

    Raises
    ------
    ConfigError, DamagedFile, RecordRefused
        If a file cannot be read or a record cannot be used; nothing is written then.
    ValueError
        If `out` does not end in .csv.
    """
    target = Path(out)
    if target.suffix != ".csv":
        raise ValueError(f"out = {target} must end in .csv; the other files get its name")
    printed = read_published(published)
    scale = next(iter(scales.values()))
    runs = read_runs(records, scale=scale.name)
    claimed = [study for study in studies.values() if study.claims]
    claims = [(claim, study) for study in claimed for claim in study.claims.values()]
    columns = [
        c for claim, study in claims for c in claim_columns(claim, study, scales[claim.table])
    ]
    gates = check_gates(
        scale.gates,
        [row for claim, _ in claims for row in claim.rows],
        runs=runs,
        pretrained=read_pretrainings(pretrained, scale=scale.name),
        columns=list({column.measure: column for column in columns}.values()),
    )
    decided = {
        study.title: decide_all(
            study, scales, runs=runs, printed=printed, gates=gates, difficulty=difficulty
        )
        for study in claimed
    }
    decisions = [decision for found in decided.values() for decision in found]
    shown = {
        "studies": decided,
        "gates": gates,
        "banner": scale.banner,
        "legend": LEGEND,
        "gates_legend": GATES_LEGEND,
        "p_value": _p_value,
    }
    page = document(f"Claims ({scale.title})", render("claims.html.j2", **shown, level=1))
    fragment = render("claims.html.j2", **shown, level=2)
    markdown = render("claims.md.j2", **shown)
    write_fragment(target.with_suffix(SUFFIX), fragment)
    write_text(target.with_suffix(".html"), page)
    write_text(target.with_suffix(".md"), f"{markdown.strip()}\n")
    write_text(target, to_csv(as_frame(decisions)))
    return decisions


def as_frame(decisions: Iterable[Decision]) -> pd.DataFrame:
    """Return decisions as the CSV has them; points are text with two decimals, empty where there
    are none.
    """
    rows = [
        {
            "claim": d.name,
            "sentence": d.claim.sentence,
            "stated": d.claim.stated,
            "table": d.claim.table,
            "scale": d.scale.name,
            "kind": d.claim.kind,
            "published_effect": two_decimals(d.published),
            "effect": two_decimals(d.effect),
            "low": two_decimals(d.low),
            "high": two_decimals(d.high),
            "level": f"{d.level:.2f}" if d.low is not None else "",
            "p": _p_value(d.p),
            "p_holm": _p_value(d.p_holm),
            "p_sign_flip": _p_value(d.p_sign_flip),
            "replicates": d.replicates,
            "datasets": "; ".join(d.datasets),
            "margin": two_decimals(d.claim.margin_points),
            "verdict": d.verdict,
            "n_to_decide": "" if d.n_to_decide is None else d.n_to_decide,
            "gates": summary(d.gates),
            "note": d.note,
        }
        for d in decisions
    ]
    return pd.DataFrame(rows)


def _p_value(p: float | None) -> str:
    """Return three significant digits, or an empty string for None."""
    return "" if p is None else f"{p:.3g}"
