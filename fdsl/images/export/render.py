"""Render a whole dataset to files: restartable, the same for any number of workers."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdsl.images.dataset import Dataset
from fdsl.images.export import authors_csv, layouts, manifest as manifest_file, writers
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
class RenderJob:
    """A dataset, the folder that it is rendered to, and how."""

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
        """Name and seed, for messages."""
        return f"{self.dataset.name}, seed {self.dataset.seed}"

    def indices(self, part: int) -> range:
        """Return the images of a part."""
        start = part * self.images_per_file
        return range(start, min(start + self.images_per_file, len(self.dataset)))

    def spec(self) -> dict[str, Any]:
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
    """Render all images of a dataset to a folder, or continue an interrupted run.

    Parameters
    ----------
    format
        "png": one file each, in the authors' folders; "webdataset": tar files; "parquet" or
        "arrow": tables that `datasets.load_dataset(folder)` opens.
    layout
        Names of the images: "auto" takes the authors' own of the formula (see
        fdsl.images.export.layouts).
    images_per_file
        Images in a tar or table; with "png", images between two points of restart. The pixels do
        not depend on it.
    workers
        Processes that draw; 0 draws in this one.
    progress
        Called as progress(items, total=, unit=, title=); yields the items and shows progress.

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
    choose("format", format, list(FORMATS), where="fdsl render")
    size = writers.DEFAULT_IMAGES_PER_FILE[format] if images_per_file is None else images_per_file
    if size < 1 or workers < 0:
        raise ConfigError(
            f"fdsl render: images_per_file = {size} must be at least 1, workers = {workers} at"
            " least 0"
        )
    name = layouts.resolve(layout, dataset=dataset.name, formula=dataset.formula)
    job = RenderJob(dataset, Path(folder), format, name, size, workers, progress or _silent)
    if job.folder.exists() and not job.folder.is_dir():
        raise DamagedFile(f"{job.folder} is a file, not a folder: choose another name")
    job.folder.mkdir(parents=True, exist_ok=True)
    with locks.try_lock(job.folder) as alone:
        if not alone:
            raise DamagedFile(f"{job.folder} is being filled by another process: wait for it")
        return _render(job)


def code(dataset: Dataset) -> str:
    """Return the digest of the code that draws a dataset."""
    kind = "images.official" if "official" in dataset.origin else "formulas"
    return fingerprint(f"fdsl.{kind}.{dataset.formula}")


def _render(job: RenderJob) -> dict[str, Any]:
    manifest_file.begin(job.folder, job.spec())
    _remove_leftovers(job.folder)
    known = _parameters(job)
    checked = job.progress(
        range(job.count), total=job.count, unit="parts", title=f"{job.title}: looking for parts"
    )
    missing = [p for p in checked if not manifest_file.verify_part(job.folder, p, job.indices(p))]
    if missing:
        (job.folder / manifest_file.MANIFEST).unlink(missing_ok=True)
    workspace = job.folder / writers.WORKSPACE
    workspace.mkdir()
    try:
        _draw(job, missing, known)
    finally:
        shutil.rmtree(workspace)
    if job.layout == "rcdb" and job.format == "png":
        authors_csv.write_folder(job.folder / "param", known, formula="rcdb")
    return manifest_file.write_manifest(
        job.folder, job.spec(), parts=job.count, environment=environment()
    )


def _draw(job: RenderJob, missing: list[int], known: Parameters) -> None:
    """Draw the missing parts in one stream, so that no worker idles at the end of a part."""
    indices = (index for part in missing for index in job.indices(part))
    total = sum(len(job.indices(part)) for part in missing)
    stream = samples(job.dataset.images, indices, workers=job.workers, compression=COMPRESSION)
    drawn = iter(job.progress(stream, total=total, unit="images", title=job.title))
    named = _named(job, drawn, known)
    target = writers.Target(job.folder, job.title)
    for part in missing:
        taken = itertools.islice(named, len(job.indices(part)))
        archive = None
        if job.format == "png":
            rows = list(writers.write_pngs(target, taken))
        else:
            archive = writers.archive_name(job.format, part, job.count)
            rows = list(writers.write_archive(target, archive, taken, format=job.format))
        manifest_file.write_provenance(job.folder, part, rows, archive=archive)
    next(drawn, None)  # lets the progress and the workers end


def _named(
    job: RenderJob, drawn: Iterator[Sample], known: Parameters
) -> Iterator[tuple[Sample, str]]:
    """Yield each image with its file name."""
    layout = layouts.get(job.layout, settings=job.dataset.settings.model_dump())
    if layout.needs_vertices and "vertices" not in known.columns:
        raise ConfigError(f"layout {job.layout} needs categories with a number of vertices")
    for sample in drawn:
        vertices = int(known.of(sample.category)["vertices"][0]) if layout.needs_vertices else 0
        yield sample, layout.name(sample.category, sample.instance, vertices)


def _parameters(job: RenderJob) -> Parameters:
    """Return the parameters, searched now or by an interrupted run, which saved them regularly."""
    path, dataset = job.folder / manifest_file.PARAMETERS, job.dataset
    search = dataset.images.parameters
    beginning = job.folder / manifest_file.BEGINNING
    for held in (path, beginning):
        if held.exists():
            known, about = read_table(held)
            if about.get("origin") != dataset.origin:
                raise DamagedFile(f"{held} is of another dataset. Delete it and run again.")
            if isinstance(search, SearchedParameters):
                search.recall(known)
            if held == path:
                return known
    found = dataset.search(workers=max(1, job.workers))
    title = f"{job.title}: categories"
    for category in job.progress(found, total=dataset.classes, unit="categories", title=title):
        due = (category + 1) % CATEGORIES_BETWEEN_WRITES == 0
        if due and isinstance(search, SearchedParameters):
            _write_parameters(beginning, dataset, category + 1)
    _write_parameters(path, dataset, dataset.classes)
    beginning.unlink(missing_ok=True)
    return read_table(path)[0]


def _write_parameters(path: Path, dataset: Dataset, classes: int) -> None:
    known = stack([dataset.images.parameters.of(category) for category in range(classes)])
    about = {"formula": dataset.formula, "classes": classes, "origin": dataset.origin}
    write_table(path, known, about=about)


def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished files of a killed run."""
    shutil.rmtree(folder / writers.WORKSPACE, ignore_errors=True)
    for path in folder.glob(".*.tmp"):
        path.unlink()


def _silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items
