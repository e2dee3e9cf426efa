"""The chain from a result back to formulas and data, as the records tell it; nothing is computed
again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io import checksums, storage
from fdsl.io import records as record_files
from fdsl.io.storage import DamagedFile
from fdsl.lineage.results_dir import Place, is_record
from fdsl.schema.base import choose

TABLE = {"row", "column", "record"}
CLAIMS = {"claim", "sentence", "table"}
NO_RECORD = "none: "
SMALL_BYTES = 10 * 2**20  # up to here a file that nothing speaks of is digested for the chain


@dataclass(frozen=True)
class File:
    """A file of the chain.

    Attributes
    ----------
    name
        As records name it.
    sha256, size
        As they were written, by its record, the digest beside it or, where there is neither, its
        reader; None = unknown.
    record
        Of the job that made it, or None.
    there
        Whether it is still there.
    """

    name: str
    sha256: str | None
    size: int | None
    record: str | None
    there: bool


@dataclass(frozen=True)
class Cell:
    """A number of a table, or a claim, with the records behind it; `reason` says why there are
    none.
    """

    name: tuple[str, ...]
    value: str
    records: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Chain:
    """A result and all that it was made from.

    Attributes
    ----------
    target
        What was asked about.
    cells
        Of a table or of the claims.
    files, records
        Everything on the way, by name.
    manifests
        What is known of the real pictures on the way, by the name of the file.
    """

    target: str
    cells: tuple[Cell, ...]
    files: Mapping[str, File]
    records: Mapping[str, Mapping[str, Any]]
    manifests: Mapping[str, Mapping[str, Any]]

    def sources(self, name: str) -> dict[str, str]:
        """Return what a record or file was made from: names with digests, in order; empty at an end
        of the chain.
        """
        record = name if is_record(name) else self.files[name].record
        inputs = self.records.get(str(record), {}).get("inputs", {})
        return dict(inputs) if isinstance(inputs, dict) else {}

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
        return {
            "target": self.target,
            "cells": cells,
            "files": files,
            "records": {name: dict(record) for name, record in sorted(self.records.items())},
            "manifests": {name: dict(found) for name, found in sorted(self.manifests.items())},
        }


def chain(path: Path, *, cell: tuple[str, str] | None = None, claim: str | None = None) -> Chain:
    """Return what a finished table, figure, claims.csv, record or any other result was made from.

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
        If there is no such cell or claim; the message names those that there are.
    DamagedFile
        If the file is not there, a record on the way is damaged, or nothing says what the file was
        made from.
    ValueError
        If `cell` is given for what is no table, or `claim` for what are no claims.
    """
    place = Place.around(path)
    if not path.is_file():
        raise DamagedFile(f"{path} is not there: make it with snakemake first")
    target = place.name(path)
    cells = _cells(path, target, place)
    if cell is not None or claim is not None:
        cells = _chosen(cells, cell, claim, path)
    follow = _Follow(place)
    chosen = cell is not None or claim is not None
    if not chosen:
        follow.reach(target)
    for one in cells:
        for record in one.records:
            follow.reach(record)
    if not follow.records:
        raise DamagedFile(
            f"no record says what {target} was made from: it was made by an earlier version; make"
            f" it again with snakemake --force {target}"
        )
    return Chain(target, tuple(cells), follow.files, follow.records, follow.manifests)


class _Follow:
    """Goes from record to record."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.files: dict[str, File] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.manifests: dict[str, dict[str, Any]] = {}

    def reach(self, name: str, *, said: str | None = None) -> None:
        """Take up a file or record, `said` being its digest in the words of its reader, and all
        before it.
        """
        todo: list[tuple[str, str | None]] = [(name, said)]
        while todo:
            here, digest = todo.pop()
            if here in self.files or here in self.records:
                continue
            record = self._record(here)
            if not is_record(here):
                self.files[here] = self._file(here, record, digest)
                self._look_into(here)
            if record is None or record in self.records:
                continue
            found = self.place.find(record)
            if found is None or not found.is_file():  # a record that a table names and that is gone
                self.files[record] = File(record, digest, None, None, there=False)
                continue
            content = record_files.read(found)
            self.records[record] = content
            inputs = content.get("inputs")
            todo += list(inputs.items()) if isinstance(inputs, dict) else []

    def _record(self, name: str) -> str | None:
        return self.place.record_of(name)

    def _look_into(self, name: str) -> None:
        """Keep what a manifest of real pictures holds."""
        path = self.place.find(name)
        if PurePosixPath(name).parent.name == "downstream" and path is not None and path.is_file():
            content = storage.read_json(path)
            if isinstance(content, dict) and isinstance(content.get("parts"), dict):
                self.manifests[name] = content

    def _file(self, name: str, record: str | None, said: str | None) -> File:
        path = self.place.find(name)
        there = path is not None and path.exists()
        sha256, size = said, None
        about = self._stated(name, record)
        if about:
            sha256, size = about.get("sha256", said), about.get("bytes")
        if path is not None and path.is_file():
            size = size if size is not None else path.stat().st_size
            if sha256 is None and size <= SMALL_BYTES:
                sha256 = checksums.digest(path)
        return File(name, sha256, size, record, there)

    def _stated(self, name: str, record: str | None) -> Mapping[str, Any]:
        """Return what its record, or the small digest beside it, says of a file."""
        if record is not None:
            found = self.place.find(record)
            outputs = record_files.read(found).get("outputs", {}) if found else {}
            if isinstance(outputs, dict) and isinstance(outputs.get(name), dict):
                return outputs[name]  # type: ignore[no-any-return]
        digest = self.place.find(str(PurePosixPath(name).with_suffix(".json")))
        if digest is not None and digest.is_file() and not name.endswith(".json"):
            content = storage.read_json(digest)
            if isinstance(content, dict) and content.get("file") == PurePosixPath(name).name:
                return content
        return {}


def _cells(path: Path, target: str, place: Place) -> list[Cell]:
    """Return the cells of a table or the claims of claims.csv; none for other files."""
    if path.suffix != ".csv":
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = set(rows[0]) if rows else set()
    if columns >= TABLE:
        return [_of_table(row) for row in rows]
    if columns >= CLAIMS:
        return list(_of_claims(rows, target, place))
    return []


def _of_table(row: Mapping[str, str]) -> Cell:
    named = row["record"]
    spread = f" ± {row['sd']}" if row.get("sd") else ""
    value = (
        f"{row['reproduced']}{spread}, n = {row.get('seeds', '?')}" if row.get("reproduced") else ""
    )
    reason = named.removeprefix(NO_RECORD) if named.startswith(NO_RECORD) else ""
    records = () if reason else tuple(sorted(named.split(";")))
    return Cell((row["row"], row["column"]), value, records, reason)


def _of_claims(rows: list[dict[str, str]], target: str, place: Place) -> Iterator[Cell]:
    """Yield the claims; the pre-trainings that each compares stand in the order of the record
    beside the file.
    """
    record = place.record_of(target)
    content = (
        record_files.read(place.results / Path(record).relative_to("results")) if record else {}
    )
    studies = content.get("order", {}).get("studies", {})
    groups = {
        name: {*claim["better"], *claim["worse"]}
        for study in studies.values()
        for name, claim in study["claims"].items()
    }
    inputs = [name for name in content.get("inputs", {}) if is_record(name)]
    trained = {name: PurePosixPath(name).parent.name.split("-")[0] for name in inputs}
    for row in rows:
        name = row["claim"]
        mine = tuple(path for path in inputs if trained[path] in groups.get(name, set()))
        value = f"{row.get('effect', '')} points, {row.get('verdict', '')}".removeprefix(
            " points, "
        )
        yield Cell((name,), value, mine, "" if mine else row.get("note", ""))


def _chosen(
    cells: list[Cell], cell: tuple[str, str] | None, claim: str | None, path: Path
) -> list[Cell]:
    """Return the one cell or claim that was asked for."""
    wanted: tuple[str, ...] = cell if cell is not None else (str(claim),)
    fitting = [found for found in cells if len(found.name) == len(wanted)]
    if not fitting:
        what = "--cell is for tables" if cell is not None else "--claim is for claims.csv"
        raise ValueError(f"{path} has nothing of the kind: {what}")
    for place, name in enumerate(wanted):
        known = list(dict.fromkeys(found.name[place] for found in fitting))
        choose(("row", "column")[place] if cell else "claim", name, known, where=str(path))
        fitting = [found for found in fitting if found.name[place] == name]
    return fitting
