"""Commands to inspect datasets, networks, recipes, downstream data and results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fdsl.cli.configuration import assignments, read_config

PANEL = "Inspection"

Dataset = Annotated[
    str, typer.Argument(help="A synthetic dataset, such as fractaldb1k; `fdsl list` shows all.")
]
Name = Annotated[
    str, typer.Argument(help="A downstream dataset, such as cifar10; `fdsl list` shows all.")
]
DataRoot = Annotated[Path, typer.Option(help="Folder with the downstream datasets.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("list", rich_help_panel=PANEL)(list_all)
    commands: list[Callable[..., None]] = [show, recipe, deviations, show_table, schemas]
    for command in commands:
        app.command(rich_help_panel=PANEL)(command)
    data = typer.Typer(help="Check and fetch downstream datasets.", no_args_is_help=True)
    data.command("check")(check_data)
    data.command("fetch")(fetch_data)
    app.add_typer(data, name="data", rich_help_panel=PANEL)


def list_all() -> None:
    """List synthetic datasets, downstream datasets, networks and recipes."""
    from rich.table import Column, Table

    from fdsl.cli.console import PlainConsole
    from fdsl.schema.catalogue import DownstreamDataset, ModelEntry, SyntheticDataset
    from fdsl.schema.recipe_files import recipes
    from fdsl.schema.yaml_files import catalog, workflow_folder

    folder = workflow_folder()
    name_column = Column("Synthetic dataset", no_wrap=True, min_width=20)
    synthetic = Table(name_column, "Formula", "Classes", "Instances", "Settings")
    for name, entry in catalog(folder, "synthetic", SyntheticDataset).items():
        settings = ", ".join(f"{key}={value}" for key, value in entry.settings.items())
        sizes = (f"{entry.classes:,}", f"{entry.instances:,}")
        synthetic.add_row(name, entry.formula, *sizes, settings)
    downstream = Table("Downstream dataset", "Title", "Classes", "Fetched by fdsl")
    for name, real in catalog(folder, "downstream", DownstreamDataset).items():
        fetched = "yes" if real.fetchable else "bring your own copy"
        downstream.add_row(name, real.title, str(real.classes), fetched)
    models = Table("Network", "Title", "timm")
    for name, model in catalog(folder, "models", ModelEntry).items():
        models.add_row(name, model.title, model.timm)
    console = PlainConsole()
    for part in [synthetic, downstream, models, f"Recipes: {', '.join(recipes(folder))}"]:
        console.print(part)


def show(
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("grid.png"),
    categories: Annotated[int, typer.Option(min=1, max=50, help="Rows of the grid.")] = 8,
    instances: Annotated[int, typer.Option(min=1, max=50, help="Columns of the grid.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Root seed of the dataset.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a formula setting; repeatable."),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Draw what this scale trains on; default: as published.")
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print the settings and draw nothing.")
    ] = False,
) -> None:
    """Draw a grid of a dataset's images: a category in each row, an instance in each column."""
    import yaml

    from fdsl.images.parameters import formula_settings
    from fdsl.images.streamed import preview
    from fdsl.io.storage import DamagedFile, atomic_write
    from fdsl.report.grid import image_grid

    entry = _entry("synthetic", dataset, where="fdsl")
    if scale is not None:
        entry = read_config(None, None, scale=scale).dataset(scale, dataset)
    changed = {"settings": entry.settings | assignments(set_), "instances": instances}
    entry = entry.model_copy(update={**changed, "classes": max(2, categories)})
    checked = formula_settings(entry)
    if settings:
        typer.echo(yaml.safe_dump(checked.model_dump(mode="json"), sort_keys=False).strip())
        return
    if out.exists():
        raise DamagedFile(f"{out} is in the way: delete it, or choose another name with --out")
    grid = image_grid(
        preview(entry, seed=seed)[:categories],
        title=f"{entry.title}, seed {seed}" + (f", {scale} scale" if scale else ""),
        rows=[f"category {k}" for k in range(categories)],
        columns=[f"instance {entry.drawn_instance(k)}" for k in range(instances)],
    )
    with atomic_write(out) as temporary:
        grid.save(temporary, format="PNG")
    typer.echo(f"{out}: {grid.width} × {grid.height} px")


def recipe(
    name: Annotated[str | None, typer.Argument(help="A recipe; none lists them.")] = None,
) -> None:
    """Print a recipe's values, each with its source and the file that states it."""
    from rich.table import Column, Table

    from fdsl.cli.console import PlainConsole
    from fdsl.schema.base import choose
    from fdsl.schema.detection import FOLDER, DetectionRecipe
    from fdsl.schema.recipe_files import flat, recipes
    from fdsl.schema.yaml_files import workflow_folder

    folder = workflow_folder()
    known = recipes(folder) | recipes(folder, DetectionRecipe, below=FOLDER)
    if name is None:
        typer.echo("\n".join(known))
        return
    choose("recipe", name, list(known), where="fdsl recipe")
    values = flat(known[name])
    source = Column("Source", no_wrap=True)
    where = Column("Where it is stated", overflow="fold")
    table = Table("Key", "Value", source, where, title=name)
    if inherits := any(stated.recipe != name for stated in values.values()):
        table.add_column("Recipe file", overflow="fold")
    for key, stated in values.items():
        file = [f"{stated.recipe}.yaml"] if inherits else []
        table.add_row(key, str(stated.value), stated.source, stated.where, *file)
    PlainConsole().print(table)


def deviations(
    into: Annotated[
        Path | None, typer.Option(help="Write it into this Markdown file, between its two marks.")
    ] = None,
) -> None:
    """Print where paper, released code and this repository differ, as a Markdown table."""
    from fdsl.report.deviations import put_into, read_deviations, to_markdown
    from fdsl.schema.yaml_files import workflow_folder

    table = to_markdown(read_deviations(workflow_folder() / "published" / "deviations.csv"))
    if into is None:
        typer.echo(table, nl=False)
    else:
        put_into(into, table)


def show_table(
    csv: Annotated[Path, typer.Argument(help="A table, such as results/tables/table3.csv.")],
) -> None:
    """Print a finished table as Markdown: ours beside the published numbers."""
    from rich.console import Console
    from rich.markdown import Markdown

    from fdsl.io.escaping import printable
    from fdsl.io.records import check_digest

    path = csv.with_suffix(".md")
    for file in (csv, path):
        check_digest(file)
    text = printable(path.read_text(encoding="utf-8"))
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text, hyperlinks=False))
    else:
        typer.echo(text, nl=False)


def schemas(folder: Annotated[Path, typer.Argument(help="Where the JSON schemas go.")]) -> None:
    """Write JSON schemas of all YAML files, with which editors check them."""
    from fdsl.io.storage import write_json
    from fdsl.workflow.load import schemas as all_schemas

    for name, schema in all_schemas().items():
        write_json(folder / f"{name}.json", schema)


def check_data(name: Name, data_root: DataRoot = Path("data")) -> None:
    """Look for a downstream dataset, read it, count and digest it."""
    import json

    from fdsl.datasets import downstream

    entry = _entry("downstream", name, where="fdsl data")
    downstream.require({name: entry}, data_root)
    typer.echo(json.dumps(downstream.check(entry, data_root), indent=2))


def fetch_data(name: Name, data_root: DataRoot = Path("data")) -> None:
    """Fetch a downstream dataset if licence and host allow it; else say how to get it."""
    from fdsl.datasets.fetch import fetch

    found = fetch(_entry("downstream", name, where="fdsl data"), data_root)
    typer.echo(f"{name} is in {found.where}")


def _entry(kind: Literal["synthetic", "downstream"], name: str, *, where: str) -> Any:
    """Return a dataset of a catalogue."""
    from fdsl.schema.base import choose
    from fdsl.schema.catalogue import DownstreamDataset, SyntheticDataset
    from fdsl.schema.yaml_files import catalog, workflow_folder

    model = SyntheticDataset if kind == "synthetic" else DownstreamDataset
    entries = catalog(workflow_folder(), kind, model)
    return entries[choose("dataset", name, entries, where=where)]
