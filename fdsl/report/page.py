"""One page with tables, figures, claims, gallery and runs, in a file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from fdsl.io.storage import write_text
from fdsl.report.gallery import exhibits
from fdsl.report.html import SUFFIX, document, read_fragment
from fdsl.report.templating import render
from fdsl.schema.base import FrozenModel
from fdsl.schema.catalogue import SyntheticDataset


class PageStudy(FrozenModel):
    """Title and reference of a study, and the fragments of its tables and figures in order.

    The file NAME.fragment.html is the report NAME.
    """

    title: str
    reference: str
    fragments: tuple[Path, ...] = ()


def write_page(
    studies: Sequence[PageStudy],
    *,
    title: str,
    banner: str,
    datasets: Mapping[str, SyntheticDataset],
    seed: int,
    out: Path,
    claims: Path | None = None,
    runs: Path | None = None,
) -> None:
    """Join finished fragments and the gallery of formulas; whole or not at all.

    Parameters
    ----------
    studies
        In the order of the page.
    title, banner
        Of the scale of all studies.
    datasets, seed
        The synthetic datasets of the gallery and their root seed.
    out
        results/index.html: links of the figures are relative to its folder.
    claims, runs
        Fragments of the claims and of the list of runs, if there are any.

    Raises
    ------
    DamagedFile
        If a fragment is not whole; nothing is written then.
    """
    parts = [
        {
            "title": study.title,
            "reference": study.reference,
            "reports": {p.name.removesuffix(SUFFIX): read_fragment(p) for p in study.fragments},
        }
        for study in studies
    ]
    body = render(
        "page.html.j2",
        title=title,
        banner=banner,
        studies=parts,
        claims=_optional(claims),
        gallery=exhibits(datasets, seed=seed),
        runs=_optional(runs),
    )
    write_text(out, document(f"FDSL results, {title}", body, style="page.css", script="page.js"))


def _optional(path: Path | None) -> Markup:
    return Markup("") if path is None else read_fragment(path)
