"""Whether the files of a results folder are what their records say, and what the present
configuration asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io import checksums, storage
from fdsl.io import records as record_files
from fdsl.io.storage import DamagedFile
from fdsl.lineage.digests import digests
from fdsl.lineage.expected import Asked, Job
from fdsl.lineage.results_dir import Place, is_record
from fdsl.lineage.structure import fault

SHOWN = 3  # differences between two orders that a message names
KEPT = {".gitkeep"}


class Status(StrEnum):
    """What can be wrong with a file.

    Damaged: it is not what was written, or cannot be read, or belongs to something that is not
    there. Stale: it is whole, but was made by other code, by another order or from other content
    than there is now, so that the same command would make it again. Foreign: nothing that the
    configuration makes asks for it, or its record is about something else.
    """

    DAMAGED = "damaged"
    STALE = "stale"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `asked` says whether the configuration asks for the file."""

    status: Status
    path: str
    reason: str
    asked: bool


@dataclass(frozen=True)
class Verification:
    """All that was found.

    Attributes
    ----------
    findings
        Damaged, stale, foreign, each in the order of paths.
    files, size_bytes
        That were read whole and compared with a digest.
    undigested
        Files that no record and no digest speaks of; only their form was looked at.
    absent
        Records that the configuration asks for and that are not there: not made yet.
    """

    findings: tuple[Finding, ...]
    files: int
    size_bytes: int
    undigested: tuple[str, ...]
    absent: tuple[str, ...]

    def failed(self, *, strict: bool) -> bool:
        """Say whether something is damaged or, if `strict`, something that the configuration asks
        for is not as it should be.
        """
        return any(f.status is Status.DAMAGED or (strict and f.asked) for f in self.findings)


@dataclass(frozen=True)
class _Statement:
    """What one file says of another."""

    path: str
    sha256: str
    size: int | None
    by: str


@dataclass
class _Folder:
    """What is there, read once."""

    place: Place
    threads: int | None
    names: list[str] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    statements: list[_Statement] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def read(self) -> None:
        files = (path for path in self.place.results.rglob("*") if path.is_file())
        self.names = sorted(self.place.name(path) for path in files if path.name not in KEPT)
        for name in self.names:
            if name.endswith(".json"):
                try:
                    self._read(name)
                except FileNotFoundError:  # a training that is running has removed its checkpoint
                    continue
                except (DamagedFile, OSError, RecursionError) as error:
                    self.unreadable[name] = str(error)

    def _read(self, name: str) -> None:
        path = self.disk(name)
        if is_record(name):
            record = record_files.read(path)
            self.records[name] = record
            for output, about in _mapping(record.get("outputs")).items():
                self._state(output, _mapping(about), by=name)
            return
        content = storage.read_json(path)
        if isinstance(content, dict) and {"file", "sha256"} <= content.keys():
            beside = str(PurePosixPath(name).with_name(PurePosixPath(str(content["file"])).name))
            self._state(beside, content, by=name)

    def _state(self, path: str, about: Mapping[str, Any], *, by: str) -> None:
        if self.place.find(path) is None:
            raise DamagedFile(f"{by} speaks of {path!r}, which is no file below the results folder")
        size = about.get("bytes")
        self.statements.append(
            _Statement(path, str(about.get("sha256")), size if isinstance(size, int) else None, by)
        )

    def disk(self, name: str) -> Path:
        found = self.place.find(name)
        assert found is not None, name
        return found

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of every file that something speaks of, by name; folders as one."""
        spoken = {statement.path for statement in self.statements}
        spoken |= {
            name for record in self.records.values() for name in _mapping(record.get("inputs"))
        }
        paths = {name: path for name in sorted(spoken) if (path := self.place.find(name))}
        members = {name: checksums.files_in(path) for name, path in paths.items() if path.is_dir()}
        files = [path for name, path in paths.items() if name not in members]
        inside = [path for group in members.values() for path in group.values()]
        found = digests([*files, *inside], threads=self.threads)
        whole = {
            name: checksums.folder_digest({key: found[path] for key, path in group.items()})
            for name, group in members.items()
            if all(path in found for path in group.values())
        }
        return {name: found[path] for name, path in paths.items() if path in found} | whole


def verify(folder: Path, asked: Asked, *, threads: int | None = None) -> Verification:
    """Read every file below a results folder that has a digest, and compare.

    Parameters
    ----------
    folder
        The results folder.
    asked
        What the present configuration asks for.
    threads
        That hash; None = one for each core, at most 8.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the results folder of a workflow")
    there = _Folder(Place(folder.absolute()), threads)
    there.read()
    wanted = asked.jobs
    damaged = dict(_damaged(there, wanted))
    findings = [
        *(Finding(Status.DAMAGED, n, why, asked.covers(n)) for n, why in sorted(damaged.items())),
        *_outdated(there, wanted, damaged),
        *_foreign(there, asked),
    ]
    spoken = {statement.path for statement in there.statements}
    covered = [name for name in there.names if name in there.digests]
    return Verification(
        findings=tuple(sorted(findings, key=lambda f: (list(Status).index(f.status), f.path))),
        files=len(covered),
        size_bytes=sum(there.disk(n).stat().st_size for n in covered if there.disk(n).is_file()),
        undigested=tuple(n for n in there.names if not _told(n, spoken) and n not in there.records),
        absent=tuple(sorted(wanted.keys() - set(there.names))),
    )


# --- damaged
# ----------------------------------------------------------------------------------------------------------


def _damaged(there: _Folder, wanted: Mapping[str, Job]) -> Iterator[tuple[str, str]]:
    """Yield files that are not what was written, with the reason."""
    yield from there.unreadable.items()
    wrong = {said.path for said in there.statements if there.digests.get(said.path) != said.sha256}
    for said in there.statements:
        if said.by in wrong:  # what it says no longer counts, and it is told of itself
            continue
        path = there.disk(said.path)
        found = there.digests.get(said.path)
        if not path.exists():
            if there.disk(said.by).exists():
                yield said.path, f"is not there, but {said.by} speaks of it"
        elif found is None:
            yield said.path, "cannot be read"
        elif found != said.sha256:
            size = path.stat().st_size
            sizes = (
                f"{size} bytes of {said.size}"
                if path.is_file() and said.size not in {None, size}
                else "as long as it was"
            )
            yield said.path, f"has sha256 {found[:12]}, {said.by} says {said.sha256[:12]} ({sizes})"
    spoken = {statement.path for statement in there.statements}
    for name in there.names:
        if not _told(name, spoken) and name not in there.unreadable:
            why = fault(there.disk(name))
            if why is not None:
                yield name, why
    for name, job in wanted.items():  # a record of an earlier version speaks of no output
        if name in there.records and "outputs" not in there.records[name]:
            for output in job.outputs[:1]:
                if output not in spoken and not there.disk(output).exists():
                    yield output, f"is not there, but its record {name} is"


# --- stale, and records about something else
# --------------------------------------------------------------------------


def _outdated(
    there: _Folder, wanted: Mapping[str, Job], damaged: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what the same command would make again, and records in the place of others."""
    makers = {output: job for job in wanted.values() for output in job.outputs}
    known: dict[str, str] = {}

    def reason(job: Job) -> str:
        """Return why a job's results are out of date; empty if they are not."""
        if job.record not in known:
            known[job.record] = ""
            known[job.record] = _own_reason(there, job, damaged) or _inherited(job)
        return known[job.record]

    def _inherited(job: Job) -> str:
        for name in job.inputs or ():
            maker = makers.get(name) or wanted.get(name)
            if name in damaged:
                return f"{name} is damaged, from which it is made"
            if maker is not None and reason(maker):
                return f"{name} is out of date, from which it is made"
        return ""

    for name, job in wanted.items():
        if name in there.unreadable or not _begun(there, job):
            continue
        record = there.records.get(name)
        other = "" if record is None else _about_something_else(record, job)
        if other:
            yield Finding(Status.FOREIGN, name, other, asked=True)
        elif why := reason(job):
            left = (path for path in (name, *job.outputs) if there.disk(path).exists())
            yield Finding(Status.STALE, next(left), why, asked=True)


def _begun(there: _Folder, job: Job) -> bool:
    """Say whether a job has left anything."""
    return job.record in there.records or any(there.disk(path).exists() for path in job.outputs)


def _about_something_else(record: Mapping[str, Any], job: Job) -> str:
    """Say what a record is about, if it does not belong where it stands."""
    for entry, wanted in (("kind", job.kind), ("run", job.order.get("run"))):
        if wanted is not None and record.get(entry) != wanted:
            return f"its {entry} is {record.get(entry)!r}, not {wanted!r}"
    if job.inputs is None:
        return ""
    named = _mapping(record.get("inputs")).keys()
    if named == set(job.inputs):
        return ""
    missing, more = sorted(set(job.inputs) - named), sorted(named - set(job.inputs))
    told = [f"not from {missing[0]}"] if missing else []
    told += [f"from {more[0]}"] if more else []
    return (
        f"it was made from other inputs: {', '.join(told)} ({len(missing)} missing, {len(more)}"
        " more)"
    )


def _own_reason(there: _Folder, job: Job, damaged: Mapping[str, str]) -> str:
    """Return why a job would run again, whatever became of the jobs before it."""
    record = there.records.get(job.record)
    if record is None:
        return "it has no record, so nothing says what it was made from"
    if "order" not in record:
        return "its record holds no order, as those of earlier versions"
    if record["order"] != job.order:
        return f"another order: {_difference(record['order'], job.order)}"
    if job.code is not None and record.get("code") != job.code:
        return f"other code: {record.get('code')}, now {job.code}"
    for name, digest in _mapping(record.get("inputs")).items():
        now = there.digests.get(name)
        if now is not None and now != digest and name not in damaged:
            return f"{name} is another now: sha256 {now[:12]}, it was {str(digest)[:12]}"
    return ""


def _difference(theirs: Any, ours: Any) -> str:
    """Name the first entries in which two orders differ."""
    told = [f"{key}: {old}, now {new}" for key, old, new in _differences("", theirs, ours)]
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return "; ".join(told[:SHOWN]) + more


def _differences(name: str, theirs: Any, ours: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            at = f"{name}.{key}".lstrip(".")
            yield from _differences(at, theirs.get(key), ours.get(key))
    elif theirs != ours:
        yield name, _short(theirs), _short(ours)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


# --- foreign
# ----------------------------------------------------------------------------------------------------------


def _foreign(there: _Folder, asked: Asked) -> Iterator[Finding]:
    """Yield what nothing asks for: a record for all that it speaks of, other files one by one."""
    strange = [name for name in there.names if not asked.covers(name)]
    records = {name for name in strange if name in there.records}
    stated = {said.path for said in there.statements if said.by in records}
    folders = tuple(
        f"{name.rpartition('/')[0]}/" for name in records if name.endswith(f"/{record_files.NAME}")
    )
    for name in strange:
        if name in records:
            yield Finding(Status.FOREIGN, name, _unasked(name, asked.scale), asked=False)
        elif name not in stated and not name.startswith(folders):
            half = name.endswith(".tmp") and name.rpartition("/")[2].startswith(".")
            why = (
                "left by a job that was killed, or is running"
                if half
                else _unasked(name, asked.scale)
            )
            yield Finding(Status.FOREIGN, name, why, asked=False)


def _unasked(name: str, scale: str) -> str:
    parts = PurePosixPath(name).parts
    if len(parts) > 2 and parts[1] not in {scale, "tables", "figures"}:
        return f"it is of scale {parts[1]}, the configuration of scale {scale}"
    return "no table, figure or claim of the configuration asks for it"


# --- small things
# -----------------------------------------------------------------------------------------------------


def _mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, and anything else, which a record of another form may hold, as
    nothing.
    """
    return value if isinstance(value, dict) else {}


def _told(name: str, spoken: set[str]) -> bool:
    """Say whether a file, or a folder above it, has a digest somewhere."""
    return name in spoken or any(str(folder) in spoken for folder in PurePosixPath(name).parents)
