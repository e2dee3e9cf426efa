"""A finished result with all that it was made from as a Provenance Run Crate 0.5 (an RO-Crate).

The profile extends Workflow Run Crate 0.5: https://w3id.org/ro/wfrun/provenance/0.5. What is not in
a record is left out. Equal inputs give equal bytes: no clock is read, and the date of publication
is the end of the latest job.
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
from fdsl.lineage.expected import Expected
from fdsl.lineage.results_dir import ResultsDir
from fdsl.schema.yaml_files import workflow_folder
from fdsl.workflow.jobs import Jobs


@dataclass(frozen=True)
class Made:
    """The content of a crate; `warnings` list inconsistencies."""

    files: int
    jobs: int
    warnings: tuple[str, ...]


def write_crate(result: Path, out: Path, table: Jobs, *, largest_bytes: int) -> Made:
    """Write a crate as a folder or, if `out` ends in .zip, as an archive, atomically.

    Parameters
    ----------
    result
        A table, figure, claims.csv, … in a results folder, with the records behind it.
    out
        Must not exist.
    table
        The present configuration, for the licences of real images and for warnings.
    largest_bytes
        Larger results are described with size and digest, but not included.

    Raises
    ------
    DamagedFile
        If a file or record to include is damaged, or `out` exists.
    ValueError
        If this is no checkout, so that there is no Snakefile to include.
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
    content = Content.gather(found, ResultsDir.around(result), checkout, largest_bytes)
    published = _latest(found) or _modified(result)
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=f".{out.name}.", suffix=".tmp"))
    try:
        Entities(found, content, table).described(published).write(folder)
        if out.suffix == ".zip":
            pack(folder, out)
        else:
            folder.chmod(0o755)
            folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Made(len(content.carried), len(found.records), tuple(_warnings(found, content, table)))


def _latest(found: Chain) -> str | None:
    return max((r["finished"] for r in found.records.values() if "finished" in r), default=None)


def _modified(path: Path) -> str:
    """Return when a file changed, in place of the end of jobs whose records hold no time."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _warnings(found: Chain, content: Content, table: Jobs) -> Iterator[str]:
    """Yield where the crate's code and configuration did not make its result, and what it lacks."""
    jobs = Expected.by(table).jobs
    asked = {name: jobs[name] for name in found.records if name in jobs}
    records = found.records
    groups = {
        "jobs were done by other code than the crate carries": [
            n for n, job in asked.items() if job.repeating_code not in {"", records[n].get("code")}
        ],
        "jobs were done for other specs than the crate's configuration gives": [
            n for n, job in asked.items() if records[n].get("spec") not in (None, job.spec)
        ],
        "jobs are asked for by nothing in the crate's configuration": records.keys() - asked.keys(),
        "files are described, but not carried": content.sha256.keys() - content.carried.keys(),
    }
    for text, names in groups.items():
        if names:
            yield f"{len(names)} {text}; the first is {min(names)}"
