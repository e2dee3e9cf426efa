"""The page of all results, from invented records, and in a real browser where Chromium is
installed.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from fdsl.workflow.plan import Plan
from PIL import Image

from fdsl.io.storage import DamagedFile
from fdsl.report.page import small, write_page
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.yaml_files import read_yaml, workflow_folder
from fdsl.workflow.load import load

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
BANNER = "laptop scale: not a reproduction of the published numbers"


@pytest.fixture
def page(folder, contours, laptop_records, published_csv):
    """The path of a page of two formulas and scratch at laptop scale."""
    plan = Plan(load(read_yaml(workflow_folder().parent / "config.yaml") | {"scale": "laptop"}))
    order = json.loads(plan.reports.paging())
    figure = folder / "results/figures/figure2.png"
    figure.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((200, 300, 3), 128, np.uint8)).save(figure)
    scales = {name: ReportScale.model_validate(scale) for name, scale in order["scales"].items()}
    records = {name: [] for name in [*contours.tables, *contours.figures]}
    out = folder / "results/index.html"
    write_page(
        {"contours": contours},
        scales=scales,
        table_records={**records, "table3": laptop_records},
        pretraining_records=[],
        figures=[figure],
        published=published_csv,
        datasets={
            name: SyntheticDataset.model_validate(order["datasets"][name])
            for name in ("rcdb1k", "rcdb21k", "exfractaldb1k")
        },
        seed=0,
        out=out,
    )
    return out


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


def test_no_flipped_bit_of_a_figure_is_shown(tmp_path):
    path, rng = tmp_path / "figure2.png", np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    shown = small(path)
    for place in rng.integers(
        0, len(whole) - 12, 300
    ):  # the last 12 bytes only say that this is the end
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(
            DamagedFile, match=r"figure2\.png is damaged .*run the same command again"
        ):
            small(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFile, match=r"figure2\.png is damaged"):
        small(path)
    path.write_bytes(whole)
    assert small(path) == shown


def test_the_page_has_everything_and_loads_nothing(page, contours):
    text = page.read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert len(set(links.ids)) == len(links.ids)
    assert {"claims", "gallery", "runs", "environment", "figure2", *contours.tables} <= set(
        links.ids
    )
    assert all(address.startswith("data:image/png") for address in links.loaded)
    assert all(link[1:] in links.ids for link in links.followed if link.startswith("#"))
    outside = {link for link in links.followed if not link.startswith("#")}
    assert outside == {"figures/figure2.pdf", "figures/figure2.csv"}
    assert not re.search(r"https?://", re.sub(r"<p class=\"quiet\">.*?</p>|<li>.*?</li>", "", text))
    assert BANNER in text
    assert text.count("<h4>RCDB") == 1  # rcdb21k draws the same


def test_the_gallery_tells_the_parameters_of_each_picture(page):
    titles = re.findall(r'title="(category \d[^"]*)"', page.read_text(encoding="utf-8"))
    assert len(titles) == 6
    assert all("vertices: " in title or "p: " in title for title in titles)


def test_a_damaged_record_is_named(page, folder):
    from fdsl.report.runs_list import lines

    path = folder / "record.json"
    path.write_text('{"run": "x"}', encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"record\.json is not a record"):
        lines([path])


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
const numbers = () => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[column].textContent))
  .filter((value) => !Number.isNaN(value));
const button = table.tHead.rows[0].cells[column].querySelector("button");
button.click();
const up = numbers();
const direction = table.tHead.rows[0].cells[column].getAttribute("aria-sort");
button.click();
return {up, down: numbers(), direction, rows: table.tBodies[0].rows.length};
"""
FIT = """
const broken = [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).length;
const page = document.documentElement;
return {wide: page.scrollWidth - page.clientWidth, width: page.clientWidth, broken, pictures: document.images.length};
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
