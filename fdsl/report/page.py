"""One page to look at: tables, figures, claims, gallery and runs in a file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from fdsl.io.storage import AGAIN, DamagedFile, write_text
from fdsl.report import claims as claim_files
from fdsl.report import html, runs_list
from fdsl.report.decisions import decide_all
from fdsl.report.document import document, fill
from fdsl.report.gallery import exhibits, png_address, strips
from fdsl.report.published import read_published
from fdsl.report.read_runs import read_runs
from fdsl.report.tables import build_table
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Table

FIGURE_PX = 1400  # wide enough for a desktop; the files beside the page have 300 dpi


def write_page(
    studies: Mapping[str, Study],
    *,
    scales: Mapping[str, ReportScale],
    table_records: Mapping[str, Sequence[Path]],
    pretraining_records: Sequence[Path],
    figures: Sequence[Path],
    published: Path,
    datasets: Mapping[str, SyntheticDataset],
    seed: int,
    out: Path,
) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    studies, scales
        All studies, and the scale as each table and figure sees it, by its name.
    table_records
        Records of each table and ablation figure, by its name.
    pretraining_records
        Records of the pre-trainings; their curves are shown.
    figures
        Finished PNG files, named as in the studies.
    published
        workflow/published/tables.csv.
    datasets, seed
        The synthetic datasets of the gallery and their root seed.

    Raises
    ------
    ConfigError, DamagedFile, RecordRefused
        If a file cannot be read or used; nothing is written then.
    """
    scale = next(iter(scales.values()))
    records = sorted({path for paths in table_records.values() for path in paths})
    runs, printed = read_runs(records, scale=scale.name), read_published(published)
    lines, environment = runs_list.lines([*pretraining_records, *records])
    pictures = {path.stem: small(path) for path in figures}
    parts = []
    for study in studies.values():
        tables = {
            name: html.fragment(
                build_table(
                    study,
                    name=name,
                    scale=scales[name],
                    records=table_records[name],
                    published=published,
                    pictures=strips(_pictured(table, datasets), seed=seed),
                ),
                level=3,
            )
            for name, table in study.tables.items()
        }
        decisions = decide_all(study, scales, runs=runs, printed=printed)
        parts.append(
            {
                "study": study,
                "tables": tables,
                "claims": claim_files.fragment(decisions, level=3) if decisions else "",
                "figures": {
                    name: figure for name, figure in study.figures.items() if name in pictures
                },
            }
        )
    body = fill(
        TEMPLATE,
        {
            "scale": scale,
            "parts": parts,
            "pictures": pictures,
            "gallery": exhibits(datasets, seed=seed),
            "lines": lines,
            "environment": environment,
            "width": runs_list.WIDTH,
            "height": runs_list.HEIGHT,
        },
    )
    write_text(out, document(f"FDSL results, {scale.title}", body, style=STYLE, script=SCRIPT))


def _pictured(
    table: Table, datasets: Mapping[str, SyntheticDataset]
) -> dict[str, SyntheticDataset]:
    """Return the datasets whose images stand above a table."""
    names = table.pretrainings if table.pictures else []
    return {name: datasets[name] for name in names if name in datasets}


def small(path: Path) -> str:
    """Return a figure, no wider than `FIGURE_PX`, as an address for `<img>`; DamagedFile if it is
    not whole.
    """
    try:
        with Image.open(path) as image:
            image.verify()  # the checksums of its parts; decoding alone would show what is left of a damaged picture
        with Image.open(path) as image:
            image.thumbnail((FIGURE_PX, 4 * FIGURE_PX), Image.Resampling.LANCZOS)
            return png_address(image.convert("RGB"))
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedFile(f"{path} is damaged ({error}); {AGAIN}") from None


STYLE = """\
nav { display: flex; flex-wrap: wrap; gap: 0.4rem 1.1rem; margin: 1rem 0; } a { color: inherit; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; background: white; } figcaption { color: var(--quiet); max-width: 80ch; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); gap: 1.4rem; }
.gallery img { width: 30%; height: auto; aspect-ratio: 1; object-fit: contain; background: black; image-rendering: pixelated; }
details pre, .environment { font-size: 0.75rem; overflow-x: auto; } summary { cursor: pointer; }
.banner { position: sticky; top: 0; background: Canvas; z-index: 1; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--warn); } th button::after { content: " ↕"; color: var(--quiet); }
th[aria-sort=ascending] button::after { content: " ↑"; } th[aria-sort=descending] button::after { content: " ↓"; }
@media (max-width: 40rem) { body { margin: 0.5rem auto; } .wide table { font-size: 0.75rem; } }
"""

SCRIPT = """\
// A click on a heading sorts its table: by the first number in a cell, or as text where there is none.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const text = row.cells[column].textContent.trim().replace("\\u2212", "-");
        const number = column ? parseFloat(text.replaceAll(",", "").match(/[-+]?\\d+(\\.\\d+)?/)) : NaN;
        return [number, text];
      };
      const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      rows.sort(([[a, s]], [[b, t]]) =>
        (Number.isNaN(a) - Number.isNaN(b)) || (down ? -1 : 1) * (Number.isNaN(a) ? s.localeCompare(t) : a - b));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
"""

TEMPLATE = """\
<h1>Formula-driven supervised learning: results at {{ scale.title }}</h1>
<p class="banner" role="note">{{ scale.banner }}</p>
<nav aria-label="Contents">
{% for part in parts %}
{% for name in part.tables %}
<a href="#{{ name }}">{{ name }}</a>
{% endfor %}
{% for name in part.figures %}
<a href="#{{ name }}">{{ name }}</a>
{% endfor %}
{% endfor %}
<a href="#claims">claims</a> <a href="#gallery">gallery</a> <a href="#runs">runs</a> <a href="#environment">environment</a>
</nav>
{% for part in parts %}
<h2>{{ part.study.title }}</h2>
<p>{{ part.study.reference }}. In each cell: ours / published.</p>
{% if part.claims %}
<section{% if loop.first %} id="claims"{% endif %}>
{{ part.claims }}
</section>
{% endif %}
{% for name, table in part.tables.items() %}
<section id="{{ name }}">
{{ table }}
</section>
{% endfor %}
{% for name, figure in part.figures.items() %}
<section id="{{ name }}">
<h3>{{ name }}: {{ figure.title }}</h3>
<figure><img src="{{ pictures[name] }}" alt="{{ name }}: {{ figure.title }}. {{ figure.caption }}">
<figcaption>{{ figure.caption }} <a href="figures/{{ name }}.pdf">PDF</a> <a href="figures/{{ name }}.csv">numbers</a></figcaption></figure>
</section>
{% endfor %}
{% endfor %}
<h2 id="gallery">Gallery of formulas</h2>
<p>The first categories of each dataset at its published settings. Point at a picture for the parameters of its category.</p>
<div class="gallery">
{% for exhibit in gallery %}
<div>
<h4>{{ exhibit.title }} <small>{{ exhibit.name }}: {{ exhibit.size }}</small></h4>
{% for picture in exhibit.pictures %}
<img src="{{ picture.address }}" alt="{{ exhibit.title }}, {{ picture.parameters }}" title="{{ picture.parameters }}" tabindex="0">
{% endfor %}
<details><summary>settings</summary><pre>{{ exhibit.settings }}</pre><p class="quiet">{{ exhibit.source }}</p></details>
</div>
{% endfor %}
</div>
<h2 id="runs">Runs</h2>
<div class="wide">
<table class="sortable">
<thead><tr><th scope="col">Run</th><th scope="col">Stage</th><th scope="col">Result</th><th scope="col">Minutes</th>
<th scope="col">Images/s</th><th scope="col">Restarts</th><th scope="col">Code</th><th scope="col">Training loss</th></tr></thead>
<tbody>
{% for line in lines %}
<tr><th scope="row">{{ line.run }}</th><td>{{ line.kind }}</td><td>{{ line.result }}</td><td>{{ "%.2f" | format(line.minutes) }}</td>
<td>{{ "{:,.0f}".format(line.images_per_second) if line.images_per_second else "" }}</td><td>{{ line.restarts }}</td><td>{{ line.code }}</td>
<td>{% if line.curve %}<svg width="{{ width }}" height="{{ height }}" viewBox="0 -1 {{ width }} {{ height + 2 }}" role="img" aria-label="training loss over updates"><polyline points="{{ line.curve }}" fill="none" stroke="{{ colors.blue }}" stroke-width="1.5"/></svg>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
<h2 id="environment">Environment</h2>
<p>Of the newest record; each record has its own.</p>
<div class="wide">
<table>
<tbody>
{% for key, value in environment.items() %}
<tr><th scope="row">{{ key }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
"""
