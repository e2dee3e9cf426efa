"""Checks of a results folder: files against their records, records against the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io import records as record_files
from fdsl.lineage.chain import mapping
from fdsl.lineage.expected import Expected
from fdsl.lineage.folder import Folder
from fdsl.lineage.results_dir import ResultsDir
from fdsl.lineage.structure import fault
from fdsl.workflow.jobs import Job

SHOWN = 3  # differences between two specs that a message names


class Status(StrEnum):
    """What can be wrong with a file.

    Damaged: changed since it was written, unreadable, or missing. Stale: whole, but made by other
    code, from another spec or other inputs than the present ones, so that Snakemake would make it
    again. Foreign: no job of the configuration makes it, or its record belongs elsewhere.
    """

    DAMAGED = "damaged"
    STALE = "stale"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Finding:
    """One fault; `asked` says whether a job of the configuration makes the file."""

    status: Status
    path: str
    reason: str
    asked: bool


@dataclass(frozen=True)
class Verification:
    """The result of a verification.

    Attributes
    ----------
    findings
        Damaged, stale, foreign, each in the order of paths.
    files, size_bytes
        Number and total size of the files that were compared with a digest.
    undigested
        Files without a recorded digest; only their format was checked.
    absent
        Records of jobs that have not been run.
    """

    findings: tuple[Finding, ...]
    files: int
    size_bytes: int
    undigested: tuple[str, ...]
    absent: tuple[str, ...]

    def failed(self, *, strict: bool) -> bool:
        """Return whether a file is damaged or, if `strict`, a wanted one has any fault."""
        return any(f.status is Status.DAMAGED or (strict and f.asked) for f in self.findings)


def verify(folder: Path, expected: Expected, *, threads: int | None = None) -> Verification:
    """Compare every file below a results folder with its digest, and its record with its job.

    Parameters
    ----------
    folder
        The results folder.
    asked
        The jobs of the present configuration.
    threads
        For hashing; None = one for each core, at most 8.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the results folder of a workflow")
    there = Folder(ResultsDir(folder.absolute()), threads)
    there.read()
    damaged = dict(_damaged(there))
    findings = [
        *(Finding(Status.DAMAGED, n, why, expected.covers(n)) for n, why in damaged.items()),
        *_outdated(there, expected.jobs, damaged),
        *_foreign(there, expected),
    ]
    others = [name for name in there.names if name not in there.records]
    covered = [name for name in there.names if name in there.digests]
    return Verification(
        findings=tuple(sorted(findings, key=lambda f: (list(Status).index(f.status), f.path))),
        files=len(covered),
        size_bytes=sum(p.stat().st_size for p in map(there.disk, covered) if p.is_file()),
        undigested=tuple(n for n in others if not there.has_digest(n)),
        absent=tuple(sorted(expected.jobs.keys() - set(there.names))),
    )


def _damaged(there: Folder) -> Iterator[tuple[str, str]]:
    """Yield files that changed since they were written, with the reason."""
    yield from there.unreadable.items()
    wrong = {x.path for x in there.statements if there.digests.get(x.path) != x.sha256}
    for stated in there.statements:
        if stated.by in wrong:  # what it says no longer counts, and it is reported itself
            continue
        path, found = there.disk(stated.path), there.digests.get(stated.path)
        if not path.exists():
            if there.disk(stated.by).exists():
                yield stated.path, f"is missing, but {stated.by} names it"
        elif found is None:
            yield stated.path, "cannot be read"
        elif found != stated.sha256:
            size = path.stat().st_size
            changed = path.is_file() and stated.size not in {None, size}
            sizes = f"{size} bytes of {stated.size}" if changed else "same size"
            now, then = found[:12], stated.sha256[:12]
            yield stated.path, f"has sha256 {now}, {stated.by} says {then} ({sizes})"
    for name in there.names:
        if not there.has_digest(name) and name not in there.unreadable:
            why = fault(there.disk(name))
            if why is not None:
                yield name, why


def _outdated(
    there: Folder, wanted: Mapping[str, Job], damaged: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield results that Snakemake would make again, and records in the place of others."""
    makers = {path: job for job in wanted.values() for path in job.outputs.values()}
    known: dict[str, str] = {}

    def reason(job: Job) -> str:
        """Return why a job's results are out of date; empty if they are not."""
        if job.record not in known:
            known[job.record] = ""
            known[job.record] = _own_reason(there, job, damaged) or _inherited(job)
        return known[job.record]

    def _inherited(job: Job) -> str:
        for name in job.recorded_inputs:
            maker = makers.get(name)
            if name in damaged:
                return f"its input {name} is damaged"
            if maker is not None and reason(maker):
                return f"its input {name} is out of date"
        return ""

    for name, job in wanted.items():
        if name in there.unreadable or not _begun(there, job):
            continue
        record = there.records.get(name)
        other = "" if record is None else _about_something_else(record, job)
        if other:
            yield Finding(Status.FOREIGN, name, other, asked=True)
        elif why := reason(job):
            files = (name, *job.outputs.values())
            left = (path for path in files if there.disk(path).exists())
            yield Finding(Status.STALE, next(left), why, asked=True)


def _begun(there: Folder, job: Job) -> bool:
    """Return whether a job has left a record or an output."""
    return any(there.disk(path).exists() for path in job.outputs.values())


def _about_something_else(record: Mapping[str, Any], job: Job) -> str:
    """Return in which way a record belongs to another job; empty if it does not."""
    for entry, wanted in (("kind", job.rule), ("run", job.spec.get("run"))):
        if wanted is not None and record.get(entry) != wanted:
            return f"its {entry} is {record.get(entry)!r}, not {wanted!r}"
    if job.rule == "import_weights":  # its record names the published file
        return ""
    inputs = set(job.recorded_inputs)
    named = mapping(record.get("inputs")).keys()
    if named == inputs:
        return ""
    missing, more = sorted(inputs - named), sorted(named - inputs)
    first = [f"not from {missing[0]}"] if missing else []
    first += [f"from {more[0]}"] if more else []
    counts = f"({len(missing)} missing, {len(more)} more)"
    return f"it was made from other inputs: {', '.join(first)} {counts}"


def _own_reason(there: Folder, job: Job, damaged: Mapping[str, str]) -> str:
    """Return why a job would run again, apart from the jobs before it."""
    record = there.records.get(job.record)
    if record is None:
        return "it has no record, so nothing says what it was made from"
    if "spec" not in record:
        return "its record holds no spec, as those of earlier versions"
    if record["spec"] != job.spec:
        return f"another spec: {_difference(record['spec'], job.spec)}"
    if job.repeating_code not in {"", record.get("code")}:
        return f"other code: {record.get('code')}, now {job.code}"
    for name, digest in mapping(record.get("inputs")).items():
        now = there.digests.get(name)
        if now is not None and now != digest and name not in damaged:
            return f"{name} has changed: sha256 {now[:12]}, it was {str(digest)[:12]}"
    return ""


def _difference(theirs: Any, ours: Any) -> str:
    """Name the first entries in which two specs differ."""
    found = list(_differences("", theirs, ours))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _differences(name: str, theirs: Any, ours: Any) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from _differences(f"{name}.{key}".lstrip("."), theirs.get(key), ours.get(key))
    elif theirs != ours:
        yield f"{name}: {_short(theirs)}, now {_short(ours)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _foreign(there: Folder, expected: Expected) -> Iterator[Finding]:
    """Yield files that no job makes: a record for all files that it names, others one by one."""
    strange = [name for name in there.names if not expected.covers(name)]
    records = {name for name in strange if name in there.records}
    stated = {x.path for x in there.statements if x.by in records}
    folders = tuple(
        f"{name.rpartition('/')[0]}/" for name in records if name.endswith(f"/{record_files.NAME}")
    )
    for name in strange:
        if name in records or (name not in stated and not name.startswith(folders)):
            last = name.rpartition("/")[2]
            half = last.startswith(".") and last.endswith(".tmp")
            killed = "left by a job that was killed, or is running"
            why = killed if half else _unasked(name, expected.scale)
            yield Finding(Status.FOREIGN, name, why, asked=False)


def _unasked(name: str, scale: str) -> str:
    parts = PurePosixPath(name).parts
    if len(parts) > 2 and parts[1] not in {scale, "tables", "figures"}:
        return f"it is of scale {parts[1]}, the configuration of scale {scale}"
    return "no table, figure or claim of the configuration asks for it"
