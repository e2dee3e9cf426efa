"""Verbs of the generator: images of any synthetic dataset to files, parameters in and out, what
stands behind an image.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

PANEL = "Images"

Format = Literal["png", "arrow", "parquet", "webdataset", "csv"]

Name = Annotated[
    str, typer.Argument(help="A synthetic dataset, such as fractaldb1k; `fdsl list` shows all.")
]
Seed = Annotated[int, typer.Option(min=0, help="Root seed: another one, other images.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=(
            "Change classes, instances or one of the formula's settings, such as image_size_px=64;"
            " repeatable. `fdsl show DATASET --settings` prints them."
        ),
    ),
]
Official = Annotated[
    bool,
    typer.Option(
        "--official",
        help=(
            "Draw as the authors' released program does, from its own random numbers: FractalDB,"
            " RCDB and VisualAtom."
        ),
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        min=1, help="With --official: processes that the authors' program is started with."
    ),
]
Parameters = Annotated[
    Path | None,
    typer.Option(
        help="A folder of the authors' CSV files, or a file of `fdsl import`, instead of a search."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("render", rich_help_panel=PANEL)(render)
    app.command("export", rich_help_panel=PANEL, help="Another name of `fdsl render`.")(render)
    app.command("import", rich_help_panel=PANEL)(import_parameters)
    app.command("which", rich_help_panel=PANEL)(which)


def render(
    dataset: Name,
    out: Annotated[Path, typer.Option(help="Folder to fill; empty, or begun by the same command.")],
    format: Annotated[
        Format,
        typer.Option(
            help=(
                "png: one file per image in the authors' folders. webdataset: tar files. parquet,"
                " arrow: tables that "
                "`datasets.load_dataset` opens. csv: the parameters alone, as the authors' programs"
                " write them."
            )
        ),
    ] = "png",
    layout: Annotated[
        str,
        typer.Option(
            help=(
                "Names of the images: auto (the authors' own of the formula), fractaldb,"
                " exfractaldb, ofdb3d, rcdb, "
                "visualatom or plain."
            )
        ),
    ] = "auto",
    images_per_file: Annotated[
        int | None,
        typer.Option(
            min=1, help="Images in a tar or table; with png, between two points of restart."
        ),
    ] = None,
    seed: Seed = 0,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that draw; all cores if not given, 0 = in this one."),
    ] = None,
    set_: Settings = None,
    parameters: Parameters = None,
    official: Official = False,
    threads: Threads = 1,
) -> None:
    """Draw all images of a dataset into a folder; the same command goes on after an interruption.

    Nothing is overwritten: a file that is in the way and differs is an error. manifest.json appears
    when the folder is complete. The images do not depend on --workers, --format or
    --images-per-file.
    """
    from fdsl.cli.progress import track
    from fdsl.images.export.render import render as render_images

    images = _load(dataset, seed, set_, parameters, official, threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = (cores or 1) if workers is None else workers
    if format == "csv":
        _write_csv(images, out, max(1, count))
        return
    manifest = render_images(
        images,
        out,
        format=format,
        layout=layout,
        images_per_file=images_per_file,
        workers=count,
        progress=track,
    )
    typer.echo(f"{out}: {manifest['images']:,} images, content {manifest['content'][:16]}")
    for kind in ("blank", "diverged"):
        if count := manifest[f"{kind}_images"]:
            typer.echo(
                f"{count:,} of them {kind}; the column {kind} of provenance-*.parquet says which"
            )


def import_parameters(
    folder: Annotated[
        Path,
        typer.Argument(help="The authors' CSV files, such as csv_rate0.2_category1000/00000.csv."),
    ],
    out: Annotated[Path, typer.Option(help="Parameter file to write (.parquet).")],
    formula: Annotated[
        Literal["fractaldb", "exfractaldb", "rcdb"], typer.Option(help="What the files are of.")
    ],
) -> None:
    """Read the authors' parameter files into one file for `fdsl render --parameters`."""
    from fdsl.images.export.imported import import_folder

    found = import_folder(folder, out, formula=formula)
    typer.echo(f"{out}: {found.classes:,} categories of {formula}")


def which(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE-or-INDEX", help="An image file, or the number of an image."),
    ],
    dataset: Annotated[
        str | None, typer.Option(help="The dataset of an index that was never rendered.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="The rendered folder of an index.")] = None,
    member: Annotated[
        str | None,
        typer.Option(help="Row of a table or tar, or key of a tar such as 000003_000017."),
    ] = None,
    seed: Seed = 0,
    set_: Settings = None,
    parameters: Parameters = None,
    official: Official = False,
    threads: Threads = 1,
) -> None:
    """Say which category, instance and parameters stand behind an image, as JSON.

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
        index, images = int(what), _load(dataset, seed, set_, parameters, official, threads)
    else:
        raise typer.BadParameter("an index needs --folder or --dataset")
    typer.echo(json.dumps(lookup.of_index(images, index), indent=2))


def _load(
    name: str,
    seed: int,
    changes: list[str] | None,
    parameters: Path | None,
    official: bool,
    threads: int,
) -> Any:
    from fdsl.cli.inspect import assignment
    from fdsl.images.dataset import load

    overrides = dict(assignment(text) for text in changes or [])
    return load(
        name, seed=seed, official=official, threads=threads, parameters=parameters, **overrides
    )


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
