"""Commands about cost: how fast this machine is, and what a target will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fdsl.cli.configuration import Changes, ConfigFile, read_config

PANEL = "Inspection"

RatesFile = Annotated[
    Path | None,
    typer.Option(
        help="Measured rates; default: $FDSL_RATES, else fdsl/rates.json in the data home."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("forecast", rich_help_panel=PANEL)(forecast)
    app.command("bench", rich_help_panel="Images")(bench)


def forecast(
    targets: Annotated[
        list[str], typer.Argument(help="Files of the workflow, or all, claims, page, all_curves.")
    ],
    scale: Annotated[
        str | None, typer.Option(help="laptop, workstation or paper; default: that of config.yaml.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(help="A GPU of published/gpu_rates.csv, or the measured one.")
    ] = None,
    config: ConfigFile = None,
    set_: Changes = None,
    rates: RatesFile = None,
) -> None:
    """Estimate the cost of targets from nothing: jobs, core-hours, GPU-hours, disk and memory.

    Each number carries letters: measured on this machine (m), from the shipped rates (s), from
    published ones (p), or assumed (a); each assumption is listed. Core-hours and GPU-hours are
    reserved ones. Not counted: failed attempts, queueing, temporary checkpoints, and finished jobs.
    """
    from fdsl.cli.console import PlainConsole
    from fdsl.forecast.forecast import forecast as add_up, with_images
    from fdsl.forecast.published import Published
    from fdsl.forecast.rates import load as load_rates
    from fdsl.forecast.speeds import Speeds
    from fdsl.forecast.table import to_terminal
    from fdsl.schema.yaml_files import workflow_folder

    checked = read_config(config, set_, **({"scale": scale} if scale else {}))
    measured, published = load_rates(rates), Published.read(workflow_folder() / "published")
    speeds = Speeds(measured, published, gpu)
    found = add_up(checked, targets, speeds)
    other = with_images(checked, "shards" if found.images == "stream" else "stream")
    both = (found, add_up(other, targets, speeds))
    PlainConsole().print(to_terminal(*both, targets=targets, rates=measured))


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
            help="Measure all that `fdsl forecast` needs (minutes) and write it to --rates.",
        ),
    ] = False,
    rates: RatesFile = None,
) -> None:
    """Measure this machine on one core: images/s of each formula, time per PNG, memory.

    With --save also everything else that a forecast needs, on the first GPU too if there is one.
    The machine should be idle.
    """
    if save:
        _save(datasets, seconds=seconds, seed=seed, path=rates)
        return
    if rates is not None:
        raise typer.BadParameter("--rates is the file that --save writes: give both")
    from rich.table import Table

    from fdsl.cli.console import PlainConsole
    from fdsl.cli.progress import track
    from fdsl.forecast.bench import measure_drawing
    from fdsl.schema.base import choose
    from fdsl.schema.catalogue import SyntheticDataset
    from fdsl.schema.yaml_files import catalog, workflow_folder

    entries = catalog(workflow_folder(), "synthetic", SyntheticDataset)
    first = {entry.formula: name for name, entry in reversed(entries.items())}
    names = datasets or [name for name in entries if name in first.values()]
    for name in names:
        choose("dataset", name, entries, where="fdsl bench")
    table = Table("Dataset", "px", "images/s", "ms/image", "ms/PNG", "s/category", "MB")
    for name in track(names, total=len(names), unit="datasets", title="bench"):
        row = measure_drawing(name, entries[name], seconds=seconds, seed=seed)
        times = (f"{1e3 * row.draw_s:.2f}", f"{1e3 * row.png_s:.2f}", f"{row.search_s:.4f}")
        speed, memory = f"{1 / row.draw_s:,.0f}", f"{row.memory_mb:.0f}"
        table.add_row(name, str(row.image_size_px), speed, *times, memory)
    PlainConsole().print(table)


def _save(datasets: list[str] | None, *, seconds: float, seed: int, path: Path | None) -> None:
    """Measure everything and write it, but over nothing else than a file of rates."""
    from fdsl.forecast import rates
    from fdsl.forecast.measure import measure
    from fdsl.io.storage import DamagedFile, write_json
    from fdsl.schema.base import ConfigError

    if datasets:
        raise typer.BadParameter("--save measures every dataset: give none")
    target = path or rates.default_path()
    if target.exists():
        try:
            rates.read(target)
        except (ConfigError, DamagedFile):
            remedy = "delete it, or choose another name with --rates"
            raise DamagedFile(f"{target} is in the way: it holds no rates; {remedy}") from None
    for step in measure(read_config(None, None), seconds=seconds, seed=seed):
        if isinstance(step, str):
            typer.echo(step, err=True)
        else:
            write_json(target, step.model_dump(mode="json"))
    typer.echo(f"{target}: rates of this machine")
