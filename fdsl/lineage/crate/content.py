"""The files that a crate speaks of: carried, or described alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fdsl.io.storage import DamagedFile
from fdsl.lineage.chain import Chain
from fdsl.lineage.digests import digests
from fdsl.lineage.results_dir import Place

# Of the checkout, besides everything in workflow and fdsl.
BESIDES = (
    "Snakefile",
    "config.yaml",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "constraints.txt",
    "environment.yml",
    "pyproject.toml",
)
CODE = ("fdsl", "workflow")


@dataclass(frozen=True)
class Content:
    """The files that a crate speaks of, by their names in it.

    Attributes
    ----------
    carried
        Where they lie.
    sha256, size
        Of those that are carried, and of others as far as a record tells.
    """

    carried: Mapping[str, Path]
    sha256: Mapping[str, str]
    size: Mapping[str, int]

    @classmethod
    def gather(cls, found: Chain, place: Place, checkout: Path, largest: int) -> Content:
        """Read and check everything that is to be carried."""
        told = dict(_told(found))
        results = {
            name: path
            for name in sorted({*found.files, *found.records, *told, *_forms(found.target, place)})
            if (path := place.find(name)) is not None and path.is_file()
        }
        small = {
            name: path
            for name, path in results.items()
            if name in found.records or path.stat().st_size <= largest
        }
        carried = {**dict(_checkout(checkout)), **small}
        by_path = digests(carried.values())
        sha256 = {name: by_path[path] for name, path in carried.items() if path in by_path}
        for name, path in carried.items():
            if name not in sha256:
                raise DamagedFile(f"{path} cannot be read")
            if name in told and told[name][0] != sha256[name]:
                raise DamagedFile(
                    f"{path} has sha256 {sha256[name][:12]}, its record says {told[name][0][:12]}:"
                    " nothing was written. `fdsl verify` shows what else is wrong; delete the file"
                    " and run snakemake again"
                )
        size = {name: path.stat().st_size for name, path in {**results, **carried}.items()}
        said = {name: bytes_ for name, (_, bytes_) in told.items() if bytes_ is not None}
        return cls(carried, {n: s for n, (s, _) in told.items()} | sha256, said | size)


def _told(found: Chain) -> Iterator[tuple[str, tuple[str, int | None]]]:
    """Yield digest and size of all files that the chain speaks of."""
    for file in found.files.values():
        if file.sha256 is not None:
            yield file.name, (file.sha256, file.size)
    for record in found.records.values():
        for name, about in record.get("outputs", {}).items():
            yield name, (about["sha256"], about.get("bytes"))


def _forms(target: str, place: Place) -> Iterator[str]:
    """Yield the other forms of a result, such as .md and .html of a table."""
    path = place.find(target)
    if path is not None:
        for form in sorted(path.parent.glob(f"{path.stem}.*")):
            yield place.name(form)


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
