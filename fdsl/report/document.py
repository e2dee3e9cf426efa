"""The frame of every page: one style sheet, no request to anywhere; scripts only where a page
brings its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from fdsl.report.style import COLORS


def fill(template: str, values: Mapping[str, Any]) -> Markup:
    """Fill a Jinja template; every value is escaped but Markup, and a missing one is an error."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return Markup(environment.from_string(template).render(values, colors=COLORS))


def document(title: str, body: Markup, *, style: str = "", script: str = "") -> str:
    """Return a complete HTML document.

    Parameters
    ----------
    title
        For the browser's tab.
    body
        What stands inside of <main>.
    style, script
        CSS and JavaScript of this page alone.
    """
    script = f"\n{script}\n" if script else ""
    values = {
        "title": title,
        "body": body,
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(script),
    }
    return str(fill(TEMPLATE, values)).rstrip() + "\n"


def _policy(script: str) -> str:
    """Return what a browser may load and run: pictures and styles of the page itself, its own
    script, and nothing else.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"; script-src 'sha256-{digest}'" if script else ""
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
        f" form-action 'none'{scripts}"
    )


TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 22%, Canvas); --quiet: color-mix(in srgb, CanvasText 68%, Canvas);
  --good: {{ colors.blue }}; --bad: {{ colors.vermilion }}; --warn: {{ colors.orange }}; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 90rem; background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.6rem; } h3 { font-size: 1.1rem; margin-top: 2rem; } h4 { font-size: 1rem; }
p, ul, ol { max-width: 80ch; } .banner { border: 2px solid var(--warn); border-radius: 4px; padding: 0.5rem 0.8rem; font-weight: 600; }
.wide { overflow-x: auto; margin: 1.2rem 0; } sup { line-height: 0; } table { font-size: 0.85rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.4rem; color: var(--quiet); }
th, td { padding: 0.35rem 0.55rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
thead th { border-bottom: 2px solid CanvasText; } th[scope=row], thead th:first-child { text-align: left; }
th[scope=row] { font-weight: 500; } .sentence { white-space: normal; min-width: 18rem; max-width: 34rem; } .note { white-space: normal; max-width: 14rem; }
small, .quiet { color: var(--quiet); font-weight: 400; } small { display: block; }
.strip { display: flex; flex-wrap: wrap; gap: 0.6rem 1rem; margin: 1.2rem 0; } .strip figure { margin: 0; } .strip figcaption { font-size: 0.85rem; color: var(--quiet); }
.strip img { height: 5.5rem; aspect-ratio: 1; object-fit: contain; background: black; image-rendering: pixelated; margin-right: 0.2rem; }
.good { border-left: 4px solid var(--good); } .bad { border-left: 4px solid var(--bad); }
{{ style }}
</style>
</head>
<body>
<main>
{{ body }}
</main>
{% if script %}
<script>{{ script }}</script>
{% endif %}
</body>
</html>
"""
