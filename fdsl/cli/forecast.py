"""Verbs about time and money: how fast this machine is, and what a target will cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

PANEL = "For people"

RatesFile = Annotated[
    Path | None,
    typer.Option(
        help=(
            "The file of measured rates; without it $FDSL_RATES, else fdsl/rates.json in"
            " $XDG_DATA_HOME or ~/.local/share."
        )
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("forecast", rich_help_panel=PANEL)(forecast)
    app.command("bench", rich_help_panel="Images")(bench)


def forecast(
    targets: Annotated[
        list[str],
        typer.Argument(
            help=(
                "Files of the workflow, such as results/tables/table3.csv, or all, claims, page,"
                " all_curves."
            )
        ),
    ],
    scale: Annotated[
        str | None,
        typer.Option(help="laptop, workstation or paper; without it that of config.yaml."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            help="A GPU of workflow/published/gpu_rates.csv, or the one that was measured."
        ),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Change a key of config.yaml, as in Snakemake; repeatable."
        ),
    ] = None,
    rates: RatesFile = None,
) -> None:
    """Say what targets cost before anything runs: jobs, core-hours, GPU-hours, disk and memory,
    from nothing.

    Each number carries letters: measured on this machine (m), from the rates that come with the
    project (s), from published ones (p), or assumed (a), and each assumption is written out.
    Core-hours and GPU-hours are those that the jobs hold, busy or not. Not counted: jobs that fail
    and begin anew, the time in a queue, checkpoints while a training runs, and what is there
    already.
    """
    from fdsl.cli.console import PlainConsole
    from fdsl.cli.inspect import assignment
    from fdsl.forecast.forecast import forecast as add_up
    from fdsl.forecast.forecast import with_images
    from fdsl.forecast.published import Published
    from fdsl.forecast.rates import load as load_rates
    from fdsl.forecast.table import to_terminal
    from fdsl.schema.yaml_files import read_yaml, workflow_folder
    from fdsl.workflow.load import load

    values = read_yaml(Path("config.yaml")) | dict(assignment(text) for text in config or [])
    checked = load(values if scale is None else values | {"scale": scale})
    known: dict[str, Any] = {
        "rates": load_rates(rates),
        "published": Published.read(workflow_folder() / "published"),
        "gpu": gpu,
    }
    found = add_up(checked, targets, **known)
    other = with_images(checked, "shards" if found.images == "stream" else "stream")
    shown = to_terminal(
        found, add_up(other, targets, **known), targets=targets, rates=known["rates"]
    )
    PlainConsole().print(shown)


def bench(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; without, the first one of each formula.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.0, help="How long each is measured.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Root seed of what is drawn.")] = 0,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help=(
                "Measure all that `fdsl forecast` needs (every dataset, augmentation, networks,"
                " starts; minutes) and keep it."
            ),
        ),
    ] = False,
    rates: RatesFile = None,
) -> None:
    """Measure on this machine, on one core: images/s of each formula, time to pack one as PNG,
    memory.

    With --save also the rates of everything else that a forecast is made from, on the first GPU too
    if there is one. The machine should be idle.
    """
    if save:
        _save(datasets, seconds=seconds, seed=seed, path=rates)
        return
    if rates is not None:
        raise typer.BadParameter("--rates is the file that --save writes: give both")
    from rich.table import Table

    from fdsl.cli.console import PlainConsole
    from fdsl.cli.progress import track
    from fdsl.forecast import bench as benchmark

    names = datasets or benchmark.one_per_formula()
    measured = benchmark.measure(names, seconds=seconds, seed=seed)
    table = Table("Dataset", "px", "images/s", "ms/image", "ms/PNG", "s/category", "MB")
    for row in track(measured, total=len(names), unit="datasets", title="bench"):
        table.add_row(
            row["dataset"],
            str(row["image_size_px"]),
            f"{row['images_per_s']:,.0f}",
            f"{row['ms_per_image']:.2f}",
            f"{row['png_ms']:.2f}",
            f"{row['search_s_per_category']:.4f}",
            f"{row['memory_mb']:.0f}",
        )
    PlainConsole().print(table)


def _save(datasets: list[str] | None, *, seconds: float, seed: int, path: Path | None) -> None:
    """Measure everything and write it; a file that is in the way and holds something else is left
    alone.
    """
    from fdsl.forecast import rates
    from fdsl.forecast.measure import measure
    from fdsl.io.storage import DamagedFile, write_json
    from fdsl.schema.base import ConfigError
    from fdsl.schema.yaml_files import read_yaml
    from fdsl.workflow.load import load

    if datasets:
        raise typer.BadParameter("--save measures every dataset: name none")
    target = path or rates.place()
    if target.exists():
        try:
            rates.read(target)
        except (ConfigError, DamagedFile):
            raise DamagedFile(
                f"{target} is in the way: it holds no rates; delete it, or choose another name with"
                " --rates"
            ) from None
    for step in measure(load(read_yaml(Path("config.yaml"))), seconds=seconds, seed=seed):
        if isinstance(step, str):
            typer.echo(step, err=True)
        else:
            write_json(target, step.model_dump(mode="json"))
    typer.echo(f"{target}: rates of this machine")
