"""A table report as one HTML file without scripts and without requests.

The template stands in this module, not in a file of its own, so that the digest of the code sees a change of it.
"""

from __future__ import annotations

from jinja2 import Environment, StrictUndefined

from fdsl.report import content
from fdsl.report.compare import BEATS, DIFFERS, MISSES, WITHIN
from fdsl.report.content import TableReport
from fdsl.report.style import COLORS

MARKS = {WITHIN: "good", DIFFERS: "bad", BEATS: "good", MISSES: "bad"}


def to_html(report: TableReport) -> str:
    """Return the report as a complete HTML document."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE)
    return template.render(report=report, say=content, colors=COLORS, marks=MARKS).rstrip() + "\n"


TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ report.name }}: {{ report.title }} ({{ report.scale.title }})</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 22%, Canvas); --quiet: color-mix(in srgb, CanvasText 68%, Canvas);
  --good: {{ colors.blue }}; --bad: {{ colors.vermilion }}; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 90rem; background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p, ul, ol { max-width: 80ch; } .banner { border: 2px solid {{ colors.orange }}; border-radius: 4px; padding: 0.5rem 0.8rem; font-weight: 600; }
.wide { overflow-x: auto; margin: 1.2rem 0; } sup { line-height: 0; } table { font-size: 0.85rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.4rem; color: var(--quiet); }
th, td { padding: 0.35rem 0.55rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
thead th { border-bottom: 2px solid CanvasText; } th[scope=row], thead th:first-child { text-align: left; }
th[scope=row] { font-weight: 500; } small, .quiet { color: var(--quiet); font-weight: 400; } small { display: block; }
.good { border-left: 4px solid var(--good); } .bad { border-left: 4px solid var(--bad); }
</style>
</head>
<body>
<main>
<h1>{{ report.name }}: {{ report.title }}</h1>
<p class="banner" role="note">{{ report.scale.banner }}</p>
<p>{{ report.caption }} {{ say.how_to_read(report) }}</p>
{% for group in report.groups %}
{% set columns = report.columns(group) %}
<div class="wide">
<table>
<caption>{{ say.heading(report, group) }}</caption>
<thead><tr><th scope="col">Pre-training</th>{% for column in columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in report.rows %}
<tr><th scope="row">{{ row }}{% if row in report.described %}<small>{{ report.described[row] }}</small>{% endif %}</th>
{% for column in columns %}
{% set cell = report.cell(row, column) %}
<td{% if cell.verdict in marks %} class="{{ marks[cell.verdict] }}"{% endif %}>
{%- if cell.reproduced is none %}<span class="quiet">{{ say.measured(cell) }}</span>{% else %}<b>{{ say.measured(cell) }}</b>{% endif %}
{%- if cell.reason %}<sup>{{ report.mark(cell) }}</sup>{% endif %}
{{- say.beside(cell) }}
{%- if say.judged(cell) %}<small>{{ say.judged(cell) }}</small>{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endfor %}
{% if report.footnotes %}
<ol class="footnotes">
{% for text in report.footnotes %}
<li>{{ text }}</li>
{% endfor %}
</ol>
{% endif %}
<p>{{ say.tally(report) }}</p>
{% if report.scale.comparable %}
<h2>Against the paper</h2>
<ul>
{% for line in say.agreement(report) %}
<li>{{ line }}</li>
{% endfor %}
</ul>
{% endif %}
{% if report.bases %}
<h2>{{ say.against(report) }}</h2>
{% if report.gains %}
{% set columns = say.gain_columns(report) %}
<div class="wide">
<table>
<caption>{{ say.paired_legend(report) }}</caption>
<thead><tr><th scope="col">Pre-training</th>{% for column in columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in say.gain_rows(report) %}
<tr><th scope="row">{{ row }}</th>
{% for column in columns %}
{% set gain = report.gain(row, column) %}
<td{% if gain and gain.verdict in marks %} class="{{ marks[gain.verdict] }}"{% endif %}>
{%- if gain %}{{ say.gained(gain) }}<small>{{ gain.verdict }}</small>{% else %}{{ say.DASH }}{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endif %}
<ul>
{% for line in say.paired_lines(report) %}
<li>{{ line }}</li>
{% endfor %}
</ul>
{% endif %}
<h2>Sources and remarks</h2>
<ul>
{% for line in say.remarks(report) %}
<li>{{ line }}</li>
{% endfor %}
</ul>
</main>
</body>
</html>
"""
