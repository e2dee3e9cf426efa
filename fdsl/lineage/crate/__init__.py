"""A finished result with all that it was made from as an RO-Crate, after the profile Provenance Run
Crate 0.5.

The profile extends Workflow Run Crate 0.5: https://w3id.org/ro/wfrun/provenance/0.5. What no record
tells is left out. Equal inputs give equal bytes: nothing is read from a clock, and the date of
publication is the end of the latest job.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fdsl.io.storage import DamagedFile
from fdsl.lineage.chain import Chain, chain
from fdsl.lineage.crate.archive import pack
from fdsl.lineage.crate.content import Content
from fdsl.lineage.crate.entities import Entities
from fdsl.lineage.expected import Asked
from fdsl.lineage.results_dir import Place
from fdsl.schema.yaml_files import workflow_folder
from fdsl.workflow.plan import Plan


@dataclass(frozen=True)
class Made:
    """What is in a crate; `warnings` say where it does not belong together."""

    files: int
    jobs: int
    warnings: tuple[str, ...]


def write_crate(result: Path, out: Path, plan: Plan, *, largest_bytes: int) -> Made:
    """Write a crate as a folder or, if `out` ends in .zip, as an archive; whole or not at all, and
    never over something.

    Parameters
    ----------
    result
        A table, figure, claims.csv, … in a results folder, with the records behind it.
    out
        Must not be there.
    plan
        The present configuration: it tells the licences of real pictures, and which jobs it would
        make in another way.
    largest_bytes
        Results that are larger are described, with size and digest, and not carried.

    Raises
    ------
    DamagedFile
        If something that would be carried is not what its record says, a record on the way is
        damaged, or `out` is in the way.
    ValueError
        If this is no checkout, so that there is no Snakefile to carry.
    """
    if out.exists():
        raise DamagedFile(f"{out} is in the way: delete it, or choose another name with --out")
    checkout = workflow_folder().parent
    if not (checkout / "Snakefile").is_file():
        raise ValueError(
            f"{checkout} has no Snakefile: a crate holds the workflow, so make it with a checkout,"
            " not an installed package"
        )
    found = chain(result)
    content = Content.gather(found, Place.around(result), checkout, largest_bytes)
    published = _latest(found) or _modified(result)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    folder = Path(
        tempfile.mkdtemp(dir=out.absolute().parent, prefix=f".{out.name}.", suffix=".tmp")
    )
    try:
        Entities(found, content, plan).described(published).write(folder)
        if out.suffix == ".zip":
            pack(folder, out)
        else:
            folder.chmod(0o755)
            folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Made(len(content.carried), len(found.records), tuple(_warnings(found, content, plan)))


def _latest(found: Chain) -> str | None:
    return max((r["finished"] for r in found.records.values() if "finished" in r), default=None)


def _modified(path: Path) -> str:
    """Return when a file was changed last, which stands in for the end of jobs whose records tell
    no time.
    """
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _warnings(found: Chain, content: Content, plan: Plan) -> Iterator[str]:
    """Say where the crate's code and configuration are not those that made its result, and what is
    not in it.
    """
    jobs = Asked.by(plan).jobs
    asked = {name: jobs[name] for name in found.records if name in jobs}
    code = [n for n, job in asked.items() if job.code not in {None, found.records[n].get("code")}]
    order = [
        n for n, job in asked.items() if found.records[n].get("order") not in (None, job.order)
    ]
    if code:
        yield (
            f"{len(code)} jobs were done by other code than the crate carries; the first is"
            f" {min(code)}"
        )
    if order:
        yield (
            f"{len(order)} jobs were done for other orders than the crate's configuration gives;"
            f" the first is {min(order)}"
        )
    if strange := sorted(found.records.keys() - asked.keys()):
        yield (
            f"{len(strange)} jobs are asked for by nothing in the crate's configuration; the first"
            f" is {strange[0]}"
        )
    if left := sorted(n for n in content.sha256 if n not in content.carried):
        yield f"{len(left)} files are described, but not carried; the first is {left[0]}"
