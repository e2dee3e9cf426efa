"""The claims of the studies as CSV, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from fdsl.io.storage import write_text
from fdsl.report.csv_files import to_csv, two_decimals
from fdsl.report.decisions import Decision, decide_all
from fdsl.report.html import SUFFIX, document, write_fragment
from fdsl.report.published import read_published
from fdsl.report.read_runs import read_runs
from fdsl.report.templating import render
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale

FILES = (".csv", ".md", ".html", SUFFIX)
LEGEND = (
    "Effects in percentage points: the claimed better group minus the other, mean over datasets,"
    " paired by seed. The interval is a 95 % percentile bootstrap over seeds; with few seeds it is"
    " about their range. A verdict needs the whole interval on one side of the claim's margin (0"
    " unless stated). The test is ours: the paper states none."
)


def write_claims(
    studies: Mapping[str, Study],
    *,
    scales: Mapping[str, ReportScale],
    records: Iterable[str | Path],
    published: str | Path,
    out: str | Path,
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
    decided = {
        study.title: decide_all(study, scales, runs=runs, printed=printed)
        for study in studies.values()
        if study.claims
    }
    decisions = [decision for found in decided.values() for decision in found]
    shown = {"studies": decided, "banner": scale.banner, "legend": LEGEND}
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
            "published_effect": two_decimals(d.published),
            "effect": two_decimals(d.effect),
            "low": two_decimals(d.low),
            "high": two_decimals(d.high),
            "seeds": d.seeds,
            "datasets": "; ".join(d.datasets),
            "margin": two_decimals(d.claim.margin_points),
            "verdict": d.verdict,
            "note": d.note,
        }
        for d in decisions
    ]
    return pd.DataFrame(rows)
