"""The claims of the studies as CSV, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, StrictUndefined

from fdsl.report.content import DASH, points
from fdsl.report.decisions import Decision, decide
from fdsl.report.published import read_published
from fdsl.report.records import read_runs
from fdsl.report.style import COLORS
from fdsl.storage import write_text
from fdsl.study import ReportScale, Study

COLUMNS = (
    "claim", "sentence", "stated", "table", "scale", "published_effect", "effect", "low", "high", "seeds", "datasets",
    "margin", "verdict", "note",
)  # fmt: skip
LEGEND = (
    "Effects in percentage points: the claimed better group minus the other, mean over datasets, paired by seed. The interval is "
    "a 95 % percentile bootstrap over seeds; with few seeds it is about their range. A verdict needs the whole interval on one "
    "side of the claim's margin (0 unless stated). The test is ours: the paper states none."
)


def write_claims(
    studies: Mapping[str, Study],
    *,
    scales: Mapping[str, ReportScale],
    records: Iterable[str | Path],
    published: str | Path,
    out: str | Path,
) -> list[Decision]:
    """Write the decisions on all claims as `out` (CSV) and, beside it, as .md and .html; each file whole or not at all.

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
        decide(name, claim, study, scale=scales[claim.table], runs=runs, printed=printed)
        for study in studies.values()
        for name, claim in study.claims.items()
    ]
    texts = {".html": to_html(decisions), ".md": to_markdown(decisions), ".csv": to_csv(decisions)}
    for suffix, text in texts.items():
        write_text(target.with_suffix(suffix), text)
    return decisions


def to_csv(decisions: Sequence[Decision]) -> str:
    """Return the decisions with the columns `COLUMNS`; points with two decimals, empty where there are none."""
    rows = [
        (
            d.name, d.claim.sentence, d.claim.stated, d.claim.table, d.scale.name, _two(d.published), _two(d.effect),
            _two(d.low), _two(d.high), d.seeds, "; ".join(d.datasets), _two(d.claim.margin_points), d.verdict, d.note,
        )
        for d in decisions
    ]  # fmt: skip
    return str(pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, lineterminator="\n"))


def to_markdown(decisions: Sequence[Decision]) -> str:
    """Return the decisions as a table of GitHub-flavoured Markdown."""
    rows = [
        (d.claim.sentence, _points(d.published), _effect(d), d.seeds, _verdict(d))
        for d in decisions
    ]
    headings = ["Claim", "Published effect", "Our effect [95 % interval]", "Seeds", "Verdict"]
    table = pd.DataFrame(rows, columns=headings).to_markdown(
        index=False, tablefmt="pipe", disable_numparse=True
    )
    return f"# Claims\n\n> **{decisions[0].scale.banner}**\n\n{LEGEND}\n\n{table}\n"


def to_html(decisions: Sequence[Decision]) -> str:
    """Return the decisions as a complete HTML document."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE)
    return (
        template.render(
            decisions=decisions,
            scale=decisions[0].scale,
            legend=LEGEND,
            colors=COLORS,
            points=_points,
            effect=_effect,
        ).rstrip()
        + "\n"
    )


def _verdict(decision: Decision) -> str:
    return f"**{decision.verdict}**" + (f" ({decision.note})" if decision.note else "")


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
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Claims ({{ scale.title }})</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 22%, Canvas); --quiet: color-mix(in srgb, CanvasText 68%, Canvas); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 80rem; background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; line-height: 1.25; } .wide { overflow-x: auto; margin: 1.2rem 0; }
.banner { border: 2px solid {{ colors.orange }}; border-radius: 4px; padding: 0.5rem 0.8rem; font-weight: 600; }
table { font-size: 0.85rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.55rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { font-weight: 500; } th[scope=row], thead th:first-child { text-align: left; min-width: 22rem; }
small { display: block; color: var(--quiet); font-weight: 400; }
.supported { border-left: 4px solid {{ colors.blue }}; } .contradicted { border-left: 4px solid {{ colors.vermilion }}; }
</style>
</head>
<body>
<main>
<h1>Claims</h1>
<p class="banner" role="note">{{ scale.banner }}</p>
<p>{{ legend }}</p>
<div class="wide">
<table>
<thead><tr><th scope="col">Claim</th><th scope="col">Published effect</th><th scope="col">Our effect [95 % interval]</th>
<th scope="col">Seeds</th><th scope="col">Verdict</th></tr></thead>
<tbody>
{% for d in decisions %}
<tr><th scope="row">{{ d.claim.sentence }}<small>{{ d.claim.stated }}</small></th>
<td>{{ points(d.published) }}</td><td>{{ effect(d) }}<small>{{ d.datasets | join(", ") }}</small></td><td>{{ d.seeds }}</td>
<td class="{{ d.verdict | replace(" ", "-") }}"><b>{{ d.verdict }}</b>{% if d.note %}<small>{{ d.note }}</small>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
</main>
</body>
</html>
"""
