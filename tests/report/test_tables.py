"""Tables from end to end: invented records in, files out."""

import csv
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fdsl.io.storage import DamagedFile
from fdsl.report.html import read_fragment
from fdsl.report.read_runs import RecordRefused
from fdsl.report.tables import FILES, build_table
from fdsl.schema.base import ConfigError
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column

WORKFLOW = Path(__file__).parents[2] / "workflow"
PUBLISHED = WORKFLOW / "published" / "tables.csv"
VOID = {"meta", "br", "link", "img", "input", "hr"}


def cells_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {(row["row"], row["column"]): row for row in csv.DictReader(file)}


def files(folder, out="results/tables/table3"):
    return [(folder / f"{out}{suffix}").read_bytes() for suffix in FILES]


class Checker(HTMLParser):
    """Collects text, tags and attributes, and fails on tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    return checker


def test_the_csv_has_its_columns_in_order_and_every_cell(table3, folder):
    table3([])
    text = (folder / "results/tables/table3.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == (
        "table,row,column,metric,published,reproduced,sd,replicates,difference,verdict,scale,as_run,"
        "record"
    )
    cells = cells_of(folder / "results/tables/table3.csv")
    assert len(cells) == 9 * 8
    assert {cell["verdict"] for cell in cells.values()} == {"not run", "quoted"}
    assert all(
        cell["record"].startswith("none: ") and len(cell["record"]) > 10 for cell in cells.values()
    )
    assert b"\r" not in (folder / "results/tables/table3.csv").read_bytes()
    assert cells["Places-365 (SL)", "P30"]["record"].endswith("; the paper prints a dash")
    assert not cells["Places-365 (SL)", "C10"]["record"].endswith("dash")


def test_a_cell_says_what_the_records_say(table3, record, folder):
    table3(
        [
            record("rcdb1k", "cifar10", seed, correct)
            for seed, correct in enumerate([9_700, 9_710, 9_750])
        ]
    )
    cell = cells_of(folder / "results/tables/table3.csv")["RCDB-1k", "C10"]
    assert cell == {
        "table": "table3",
        "row": "RCDB-1k",
        "column": "C10",
        "metric": "top-1 %",
        "published": "97.0",
        "reproduced": "97.20",
        "sd": "0.26",
        "replicates": "3",
        "difference": "0.20",
        "verdict": "within tolerance",
        "scale": "paper",
        "as_run": "",
        "record": ";".join(
            f"results/paper/finetune/rcdb1k-vit_tiny-cifar10-s{seed}/record.json"
            for seed in range(3)
        ),
    }
    markdown = (folder / "results/tables/table3.md").read_text(encoding="utf-8")
    assert "97.20 ± 0.26 (3) / 97.0 within tolerance (+0.20)" in markdown
    assert "Within tolerance, 1 cells: RCDB-1k (C10 +0.20)." in markdown
    assert "Differs, 0 cells: none." in markdown


def test_one_replicate_shows_no_spread_and_decides_nothing(table3, record, folder):
    table3([record("scratch", "cifar10", 0, 7_830), record("rcdb1k", "cifar10", 0, 7_000)])
    cell = cells_of(folder / "results/tables/table3.csv")["RCDB-1k", "C10"]
    assert (cell["sd"], cell["replicates"], cell["difference"], cell["verdict"]) == (
        "",
        "1",
        "-27.00",
        "differs",
    )
    for suffix in (".md", ".html"):
        text = (folder / f"results/tables/table3{suffix}").read_text(encoding="utf-8")
        assert "differs (−27.00)" in text
        assert "Differs, 1 cells: RCDB-1k (C10 −27.00)." in text
        assert "RCDB-1k: undecided (the interval holds 0, or there is none) on C10 (−8.30" in text
        assert "−8.30 (1) / +18.7" in text


def test_an_average_needs_all_seven_columns(table3, record, folder, study):
    datasets = [column.dataset for column in study.tables["table3"].columns if column.dataset]
    table3(
        [
            record("rcdb1k", dataset, 0, 8_000 + 100 * index)
            for index, dataset in enumerate(datasets)
        ]
    )
    assert (
        cells_of(folder / "results/tables/table3.csv")["RCDB-1k", "Average"]["reproduced"]
        == "83.00"
    )
    table3([record("rcdb1k", dataset, 0, 8_000) for dataset in datasets[:-2]])
    cell = cells_of(folder / "results/tables/table3.csv")["RCDB-1k", "Average"]
    assert cell["record"] == "none: a mean needs every column; missing: P30, IN100"
    assert (cell["reproduced"], cell["verdict"]) == ("", "not run")


def test_a_reduced_scale_is_labelled_and_judges_nothing(table3, laptop, laptop_records, folder):
    table3(laptop_records, scale=laptop)
    cells = cells_of(folder / "results/tables/table3.csv")
    assert len(cells) == 9 * 11
    assert {cell["verdict"] for cell in cells.values()} == {"not run", "quoted", "not comparable"}
    assert {cell["scale"] for cell in cells.values()} == {"laptop"}
    assert all(cell["difference"] == "" for cell in cells.values())
    assert cells["RCDB-1k", "C10"]["verdict"] == "not run"
    assert (
        cells["ExFractalDB-1k* (1.4M images)", "C10"]["record"] == "none: too large for this scale"
    )
    assert (
        cells["ExFractalDB-1k", "Stand-in average"]["record"]
        == "none: a mean needs every column; missing: Digits"
    )
    for suffix in (".md", ".html"):
        text = (folder / f"results/tables/table3{suffix}").read_text(encoding="utf-8")
        assert "laptop scale: not a reproduction of the published numbers" in text
        assert "200 categories × 100 images, 32 px" in text
        assert "At this scale no cell is judged against the paper." in text
        assert "too large for this scale" in text
        assert "Against the paper" not in text


def test_what_does_not_help_is_said_as_plainly_as_what_does(table3, laptop, laptop_records, folder):
    table3(laptop_records, scale=laptop)
    helps = (
        "FractalDB-1k: beats Scratch on Fashion-MNIST, 1,000 labels (+12.00 ± 1.73 [+7.70, +16.30],"
        " n = 3), Digits (+8.43 ± 1.25 [+5.31, +11.54], n = 3), Stand-in average (+10.21 ± 1.10"
        " [+7.48, +12.95], n = 3)."
    )
    hurts = (
        "RCDB-1k (200 categories × 100 images, 32 px): does not help (below Scratch) on Digits"
        " (−13.89 ± 2.78 [−20.79, −6.99], n = 3)"
    )
    undecided = (
        "undecided (the interval holds 0, or there is none) on Fashion-MNIST, 1,000 labels (+0.17"
    )
    markdown = (folder / "results/tables/table3.md").read_text(encoding="utf-8")
    html = "".join(parsed((folder / "results/tables/table3.html").read_text(encoding="utf-8")).text)
    latex = (folder / "results/tables/table3.tex").read_text(encoding="utf-8")
    assert "Difference to Scratch at laptop scale" in latex
    for line in (helps, hurts, undecided):
        assert line in markdown.replace("\\", "")
        assert line in html


def test_the_same_records_in_any_order_give_the_same_bytes(table3, laptop, laptop_records, folder):
    table3(laptop_records, scale=laptop)
    first = files(folder)
    table3(list(reversed(laptop_records)), scale=laptop)
    assert files(folder) == first


def test_the_csv_names_the_records_from_which_it_can_be_built_again(
    table3, laptop, laptop_records, folder
):
    table3(laptop_records, scale=laptop)
    first = files(folder)
    cells = cells_of(folder / "results/tables/table3.csv").values()
    joined = ";".join(c["record"] for c in cells if not c["record"].startswith("none: "))
    named = [Path(record) for record in sorted(set(joined.split(";")))]
    assert named == sorted(laptop_records)
    table3(named, scale=laptop)
    assert files(folder) == first


def test_the_html_is_valid_and_asks_nothing_of_the_network(table3, laptop, laptop_records, folder):
    table3(laptop_records, scale=laptop)
    text = (folder / "results/tables/table3.html").read_text(encoding="utf-8")
    page = parsed(text)
    assert text.startswith("<!DOCTYPE html>")
    assert not {"script", "link", "img", "iframe", "object"} & set(page.seen)
    assert not {"src", "href"} & {name for name, _ in page.attributes}
    assert not re.search(r"url\(|@import", text)
    assert page.seen.count("tr") == 10 + 10 + 4
    assert page.seen.count("h1") == 1


def test_labels_are_escaped(table3, laptop, record, folder):
    column = Column(label="<b>Digits|</b>", dataset="digits")
    table3(
        [record("rcdb1k", "digits", 0, 9_000, scale="laptop")],
        scale=laptop.model_copy(update={"stand_ins": (column,)}),
    )
    assert "&lt;b&gt;Digits|&lt;/b&gt;" in (folder / "results/tables/table3.html").read_text(
        encoding="utf-8"
    )
    assert r"\<b\>Digits\|\</b\>" in (folder / "results/tables/table3.md").read_text(
        encoding="utf-8"
    )
    assert r"ExFractalDB-1k\* (1.4M images)" in (folder / "results/tables/table3.md").read_text(
        encoding="utf-8"
    )


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_heading(
    table3, laptop, laptop_records, folder
):
    table3(laptop_records, scale=laptop)
    blocks = re.findall(
        r"(?:^\|.*\n)+",
        (folder / "results/tables/table3.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(blocks) == 3
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_sources_and_known_misprints_are_stated(table3, folder, study):
    table3([])
    markdown = (folder / "results/tables/table3.md").read_text(encoding="utf-8")
    assert "Replacing-Labeled-Real-Image-Datasets docs/img/comparison_ft.png" in markdown
    assert "arXiv 2206.09132v1" in markdown
    assert all(note[:40] in markdown for note in study.tables["table3"].notes)


def test_records_of_different_recipes_or_code_are_remarked(table3, record, folder):
    table3(
        [
            record("rcdb1k", "cifar10", 0, 9_700),
            record("scratch", "cifar10", 0, 7_800, recipe={"epochs": 9}, code="fedcba9876543210"),
        ]
    )
    markdown = (folder / "results/tables/table3.md").read_text(encoding="utf-8")
    assert "The records of column C10 were made with 2 different recipes." in markdown
    assert "2 versions of the code (0123456789ab, fedcba987654)" in markdown


def test_a_damaged_record_writes_nothing(table3, record, folder):
    path = record("rcdb1k", "cifar10", 0, 9_700)
    table3([path])
    before = files(folder)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"rcdb1k-vit_tiny-cifar10-s0/record\.json"):
        table3([path])
    assert files(folder) == before
    assert not list((folder / "results/tables").glob(".*"))


@pytest.mark.parametrize(
    ("pretraining", "dataset"), [("visualatom1k", "cifar10"), ("rcdb1k", "svhn")]
)
def test_a_record_without_a_cell_is_refused(table3, record, pretraining, dataset):
    with pytest.raises(
        RecordRefused, match=f"{pretraining} on {dataset}.* belongs to no cell of table3"
    ):
        table3([record(pretraining, dataset, 0, 9_000)])


def test_an_unknown_table_is_refused(study, published_csv):
    scale = ReportScale(name="paper", title="paper scale", banner="published", comparable=True)
    with pytest.raises(
        ConfigError, match=r"table = 'table33' is unknown \(did you mean 'table3'\?\)"
    ):
        build_table(study, name="table33", scale=scale, records=[], published=published_csv)


def test_the_output_must_be_csv(table3):
    with pytest.raises(ValueError, match=r"must end in \.csv"):
        table3([], out="results/tables/table3.md")


def test_the_fragment_is_the_document_two_levels_below(table3, laptop, laptop_records, folder):
    table3(laptop_records, scale=laptop)
    page = (folder / "results/tables/table3.html").read_text(encoding="utf-8")
    fragment = read_fragment(folder / "results/tables/table3.fragment.html")
    parsed(fragment)
    assert fragment.startswith("<h3>table3: ")
    assert laptop.banner not in fragment  # the page has one of its own
    for level in (2, 1):
        page = page.replace(f"h{level}>", f"h{level + 2}>")
    assert fragment.split("</h3>")[1].strip() in page


def test_tables_need_neither_torch_nor_numba_nor_matplotlib():
    code = "import sys, fdsl.report.tables; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numba", "matplotlib"} & set(done.stdout.split())
