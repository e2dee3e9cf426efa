"""Commands of the generator: render a dataset, import parameters, trace an image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fdsl.cli.configuration import assignments
from fdsl.cli.inspect import Dataset

PANEL = "Images"

Format = Literal["png", "arrow", "parquet", "webdataset", "csv"]

Seed = Annotated[int, typer.Option(min=0, help="Root seed: another one, other images.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change classes, instances or a setting, such as image_size_px=64; repeatable."
        " `fdsl show DATASET --settings` prints them.",
    ),
]
Official = Annotated[
    bool,
    typer.Option("--official", help="Draw as the released FractalDB, RCDB or VisualAtom program."),
]
Threads = Annotated[int, typer.Option(min=1, help="With --official: its number of processes.")]
Parameters = Annotated[
    Path | None,
    typer.Option(help="The authors' CSV folder, or a file of `fdsl import`, instead of a search."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("render", rich_help_panel=PANEL)(render)
    app.command("export", rich_help_panel=PANEL, help="Another name of `fdsl render`.")(render)
    app.command("import", rich_help_panel=PANEL)(import_parameters)
    app.command("which", rich_help_panel=PANEL)(which)


def render(
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="Folder to fill; empty, or begun by the same command.")],
    format: Annotated[
        Format,
        typer.Option(
            help="png: a file per image. webdataset: tar files. parquet, arrow: tables that"
            " `datasets.load_dataset` opens. csv: the authors' parameter files alone."
        ),
    ] = "png",
    layout: Annotated[
        str,
        typer.Option(
            help="File names: auto (the authors' own of the formula), fractaldb, exfractaldb,"
            " ofdb3d, rcdb, visualatom or plain."
        ),
    ] = "auto",
    images_per_file: Annotated[
        int | None, typer.Option(min=1, help="Images in a tar or table, or per restart with png.")
    ] = None,
    seed: Seed = 0,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Drawing processes; default: cores, 0 = this one.")
    ] = None,
    set_: Settings = None,
    parameters: Parameters = None,
    official: Official = False,
    threads: Threads = 1,
) -> None:
    """Draw all images of a dataset into a folder; the same command resumes after an interruption.

    Nothing is overwritten: an existing file that differs is an error. manifest.json appears
    when the folder is complete. The images do not depend on --workers, --format or
    --images-per-file.
    """
    from fdsl.cli.progress import track
    from fdsl.images.export.render import render as render_images

    how: dict[str, Any] = {"official": official, "threads": threads, "parameters": parameters}
    images = _load(dataset, set_, seed=seed, **how)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = (cores or 1) if workers is None else workers
    if format == "csv":
        _write_csv(images, out, max(1, count))
        return
    options: dict[str, Any] = {"images_per_file": images_per_file, "workers": count}
    manifest = render_images(images, out, format=format, layout=layout, progress=track, **options)
    typer.echo(f"{out}: {manifest['images']:,} images, content {manifest['content'][:16]}")
    for kind in ("blank", "diverged"):
        if count := manifest[f"{kind}_images"]:
            typer.echo(f"{count:,} of them {kind}, see {kind} in provenance-*.parquet")


def import_parameters(
    folder: Annotated[Path, typer.Argument(help="The authors' files, such as 00000.csv.")],
    out: Annotated[Path, typer.Option(help="Parameter file to write (.parquet).")],
    formula: Annotated[
        Literal["fractaldb", "exfractaldb", "rcdb"], typer.Option(help="Formula of the files.")
    ],
) -> None:
    """Read the authors' parameter files into one file for `fdsl render --parameters`."""
    from fdsl.images.export.imported import import_folder

    found = import_folder(folder, out, formula=formula)
    typer.echo(f"{out}: {found.classes:,} categories of {formula}")


def which(
    what: Annotated[
        str, typer.Argument(metavar="FILE-or-INDEX", help="An image file or an image's number.")
    ],
    dataset: Annotated[str | None, typer.Option(help="Dataset of a number, not rendered.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Rendered folder of a number.")] = None,
    member: Annotated[
        str | None, typer.Option(help="Row of a table or tar, or key such as 000003_000017.")
    ] = None,
    seed: Seed = 0,
    set_: Settings = None,
    parameters: Parameters = None,
    official: Official = False,
    threads: Threads = 1,
) -> None:
    """Print category, instance and parameters of an image as JSON.

    Examples: fdsl which out/00003/00003_02_count_0_flip0.png · fdsl which 1234 --folder out ·
    fdsl which 1234 --dataset fractaldb1k --seed 0
    """
    import json

    from fdsl.images.export import locate as lookup

    if not what.isdigit():
        path = Path(what)
        if not path.is_file():
            raise typer.BadParameter(f"{what} is neither a file nor a number")
        found, index = lookup.index_of_file(path, member=member)
        images = lookup.dataset_of(found)
    elif folder is not None:
        index, images = int(what), lookup.dataset_of(lookup.folder_of(folder))
    elif dataset is not None:
        how: dict[str, Any] = {"official": official, "threads": threads, "parameters": parameters}
        index, images = int(what), _load(dataset, set_, seed=seed, **how)
    else:
        raise typer.BadParameter("an index needs --folder or --dataset")
    typer.echo(json.dumps(lookup.of_index(images, index), indent=2))


def _load(name: str, changes: list[str] | None, **options: Any) -> Any:
    from fdsl.images.dataset import load

    return load(name, **options, **assignments(changes))


def _write_csv(images: Any, out: Path, workers: int) -> None:
    """Write the parameters alone."""
    from fdsl.cli.progress import track
    from fdsl.images.export import authors_csv
    from fdsl.images.parameters import stack

    authors_csv.file_name(images.formula, 0)
    found = images.search(workers=workers)
    for _ in track(found, total=images.classes, unit="categories", title=images.name):
        pass
    known = stack([images.images.parameters.of(k) for k in range(images.classes)])
    authors_csv.write_folder(out, known, formula=images.formula)
    typer.echo(f"{out}: {images.classes:,} files")
