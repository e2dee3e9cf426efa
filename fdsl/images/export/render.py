"""A whole dataset to files: exactly classes × instances images, restartable, the same for any
number of workers.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdsl.images.dataset import Dataset
from fdsl.images.export import authors_csv, layouts, writers
from fdsl.images.export import manifest as manifest_file
from fdsl.images.export.render_pool import Sample, samples
from fdsl.images.parameters import Parameters, read_table, stack, write_table
from fdsl.images.streamed import SearchedParameters
from fdsl.io import locks
from fdsl.io.storage import DamagedFile
from fdsl.provenance import environment, fingerprint
from fdsl.schema.base import ConfigError, choose

FORMATS = tuple(writers.DEFAULT_IMAGES_PER_FILE)
CATEGORIES_BETWEEN_WRITES = 256  # of a search that may be interrupted
COMPRESSION = 1  # more costs more time than the drawing, for a tenth of the size

Progress = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Plan:
    """What is stored where."""

    dataset: Dataset
    folder: Path
    format: str
    layout: str
    images_per_file: int
    workers: int
    progress: Progress

    @property
    def count(self) -> int:
        """Number of parts."""
        return -(-len(self.dataset) // self.images_per_file)

    @property
    def title(self) -> str:
        return f"{self.dataset.name}, seed {self.dataset.seed}"

    def indices(self, part: int) -> range:
        """Return the images of a part."""
        start = part * self.images_per_file
        return range(start, min(start + self.images_per_file, len(self.dataset)))

    def order(self) -> dict[str, Any]:
        """Return what decides the content of the folder; the number of workers does not."""
        return {
            "format": manifest_file.FORMAT,
            "origin": self.dataset.origin,
            "files": self.format,
            "layout": self.layout,
            "images_per_file": self.images_per_file,
            "code": code(self.dataset),
        }


def render(
    dataset: Dataset,
    folder: str | Path,
    *,
    format: str = "png",
    layout: str = "auto",
    images_per_file: int | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Draw all images of a dataset into a folder, or go on where an interrupted run stopped.

    Parameters
    ----------
    format
        "png": one file each, in the authors' folders; "webdataset": tar files; "parquet" or
        "arrow": tables that `datasets.load_dataset(folder)` opens.
    layout
        Names of the images: "auto" takes the authors' own of the formula (see
        fdsl.images.export.layouts).
    images_per_file
        Images in a tar or table; with "png", images after which an interrupted run can go on. The
        pixels do not depend on it.
    workers
        Processes that draw; 0 draws in this one.
    progress
        Called as progress(items, total=, unit=, title=), yields the items and shows how far they
        are.

    Returns
    -------
    dict
        The manifest that was written.

    Raises
    ------
    ConfigError
        If an argument is not possible.
    DamagedFile
        If something foreign, different or damaged is in the way; the message names it.
    """
    plan = _plan(dataset, folder, format, layout, images_per_file, workers, progress)
    if plan.folder.exists() and not plan.folder.is_dir():
        raise DamagedFile(f"{plan.folder} is a file, not a folder: choose another name")
    plan.folder.mkdir(parents=True, exist_ok=True)
    with locks.try_lock(plan.folder) as alone:
        if not alone:
            raise DamagedFile(f"{plan.folder} is being filled by another process: wait for it")
        return _render(plan)


def code(dataset: Dataset) -> str:
    """Return the digest of the code that draws a dataset."""
    kind = "images.official" if "official" in dataset.origin else "formulas"
    return fingerprint(f"fdsl.{kind}.{dataset.formula}")


def _plan(
    dataset: Dataset,
    folder: str | Path,
    format: str,
    layout: str,
    images_per_file: int | None,
    workers: int,
    progress: Progress | None,
) -> Plan:
    choose("format", format, list(FORMATS), where="fdsl render")
    size = writers.DEFAULT_IMAGES_PER_FILE[format] if images_per_file is None else images_per_file
    if size < 1 or workers < 0:
        raise ConfigError(
            f"fdsl render: images_per_file = {size} must be at least 1, workers = {workers} at"
            " least 0"
        )
    name = layouts.resolve(layout, dataset=dataset.name, formula=dataset.formula)
    return Plan(dataset, Path(folder), format, name, size, workers, progress or _silent)


def _render(plan: Plan) -> dict[str, Any]:
    manifest_file.begin(plan.folder, plan.order())
    _remove_leftovers(plan.folder)
    known = _parameters(plan)
    checked = plan.progress(
        range(plan.count), total=plan.count, unit="parts", title=f"{plan.title}: looking for parts"
    )
    missing = [p for p in checked if not manifest_file.verify_part(plan.folder, p, plan.indices(p))]
    if missing:
        (plan.folder / manifest_file.MANIFEST).unlink(missing_ok=True)
    workspace = plan.folder / writers.WORKSPACE
    workspace.mkdir()
    try:
        _draw(plan, missing, known)
    finally:
        shutil.rmtree(workspace)
    if plan.layout == "rcdb" and plan.format == "png":
        authors_csv.write_folder(plan.folder / "param", known, formula="rcdb")
    return manifest_file.write_manifest(
        plan.folder, plan.order(), parts=plan.count, environment=environment()
    )


def _draw(plan: Plan, missing: list[int], known: Parameters) -> None:
    """Draw the missing parts in one stream, so that no worker waits at the end of a part."""
    indices = (index for part in missing for index in plan.indices(part))
    total = sum(len(plan.indices(part)) for part in missing)
    stream = samples(plan.dataset.images, indices, workers=plan.workers, compression=COMPRESSION)
    drawn = iter(plan.progress(stream, total=total, unit="images", title=plan.title))
    named = _named(plan, drawn, known)
    target = writers.Target(plan.folder, plan.title)
    for part in missing:
        taken = itertools.islice(named, len(plan.indices(part)))
        archive = None
        if plan.format == "png":
            rows = list(writers.write_pngs(target, taken))
        else:
            archive = writers.archive_name(plan.format, part, plan.count)
            rows = list(writers.write_archive(target, archive, taken, format=plan.format))
        manifest_file.write_provenance(plan.folder, part, rows, archive=archive)
    next(drawn, None)  # lets the progress and the workers end


def _named(plan: Plan, drawn: Iterator[Sample], known: Parameters) -> Iterator[tuple[Sample, str]]:
    """Put its file name beside every image."""
    layout = layouts.get(plan.layout, settings=plan.dataset.settings.model_dump())
    if layout.needs_vertices and "vertices" not in known.columns:
        raise ConfigError(f"layout {plan.layout} needs categories with a number of vertices")
    for sample in drawn:
        vertices = int(known.of(sample.category)["vertices"][0]) if layout.needs_vertices else 0
        yield sample, layout.name(sample.category, sample.instance, vertices)


def _parameters(plan: Plan) -> Parameters:
    """Return the parameters, found now or by an interrupted run; they are kept in the folder, and
    every so often on the way.
    """
    path, dataset = plan.folder / manifest_file.PARAMETERS, plan.dataset
    searched = isinstance(dataset.images.parameters, SearchedParameters)
    beginning = plan.folder / manifest_file.BEGINNING
    for held in (path, beginning):
        if held.exists():
            known, about = read_table(held)
            if about.get("origin") != dataset.origin:
                raise DamagedFile(
                    f"{held} is of another dataset. Delete it and run the same command again."
                )
            if searched:
                dataset.images.parameters.recall(known)
            if held == path:
                return known
    found = dataset.search(workers=max(1, plan.workers))
    title = f"{plan.title}: categories"
    for category in plan.progress(found, total=dataset.classes, unit="categories", title=title):
        if searched and (category + 1) % CATEGORIES_BETWEEN_WRITES == 0:
            _write_parameters(beginning, dataset, category + 1)
    _write_parameters(path, dataset, dataset.classes)
    beginning.unlink(missing_ok=True)
    return read_table(path)[0]


def _write_parameters(path: Path, dataset: Dataset, classes: int) -> None:
    known = stack([dataset.images.parameters.of(category) for category in range(classes)])
    about = {"formula": dataset.formula, "classes": classes, "origin": dataset.origin}
    write_table(path, known, about=about)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run had not finished, from a folder that is known to be ours."""
    shutil.rmtree(folder / writers.WORKSPACE, ignore_errors=True)
    for path in folder.glob(".*.tmp"):
        path.unlink()


def _silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items
