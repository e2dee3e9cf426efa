"""The page of all results, from invented records, and in a real browser where Chromium is
installed.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from fdsl.io.storage import DamagedFile
from fdsl.report.claims import write_claims
from fdsl.report.figures.inputs import FigureInputs, write as write_figure
from fdsl.report.page import PageStudy, write_page
from fdsl.report.runs_list import write_runs
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.yaml_files import catalog, workflow_folder

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
BANNER = "laptop scale: not a reproduction of the published numbers"


@pytest.fixture
def page(folder, contours, laptop, laptop_records, table3, published_csv):
    """The path of a page of two formulas and scratch at laptop scale."""
    results = folder / "results"
    table3(laptop_records, scale=laptop)
    write_claims(
        {"contours": contours},
        scales=dict.fromkeys([*contours.tables, *contours.figures], laptop),
        records=laptop_records,
        published=published_csv,
        out=results / "claims.csv",
    )
    write_runs(laptop_records, out=results / "runs.csv")
    synthetic = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    inputs = FigureInputs(
        name="figure3",
        figure=contours.figures["figure3"],
        datasets={},
        seed=0,
        scale=laptop,
        published=published_csv,
    )
    write_figure(inputs, out=results / "figures/figure3.png")
    names = ["tables/table3", "figures/figure3"]
    study = PageStudy(
        title=contours.title,
        reference=contours.reference,
        fragments=[results / f"{name}.fragment.html" for name in names],
    )
    write_page(
        [study],
        title=laptop.title,
        banner=laptop.banner,
        datasets={name: synthetic[name] for name in ("rcdb1k", "rcdb21k", "exfractaldb1k")},
        seed=0,
        out=results / "index.html",
        claims=results / "claims.fragment.html",
        runs=results / "runs.fragment.html",
    )
    return results / "index.html"


class Links(HTMLParser):
    """Collects identifiers and everything that a browser would follow or load."""

    def __init__(self):
        super().__init__()
        self.ids, self.loaded, self.followed = [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.loaded += [found[key] for key in ("src", "srcset", "data") if key in found]
        self.loaded += [found["href"]] if tag == "link" else []
        self.followed += [found["href"]] if tag == "a" else []


def test_a_damaged_fragment_is_not_shown(page, folder):
    table = folder / "results/tables/table3.fragment.html"
    table.write_bytes(table.read_bytes().replace(b"beats", b"misses"))
    study = PageStudy(title="x", reference="y", fragments=[table])
    before = page.read_bytes()
    with pytest.raises(DamagedFile, match=r"table3\.fragment\.html is damaged"):
        write_page([study], title="x", banner="y", datasets={}, seed=0, out=page)
    assert page.read_bytes() == before


def test_studies_without_claims_tables_or_runs_have_a_page(folder):
    studies = [PageStudy(title=title, reference="y") for title in ("First", "Second")]
    out = folder / "index.html"
    write_page(studies, title="x", banner="y", datasets={}, seed=0, out=out)
    links = Links()
    links.feed(out.read_text(encoding="utf-8"))
    assert links.ids == ["gallery"]
    assert links.followed == ["#gallery"]


def test_the_page_imports_nothing_that_computes_a_table():
    code = "import sys, fdsl.report.page; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {f"fdsl.report.{name}" for name in ("tables", "claims", "compare", "read_runs")}
    assert not modules & set(done.stdout.split())


def test_the_page_has_everything_and_loads_nothing(page):
    text = page.read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert len(set(links.ids)) == len(links.ids)
    assert {"claims", "gallery", "runs", "environment", "figure3", "table3"} <= set(links.ids)
    assert all(address.startswith("data:image/png") for address in links.loaded)
    assert all(link[1:] in links.ids for link in links.followed if link.startswith("#"))
    outside = {link for link in links.followed if not link.startswith("#")}
    assert outside == {"figures/figure3.pdf", "figures/figure3.csv"}
    assert not re.search(r"https?://", re.sub(r"<p class=\"quiet\">.*?</p>|<li>.*?</li>", "", text))
    assert BANNER in text
    assert text.count("<h4>RCDB") == 1  # rcdb21k draws the same


def test_the_gallery_tells_the_parameters_of_each_picture(page):
    titles = re.findall(r'title="(category \d[^"]*)"', page.read_text(encoding="utf-8"))
    assert len(titles) == 6
    assert all("vertices: " in title or "p: " in title for title in titles)


def browsed(page, script, *, width):
    """Return what `script` finds on the page in a browser without network, and what the browser
    logged.
    """
    probe = page.with_name("probe.html")
    report = f"document.body.dataset.found = JSON.stringify((() => {{{script}}})())"
    # the page's policy runs no script but its own, so the test's must be named beside it
    own = base64.b64encode(hashlib.sha256(report.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{own}' ", 1)
    probe.write_text(text.replace("</body>", f"<script>{report}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={width},900",
            "--dump-dom",
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stdout[-500:]
    return json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&")), done.stderr


SORT = """
const table = document.querySelector("#table3 table.sortable");
const column = 1;
const numbers = () => [...table.tBodies[0].rows]
  .map((row) => parseFloat(row.cells[column].textContent))
  .filter((value) => !Number.isNaN(value));
const button = table.tHead.rows[0].cells[column].querySelector("button");
button.click();
const up = numbers();
const direction = table.tHead.rows[0].cells[column].getAttribute("aria-sort");
button.click();
return {up, down: numbers(), direction, rows: table.tBodies[0].rows.length};
"""
FIT = """
const images = [...document.images];
const broken = images.filter((image) => !image.complete || image.naturalWidth === 0).length;
const page = document.documentElement;
return {wide: page.scrollWidth - page.clientWidth, broken, pictures: images.length};
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: `make browser` installs it")
def test_a_browser_sorts_fits_a_phone_and_complains_of_nothing(page):
    found, logged = browsed(page, SORT, width=1200)
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["up"], reverse=True)
    assert (found["direction"], found["rows"], len(found["up"])) == ("ascending", 9, 4)
    assert "CONSOLE" not in logged
    for width in (1200, 500):
        found, logged = browsed(page, FIT, width=width)
        assert (found["wide"], found["broken"]) == (0, 0)
        assert found["pictures"] == 7
        assert "CONSOLE" not in logged


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: `make browser` installs it")
def test_a_browser_runs_no_script_that_the_page_was_not_written_with(page):
    foreign = page.with_name("foreign.html")
    attack = (
        "<script>document.body.dataset.owned = 1</script>"
        "<img src=x onerror='document.body.dataset.owned = 1'><img src='http://127.0.0.1:9/x'>"
    )
    text = page.read_text(encoding="utf-8").replace("</body>", f"{attack}</body>")
    foreign.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={page.parent / 'profile'}",
            "--dump-dom",
            foreign.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "data-owned" not in done.stdout
    assert "<button" in done.stdout  # its own script ran
    assert "violates the following Content Security Policy directive" in done.stderr
