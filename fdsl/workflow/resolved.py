"""The configuration that Snakemake resolved, as a file for its jobs, and what it left before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from fdsl.io import checksums, records, storage
from fdsl.io.storage import DamagedFile
from fdsl.schema.user import UserConfig
from fdsl.workflow.jobs import Jobs
from fdsl.workflow.rules import REPORTS

FOLDER = "results/configs"
OLD_S = 86_400  # seconds since 1970


def path(user: UserConfig) -> str:
    """Return the name of the file that holds a user's configuration: by its digest."""
    return f"{FOLDER}/{checksums.digest_json(user.model_dump(mode='json'))[:12]}.json"


def write(user: UserConfig) -> None:
    """Write a user's configuration for the jobs, unless it is there."""
    if not Path(path(user)).exists():
        storage.write_json(path(user), user.model_dump(mode="json"))


def backdate_outdated_reports(jobs: Jobs) -> None:
    """Make reports older than any input if their records hold another spec or other inputs.

    Snakemake notices such reports by its metadata. Where these are lost (a copied project), the
    reports of another scale, or of other seeds, would pass for this one's.
    """
    for job in jobs.needed(["all"]):
        made = [output for output in job.outputs.values() if Path(output).exists()]
        if not (job.rule in REPORTS and made):
            continue
        if _recorded(job.record) != (job.spec, set(job.recorded_inputs)):
            for output in made:
                with suppress(OSError):  # a read-only folder is reported before the first job
                    os.utime(output, (OLD_S, OLD_S))


def _recorded(record: str) -> tuple[object, set[str]]:
    """Return the spec and the names of the inputs that a record holds."""
    try:
        content = records.read(record)
    except (DamagedFile, OSError):
        return None, set()
    return content.get("spec"), set(content.get("inputs", {}))
