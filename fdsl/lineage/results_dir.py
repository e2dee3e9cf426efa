"""The names that records give to files, and their paths on this disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fdsl.io import records
from fdsl.schema.yaml_files import workflow_folder

RESULTS, WORKFLOW = "results", "workflow"


@dataclass(frozen=True)
class ResultsDir:
    """A results folder under any name; in records its files are `results/…`."""

    path: Path

    @classmethod
    def around(cls, path: Path) -> ResultsDir:
        """Return the results folder of a file; ValueError if no parent is called results."""
        for folder in [path.absolute(), *path.absolute().parents]:
            if folder.name == RESULTS:
                return cls(folder)
        raise ValueError(
            f"{path} lies in no folder called {RESULTS}: give a file of the workflow, such as"
            " results/tables/table3.csv"
        )

    def find(self, name: str) -> Path | None:
        """Return the path of a file of `results` or `workflow`; None for any other name."""
        parts = PurePosixPath(name).parts
        if ".." in parts or len(parts) < 2 or parts[0] not in {RESULTS, WORKFLOW}:
            return None
        top = self.path if parts[0] == RESULTS else workflow_folder()
        return top.joinpath(*parts[1:])

    def name(self, path: Path) -> str:
        """Return how records name a file of the results folder."""
        return f"{RESULTS}/{path.absolute().relative_to(self.path.absolute()).as_posix()}"

    def record_of(self, name: str) -> str | None:
        """Return the record of a file: itself, NAME.record.json or record.json; or None."""
        if is_record(name):
            return name
        path = PurePosixPath(name)
        for candidate in [records.record_path(name).as_posix(), str(path.with_name(records.NAME))]:
            found = self.find(candidate)
            if found is not None and found.is_file():
                return candidate
        return None


def is_record(name: str) -> bool:
    """Say whether a file is a record, by its name."""
    last = PurePosixPath(name).name
    return last == records.NAME or last.endswith(f".{records.NAME}")
