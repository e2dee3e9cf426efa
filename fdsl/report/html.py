"""HTML documents that load nothing, the fragments of the page, and images inside of them."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from PIL import Image

from fdsl.io.storage import AGAIN, DamagedFile, write_text
from fdsl.report.templating import FOLDER, render

SUFFIX = ".fragment.html"
MARK = re.compile(r"(.*)<!-- end of fragment, sha256 ([0-9a-f]{64}) -->\n", re.DOTALL)


class Picture(NamedTuple):
    """One image of a category, as a `data:` URL, and the category's parameters as text."""

    address: str
    parameters: str


def document(title: str, body: Markup, *, style: str = "", script: str = "") -> str:
    """Return a complete HTML document, which may load nothing and run no script but its own.

    Parameters
    ----------
    title
        For the browser's tab.
    body
        Content of <main>.
    style, script
        Further CSS and JavaScript: names of files in `fdsl.report.templating.FOLDER`.
    """
    code = f"\n{(FOLDER / script).read_text(encoding='utf-8')}\n" if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
        " form-action 'none'" + (f"; script-src 'sha256-{digest}'" if script else "")
    )
    css = Markup((FOLDER / style).read_text(encoding="utf-8")) if style else ""
    values = {"policy": policy, "style": css, "script": Markup(code)}
    return render("document.html.j2", title=title, body=body, **values) + "\n"


def write_fragment(path: Path, fragment: Markup) -> None:
    """Write a part of the page with its SHA-256 at the end; whole or not at all."""
    text = f"{fragment.strip()}\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(path, f"{text}<!-- end of fragment, sha256 {digest} -->\n")


def read_fragment(path: Path) -> Markup:
    """Read what `write_fragment` wrote.

    Raises
    ------
    DamagedFile
        If the file is truncated, altered, or no fragment.
    """
    found = MARK.fullmatch(path.read_bytes().decode(errors="replace"))
    if found is None or hashlib.sha256(found[1].encode()).hexdigest() != found[2]:
        raise DamagedFile(f"{path} is damaged or no fragment of a page; {AGAIN}")
    return Markup(found[1])


def data_url(image: Image.Image) -> str:
    """Return an image as a PNG in a `data:` URL."""
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
