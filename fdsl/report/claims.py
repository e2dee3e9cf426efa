"""The claims of the studies as CSV, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from fdsl.io.escaping import escape_markdown
from fdsl.io.storage import write_text
from fdsl.report import csv_files
from fdsl.report.content import DASH, points
from fdsl.report.decisions import CONTRADICTED, SUPPORTED, Decision, decide_all
from fdsl.report.document import document, fill
from fdsl.report.published import read_published
from fdsl.report.read_runs import read_runs
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale

COLUMNS = (
    "claim",
    "sentence",
    "stated",
    "table",
    "scale",
    "published_effect",
    "effect",
    "low",
    "high",
    "seeds",
    "datasets",
    "margin",
    "verdict",
    "note",
)
MARKS = {SUPPORTED: "good", CONTRADICTED: "bad"}
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
    """Write the decisions on all claims as `out` (CSV) and, beside it, as .md and .html; each file
    whole or not at all.

    Parameters
    ----------
    studies
        With claims.
    scales
        The scale as each table or figure sees it, by its name.
    records
        All records of the runs behind the claims, in any order.
    published
        workflow/published/tables.csv.
    out
        Ends in .csv.

    Raises
    ------
    ConfigError, DamagedFile, RecordRefused
        If a file cannot be read or a record cannot be used; nothing is written then.
    """
    target = Path(out)
    if target.suffix != ".csv":
        raise ValueError(f"out = {target} must end in .csv; .md and .html are written beside it")
    printed = read_published(published)
    scale = next(iter(scales.values()))
    runs = read_runs(records, scale=scale.name)
    decisions = [
        decision
        for study in studies.values()
        for decision in decide_all(study, scales, runs=runs, printed=printed)
    ]
    texts = {".html": to_html(decisions), ".md": to_markdown(decisions), ".csv": to_csv(decisions)}
    for suffix, text in texts.items():
        write_text(target.with_suffix(suffix), text)
    return decisions


def to_csv(decisions: Sequence[Decision]) -> str:
    """Return the decisions with the columns `COLUMNS`; points with two decimals, empty where there
    are none.
    """
    rows = [
        (
            d.name,
            d.claim.sentence,
            d.claim.stated,
            d.claim.table,
            d.scale.name,
            _two(d.published),
            _two(d.effect),
            _two(d.low),
            _two(d.high),
            d.seeds,
            "; ".join(d.datasets),
            _two(d.claim.margin_points),
            d.verdict,
            d.note,
        )
        for d in decisions
    ]
    return csv_files.to_csv(pd.DataFrame(rows, columns=COLUMNS))


def to_markdown(decisions: Sequence[Decision]) -> str:
    """Return the decisions as a table of GitHub-flavoured Markdown."""
    rows = [
        (escape_markdown(d.claim.sentence), _points(d.published), _effect(d), d.seeds, _verdict(d))
        for d in decisions
    ]
    headings = ["Claim", "Published effect", "Our effect [95 % interval]", "Seeds", "Verdict"]
    table = pd.DataFrame(rows, columns=headings).to_markdown(
        index=False, tablefmt="pipe", disable_numparse=True
    )
    return (
        f"# Claims\n\n> **{escape_markdown(decisions[0].scale.banner)}**\n\n{LEGEND}\n\n{table}\n"
    )


def to_html(decisions: Sequence[Decision]) -> str:
    """Return the decisions as a complete HTML document."""
    return document(f"Claims ({decisions[0].scale.title})", fragment(decisions))


def fragment(decisions: Sequence[Decision], *, level: int = 1) -> Markup:
    """Return the decisions as a part of a page whose headings begin at `level`; the scale's banner
    stands at level 1 alone.
    """
    values = {"decisions": decisions, "scale": decisions[0].scale, "legend": LEGEND, "marks": MARKS}
    return fill(TEMPLATE, values | {"points": _points, "effect": _effect, "level": level})


def _verdict(decision: Decision) -> str:
    return f"**{decision.verdict}**" + (
        f" ({escape_markdown(decision.note)})" if decision.note else ""
    )


def _effect(decision: Decision) -> str:
    if decision.effect is None:
        return DASH
    interval = (
        f" [{points(decision.low)}, {points(decision.high)}]"
        if decision.low is not None and decision.high is not None
        else ""
    )
    return points(decision.effect) + interval


def _points(value: float | None) -> str:
    return DASH if value is None else points(value)


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:z.2f}"


TEMPLATE = """\
<h{{ level }}>Claims</h{{ level }}>
{% if level == 1 %}
<p class="banner" role="note">{{ scale.banner }}</p>
{% endif %}
<p>{{ legend }}</p>
<div class="wide">
<table class="sortable">
<thead><tr><th scope="col">Claim</th><th scope="col">Verdict</th><th scope="col">Our effect [95 % interval]</th>
<th scope="col">Published effect</th><th scope="col">Seeds</th></tr></thead>
<tbody>
{% for d in decisions %}
<tr><th scope="row" class="sentence">{{ d.claim.sentence }}<small>{{ d.claim.stated }}</small></th>
<td{% if d.verdict in marks %} class="{{ marks[d.verdict] }}"{% endif %}><b>{{ d.verdict }}</b>{% if d.note %}<small class="note">{{ d.note }}</small>{% endif %}</td>
<td>{{ effect(d) }}<small class="note">{{ d.datasets | join(", ") }}</small></td><td>{{ points(d.published) }}</td><td>{{ d.seeds }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
"""
