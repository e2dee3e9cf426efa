"""The files of a results folder, with everything that records say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from fdsl.io import checksums, records as record_files, storage
from fdsl.io.storage import DamagedFile
from fdsl.lineage.chain import mapping
from fdsl.lineage.digests import digests
from fdsl.lineage.results_dir import ResultsDir, is_record

KEPT = {".gitkeep"}


@dataclass(frozen=True)
class Statement:
    """What a record, or the small digest beside a file, says of the file."""

    path: str
    sha256: str
    size: int | None
    by: str


@dataclass
class Folder:
    """The content of a results folder, read once."""

    results: ResultsDir
    threads: int | None
    names: list[str] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def read(self) -> None:
        """Read names, records and small digests; faults go into `unreadable`."""
        files = (path for path in self.results.path.rglob("*") if path.is_file())
        self.names = sorted(self.results.name(path) for path in files if path.name not in KEPT)
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
            for output, about in mapping(record.get("outputs")).items():
                self._state(output, mapping(about), by=name)
            return
        content = storage.read_json(path)
        if isinstance(content, dict) and {"file", "sha256"} <= content.keys():
            beside = str(PurePosixPath(name).with_name(PurePosixPath(str(content["file"])).name))
            self._state(beside, content, by=name)

    def _state(self, path: str, about: Mapping[str, Any], *, by: str) -> None:
        if self.results.find(path) is None:
            raise DamagedFile(f"{by} names {path!r}, which is no file below the results folder")
        size = about.get("bytes") if isinstance(about.get("bytes"), int) else None
        self.statements.append(Statement(path, str(about.get("sha256")), size, by))

    def disk(self, name: str) -> Path:
        """Return the path of a name that is known to be in the folder."""
        found = self.results.find(name)
        assert found is not None, name
        return found

    @cached_property
    def stated(self) -> set[str]:
        """The files with a recorded digest."""
        return {statement.path for statement in self.statements}

    def has_digest(self, name: str) -> bool:
        """Return whether a digest of a file, or of a folder above it, is recorded."""
        return not self.stated.isdisjoint({name, *map(str, PurePosixPath(name).parents)})

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of every file that a record names, by name; of folders as a whole."""
        inputs = {
            name for record in self.records.values() for name in mapping(record.get("inputs"))
        }
        names = sorted(self.stated | inputs)
        paths = {name: path for name in names if (path := self.results.find(name))}
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
