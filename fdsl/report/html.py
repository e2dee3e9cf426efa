"""A table report as HTML: one file without scripts and without requests, or a part of a larger
page.

The template stands in this module, not in a file of its own, so that the digest of the code sees a
change of it.
"""

from __future__ import annotations

from markupsafe import Markup

from fdsl.report import content
from fdsl.report.compare import BEATS, DIFFERS, MISSES, WITHIN
from fdsl.report.content import TableReport
from fdsl.report.document import document, fill

MARKS = {WITHIN: "good", DIFFERS: "bad", BEATS: "good", MISSES: "bad"}


def to_html(report: TableReport) -> str:
    """Return the report as a complete HTML document."""
    title = f"{report.name}: {report.title} ({report.scale.title})"
    return document(title, fragment(report))


def fragment(report: TableReport, *, level: int = 1) -> Markup:
    """Return the report as a part of a page whose headings begin at `level`; the scale's banner
    stands at level 1 alone.
    """
    return fill(TEMPLATE, {"report": report, "say": content, "marks": MARKS, "level": level})


TEMPLATE = """\
<h{{ level }}>{{ report.name }}: {{ report.title }}</h{{ level }}>
{% if level == 1 %}
<p class="banner" role="note">{{ report.scale.banner }}</p>
{% endif %}
<p>{{ report.caption }} {{ say.how_to_read(report) }}</p>
{% if report.pictures %}
<div class="strip" role="group" aria-label="Sample images at the published settings">
{% for row, pictures in report.pictures.items() %}
<figure>{% for picture in pictures %}<img src="{{ picture.address }}" alt="{{ row }}, {{ picture.parameters }}" title="{{ picture.parameters }}">{% endfor %}<figcaption>{{ row }}</figcaption></figure>
{% endfor %}
</div>
{% endif %}
{% for group in report.groups %}
{% set columns = report.columns(group) %}
<div class="wide">
<table class="sortable">
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
{{- say.our_gain(report, cell) }}{{ say.beside(cell) }}{{ say.printed_gain(report, cell) }}
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
<h{{ level + 1 }}>Against the paper</h{{ level + 1 }}>
<ul>
{% for line in say.agreement(report) %}
<li>{{ line }}</li>
{% endfor %}
</ul>
{% endif %}
{% if report.bases %}
<h{{ level + 1 }}>{{ say.against(report) }}</h{{ level + 1 }}>
{% if report.gains %}
{% set columns = say.gain_columns(report) %}
<div class="wide">
<table class="sortable">
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
<h{{ level + 1 }}>Sources and remarks</h{{ level + 1 }}>
<ul>
{% for line in say.remarks(report) %}
<li>{{ line }}</li>
{% endfor %}
</ul>
"""
