"""Titles, banners, labels and notes that try to be more than words: on pages, in Markdown, LaTeX,
CSV and on a terminal.
"""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st
from oracles.rendered_markdown import rendered

from fdsl.report import claims, tables
from fdsl.report.csv_files import to_csv
from fdsl.report.gallery import exhibits
from fdsl.report.html import document
from fdsl.report.templating import escape_latex, render
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale

HOSTILE = (
    "=cmd|' /C calc'!A0 </td></title><script>alert(1)</script><img src=x onerror=alert(1)> \" '"
    " \\input{/etc/passwd} \\end{tabular} % $x$ `id` $(id) [a](javascript:alert(1))"
    " ![b](http://127.0.0.1/x) <http://127.0.0.1/x> |\n\n# head\r\x1b[2J\x1b]0;owned\x07 \u202e {{"
    " 7*7 }} [red]red[/red] :skull:"
)
SUSPECTS = {"script", "img", "iframe", "a", "h6"}


class Page(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def word(number=0):
    return f"{HOSTILE} {number}"


@pytest.fixture
def hostile(contours, record, folder, published_csv):
    """Table 3 at a scale, in a study, whose every free word is hostile."""
    values = contours.model_dump(mode="json") | {"title": word(), "reference": word()}
    table = values["tables"]["table3"]
    table |= {"title": word(), "caption": word(), "notes": [word()]}
    for row in table["rows"]:
        row["quoted"] = word() if row["pretraining"] not in {"rcdb1k", "scratch"} else None
        row["pretraining"] = None if row["quoted"] else row["pretraining"]
        row["gain_over"] = None
    columns = [
        {"label": word(k), "dataset": name} for k, name in enumerate(["digits", "fashion_mnist"])
    ]
    for claim in values["claims"].values():
        claim |= {"sentence": word(), "stated": word()}
    kept = {n: c for n, c in values["claims"].items() if n == "formulas_beat_scratch"}
    for claim in kept.values():
        claim |= {"better": ["rcdb1k"], "worse": ["scratch"], "columns": None, "table": "table3"}
    study = Study.model_validate(values | {"claims": kept, "figures": {}})
    scale = ReportScale(
        name="laptop",
        title=word(),
        banner=word(),
        comparable=False,
        stand_ins=columns,
        reduced={"rcdb1k": word()},
        reasons={"fashion_mnist:finetune": word()},
    )
    records = [
        record(name, "digits", seed, 9000 + seed, scale="laptop", recipe={"words": word(seed)})
        for name in ("rcdb1k", "scratch")
        for seed in (0, 1)
    ]
    report = tables.write_table(
        study,
        name="table3",
        scale=scale,
        records=records,
        published=published_csv,
        out=folder / "table3.csv",
    )
    decisions = claims.write_claims(
        {"contours": study},
        scales=dict.fromkeys(study.tables, scale),
        records=records,
        published=published_csv,
        out=folder / "claims.csv",
    )
    return report, decisions


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("suffix", [".html", ".fragment.html"])
def test_pages_hold_the_words_and_nothing_of_their_markup(folder, suffix):
    for name in ("table3", "claims"):
        text = (folder / f"{name}{suffix}").read_text(encoding="utf-8")
        page = Page(text)
        assert not page.tags & SUSPECTS
        assert not {name for name in page.attributes if name.startswith("on")} | (
            page.attributes & {"src", "href"}
        )
        assert "{{ 7*7 }}" in text
        assert "&lt;script&gt;" in text


def test_a_page_with_a_script_runs_that_script_alone():
    body = render("figure.html.j2", name="x", address="", figure={"title": HOSTILE, "caption": ""})
    text = document(HOSTILE, body, script="page.js")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src &#39;none&#39;; img-src data:;")
    assert re.search(r"script-src &#39;sha256-[\w+/]{43}=&#39;$", policy)
    assert text.count("<script>") == 1
    assert "script-src" not in document("x", body)


@pytest.mark.usefixtures("hostile")
def test_markdown_shows_the_words_and_nothing_of_their_markup(folder):
    for name in ("table3", "claims"):
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
        seen = rendered(text)
        assert not seen.tags & SUSPECTS
        assert not seen.attributes & {"src", "href", "onerror"}
        assert "<script>alert(1)</script>" in seen.text
        assert "\x1b" not in text
        assert "\n# head" not in text
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(counts) == 1


@pytest.mark.usefixtures("hostile")
def test_latex_sets_the_words_and_obeys_none(folder):
    text = (folder / "table3.tex").read_text(encoding="utf-8")
    commands = set(re.findall(r"(?<!\\)\\([a-zA-Z]+)", text))
    assert commands <= {
        "usepackage",
        "begin",
        "end",
        "centering",
        "footnotesize",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
        "pm",
        "times",
    }
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") > 0
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert not re.search(r"\n\s*\n(?!\\begin\{table\})", text)  # no paragraph within a caption


@given(st.text(max_size=30))
def test_escaped_text_is_balanced_and_has_no_live_character(text):
    done = escape_latex(text)
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}",
        "",
        done,
    )
    bare = re.sub(r"\$(-|\\pm|\\times|\\eta)\$", "", bare)
    assert not re.search(r"(?<!\\)[&%$#_{}~^<>|]", bare)
    assert not re.search(r"\\(?![&%$#_{}])", bare)
    assert all(" " <= character <= "~" for character in done)


def test_no_cell_of_a_csv_is_a_formula(hostile):
    report, decisions = hostile
    for frame in (tables.as_frame(report), claims.as_frame(decisions)):
        cells = [cell for row in csv.reader(io.StringIO(to_csv(frame))) for cell in row]
        assert any(cell.startswith("'=cmd") for cell in cells)
        for cell in cells:
            if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
                float(cell)


def test_the_gallery_escapes_what_the_catalogue_says():
    entry = SyntheticDataset(
        title=HOSTILE,
        formula="perlin",
        classes=4,
        instances=1,
        settings={"image_size_px": 32},
        source=HOSTILE,
    )
    (exhibit,) = exhibits({"x": entry}, seed=0)
    shown = {"claims": "", "runs": "", "studies": [], "title": "", "banner": ""}
    text = render("page.html.j2", gallery=[exhibit], **shown)
    page = Page(text)
    assert not page.tags & (SUSPECTS - {"img", "a"})
    assert not {name for name in page.attributes if name.startswith("on")}
    assert text.count("<img") == 3
    assert "onerror" in text
