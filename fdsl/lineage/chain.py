"""The chain from a result back to formulas and data, from records alone; nothing is computed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io import checksums, records as record_files, storage
from fdsl.io.storage import DamagedFile
from fdsl.lineage.results_dir import ResultsDir, is_record
from fdsl.schema.base import choose

TABLE = {"row", "column", "record"}
CLAIMS = {"claim", "sentence", "table"}
NO_RECORD = "none: "
SMALL_BYTES = 10 * 2**20  # larger files without a recorded digest are not hashed for the chain


@dataclass(frozen=True)
class File:
    """A file of the chain.

    Attributes
    ----------
    name
        As in records.
    sha256, size
        As recorded by its job, beside the file or by its reader; None = unknown.
    record
        Of the job that made it, or None.
    there
        Whether it exists.
    """

    name: str
    sha256: str | None
    size: int | None
    record: str | None
    there: bool


@dataclass(frozen=True)
class TracedNumber:
    """A cell of a table or a claim with its records; `reason` says why there are none."""

    name: tuple[str, ...]
    value: str
    records: tuple[str, ...]
    reason: str


@dataclass
class Chain:
    """A result and all that it was made from.

    Attributes
    ----------
    target
        The result.
    cells
        Of a table or of the claims.
    files, records
        On the way, by name.
    manifests
        Manifests of real images on the way, by file name.
    """

    target: str
    cells: tuple[TracedNumber, ...]
    files: dict[str, File] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sources(self, name: str) -> dict[str, str]:
        """Return {input name: digest} of a record or file, in order; empty at the chain's end."""
        record = name if is_record(name) else self.files[name].record
        return mapping(self.records.get(str(record), {}).get("inputs"))

    def as_json(self) -> dict[str, Any]:
        """Return the chain as plain data."""
        cells = [
            {"cell": list(c.name), "value": c.value, "records": list(c.records), "reason": c.reason}
            for c in self.cells
        ]
        files = {
            name: {"sha256": f.sha256, "bytes": f.size, "record": f.record, "there": f.there}
            for name, f in sorted(self.files.items())
        }
        content = {"target": self.target, "cells": cells, "files": files}
        records, manifests = (dict(sorted(x.items())) for x in (self.records, self.manifests))
        return content | {"records": records, "manifests": manifests}


def chain(path: Path, *, cell: tuple[str, str] | None = None, claim: str | None = None) -> Chain:
    """Return all that a finished table, figure, claims.csv, record or other result was made from.

    Parameters
    ----------
    path
        A file in a results folder.
    cell
        Row and column of a table: the chain of that number alone.
    claim
        Of claims.csv: the chain of that claim alone.

    Raises
    ------
    ConfigError
        If there is no such cell or claim; the message lists those that exist.
    DamagedFile
        If the file is missing, a record on the way is damaged, or there is no record.
    ValueError
        If `cell` is given but the file is no table, or `claim` and it is not claims.csv.
    """
    results = ResultsDir.around(path)
    if not path.is_file():
        raise DamagedFile(f"{path} is missing: make it with snakemake first")
    target = results.name(path)
    cells = _cells(path, target, results)
    whole = cell is None and claim is None
    if not whole:
        cells = _chosen(cells, cell, claim, path)
    found = Chain(target, tuple(cells))
    _follow(found, results, [*([target] if whole else []), *(r for c in cells for r in c.records)])
    if not found.records:
        raise DamagedFile(
            f"no record says what {target} was made from: it was made by an earlier version; make"
            f" it again with snakemake --force {target}"
        )
    return found


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, and an empty one for anything else in a record."""
    return value if isinstance(value, dict) else {}


def _follow(chain: Chain, results: ResultsDir, names: list[str]) -> None:
    """Add files and records to a chain, with everything that they were made from."""
    todo: list[tuple[str, str | None]] = [(name, None) for name in reversed(names)]
    while todo:
        name, digest = todo.pop()
        if name in chain.files or name in chain.records:
            continue
        record = results.record_of(name)
        if not is_record(name):
            chain.files[name] = _file(results, name, record, digest)
            if manifest := _manifest(results.find(name), name):
                chain.manifests[name] = manifest
        if record is None or record in chain.records:
            continue
        path = results.find(record)
        if path is None or not path.is_file():  # a record that a table names was deleted
            chain.files[record] = File(record, digest, None, None, there=False)
            continue
        chain.records[record] = record_files.read(path)
        todo += mapping(chain.records[record].get("inputs")).items()


def _manifest(path: Path | None, name: str) -> dict[str, Any]:
    """Return the content of a file that is a manifest of real images, else nothing."""
    if PurePosixPath(name).parent.name != "downstream" or path is None or not path.is_file():
        return {}
    content = mapping(storage.read_json(path))
    return content if isinstance(content.get("parts"), dict) else {}


def _file(results: ResultsDir, name: str, record: str | None, digest: str | None) -> File:
    """Describe a file; `digest` is the one that its reader recorded."""
    path = results.find(name)
    recorded = _recorded(results, name, record)
    sha256, size = recorded.get("sha256", digest), recorded.get("bytes")
    if path is not None and path.is_file():
        size = path.stat().st_size if size is None else size
        if sha256 is None and size <= SMALL_BYTES:
            sha256 = checksums.digest(path)
    return File(name, sha256, size, record, there=path is not None and path.exists())


def _recorded(results: ResultsDir, name: str, record: str | None) -> dict[str, Any]:
    """Return what a file's record, or the small digest beside it, says of it."""
    if record is not None and (path := results.find(record)):
        outputs = mapping(record_files.read(path).get("outputs"))
        if isinstance(outputs.get(name), dict):
            return mapping(outputs[name])
    beside = results.find(str(PurePosixPath(name).with_suffix(".json")))
    if beside is not None and beside.is_file() and not name.endswith(".json"):
        content = mapping(storage.read_json(beside))
        if content.get("file") == PurePosixPath(name).name:
            return content
    return {}


def _cells(path: Path, target: str, results: ResultsDir) -> list[TracedNumber]:
    """Return the cells of a table or the claims of claims.csv; none for other files."""
    if path.suffix != ".csv":
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = set(rows[0]) if rows else set()
    if columns >= TABLE:
        return [_of_table(row) for row in rows]
    if columns >= CLAIMS:
        return list(_of_claims(rows, target, results))
    return []


def _of_table(row: Mapping[str, str]) -> TracedNumber:
    named, value = row["record"], row.get("reproduced", "")
    if value:
        sd = f" ± {row['sd']}" if row.get("sd") else ""
        value = f"{value}{sd}, n = {row.get('replicates', '?')}"
    reason = named.removeprefix(NO_RECORD) if named.startswith(NO_RECORD) else ""
    records = () if reason else tuple(sorted(named.split(";")))
    return TracedNumber((row["row"], row["column"]), value, records, reason)


def _of_claims(
    rows: list[dict[str, str]], target: str, results: ResultsDir
) -> Iterator[TracedNumber]:
    """Yield the claims; the spec in their record lists the pre-trainings that each compares."""
    record = results.record_of(target)
    path = results.find(record) if record else None
    content = record_files.read(path) if path else {}
    studies = content.get("spec", {}).get("studies", {})
    groups = {
        name: {*claim["better"], *claim["worse"]}
        for study in studies.values()
        for name, claim in study["claims"].items()
    }
    inputs = [name for name in content.get("inputs", {}) if is_record(name)]
    trained = {name: PurePosixPath(name).parent.name.split("-")[0] for name in inputs}
    for row in rows:
        name, effect = row["claim"], row.get("effect", "")
        mine = tuple(path for path in inputs if trained[path] in groups.get(name, set()))
        value = f"{effect and f'{effect} points, '}{row.get('verdict', '')}"
        yield TracedNumber((name,), value, mine, "" if mine else row.get("note", ""))


def _chosen(
    cells: list[TracedNumber], cell: tuple[str, str] | None, claim: str | None, path: Path
) -> list[TracedNumber]:
    """Return the selected cell or claim."""
    wanted: tuple[str, ...] = cell if cell is not None else (str(claim),)
    fitting = [found for found in cells if len(found.name) == len(wanted)]
    if not fitting:
        what = "--cell is for tables" if cell is not None else "--claim is for claims.csv"
        raise ValueError(f"{path} has nothing of the kind: {what}")
    for level, name in enumerate(wanted):
        known = list(dict.fromkeys(found.name[level] for found in fitting))
        choose(("row", "column")[level] if cell else "claim", name, known, where=str(path))
        fitting = [found for found in fitting if found.name[level] == name]
    return fitting
