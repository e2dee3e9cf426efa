"""The files of a crate: included, or only described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fdsl.io.storage import DamagedFile
from fdsl.lineage.chain import Chain
from fdsl.lineage.digests import digests
from fdsl.lineage.results_dir import ResultsDir

# Of the checkout, in addition to workflow and fdsl.
METADATA = ("README.md", "LICENSE", "CITATION.cff", "pyproject.toml")
BESIDES = ("Snakefile", "config.yaml", "constraints.txt", "environment.yml", *METADATA)
CODE = ("fdsl", "workflow")


@dataclass(frozen=True)
class Content:
    """The files of a crate, by their names in it.

    Attributes
    ----------
    carried
        Paths of the included files.
    sha256, size
        Of the included files, and of others as recorded.
    """

    carried: Mapping[str, Path]
    sha256: Mapping[str, str]
    size: Mapping[str, int]

    @classmethod
    def gather(cls, found: Chain, results: ResultsDir, checkout: Path, largest: int) -> Content:
        """Read and check everything that is to be included.

        Raises
        ------
        DamagedFile
            If a file cannot be read or differs from its record.
        """
        recorded = dict(_recorded(found))
        names = {*found.files, *found.records, *recorded, *_forms(found.target, results)}
        paths = {name: results.find(name) for name in sorted(names)}
        there = {name: path for name, path in paths.items() if path is not None and path.is_file()}
        sizes = {name: path.stat().st_size for name, path in there.items()}
        carried = dict(_checkout(checkout))
        carried |= {n: p for n, p in there.items() if n in found.records or sizes[n] <= largest}
        by_path = digests(carried.values())
        sha256 = {name: by_path[path] for name, path in carried.items() if path in by_path}
        for name, path in carried.items():
            if name not in sha256:
                raise DamagedFile(f"{path} cannot be read")
            if name in recorded and recorded[name][0] != sha256[name]:
                now, then = sha256[name][:12], recorded[name][0][:12]
                raise DamagedFile(
                    f"{path} has sha256 {now}, its record says {then}: nothing was written. `fdsl"
                    " verify` shows what else is wrong; delete the file and run snakemake again"
                )
        size = {name: bytes_ for name, (_, bytes_) in recorded.items() if bytes_ is not None}
        size |= sizes | {name: path.stat().st_size for name, path in carried.items()}
        return cls(carried, {n: digest for n, (digest, _) in recorded.items()} | sha256, size)


def _recorded(found: Chain) -> Iterator[tuple[str, tuple[str, int | None]]]:
    """Yield recorded digest and size of all files of a chain."""
    for file in found.files.values():
        if file.sha256 is not None:
            yield file.name, (file.sha256, file.size)
    for record in found.records.values():
        for name, about in record.get("outputs", {}).items():
            yield name, (about["sha256"], about.get("bytes"))


def _forms(target: str, results: ResultsDir) -> Iterator[str]:
    """Yield the other forms of a result, such as .md and .html of a table."""
    path = results.find(target)
    if path is not None:
        for form in sorted(path.parent.glob(f"{path.stem}.*")):
            yield results.name(form)


def _checkout(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the workflow and its code."""
    for name in BESIDES:
        if (folder / name).is_file():
            yield name, folder / name
    for top in CODE:
        for path in sorted((folder / top).rglob("*")):
            inside = path.relative_to(folder)
            hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            if path.is_file() and not hidden:
                yield inside.as_posix(), path
