"""A forecast for the terminal: every number with the letters of its origins, then sources."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Column, Table

from fdsl.forecast.amount import MEANINGS, Amount, Origin
from fdsl.forecast.forecast import Forecast, Line
from fdsl.forecast.rates import MachineRates, Rates

UNITS = ("B", "KB", "MB", "GB", "TB", "PB")  # of 1,000


def to_terminal(
    configured: Forecast, other: Forecast, *, targets: Sequence[str], rates: Rates
) -> RenderableType:
    """Return what `rich.console.Console.print` shows.

    Parameters
    ----------
    configured, other
        The forecast, and the one with the other way of keeping images.
    targets
        What it is of.
    rates
        What it was made from.
    """
    on = f"trainings on the {configured.gpu}" if configured.gpu else "no GPU"
    parts: list[RenderableType] = [
        f"{', '.join(targets)} at {configured.scale} scale, from nothing, {on}",
        _by_rule(configured),
        _side_by_side(configured, other),
    ]
    letters = _letters(configured) | _letters(other)
    parts += [f"{letter}  {MEANINGS[letter]}" for letter in Origin if letter in letters]
    parts += ["", *_machines(rates), *_pictures(configured)]
    if configured.words:
        parts += ["", "Assumed:"]
    parts += [f"- {text} ({', '.join(rules)})" for text, rules in configured.words.items()]
    return Group(*parts)


def hours(amount: Amount) -> str:
    """Return seconds as hours with the letters of their origins; empty for zero."""
    value = amount.value / 3600
    if not value:
        return ""
    return f"{value:,.0f} {amount.marks}" if value >= 100 else f"{value:.3g} {amount.marks}"


def size(amount: Amount) -> str:
    """Return bytes in a readable unit with the letters of their origins; empty for zero."""
    value, unit = amount.value, 0
    if not value:
        return ""
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {UNITS[unit]} {amount.marks}"


def _by_rule(forecast: Forecast) -> Table:
    table = _table("Rule", "Memory")
    for line in (*forecast.lines, forecast.total):
        if line is forecast.total:
            table.add_section()
        table.add_row(*_cells(line), size(line.memory_mb * 1e6))
    return table


def _side_by_side(configured: Forecast, other: Forecast) -> Table:
    table = _table("images:")
    for forecast, words in ((configured, "configured"), (other, "the other way")):
        table.add_row(f"{forecast.images} ({words})", *_cells(forecast.total)[1:])
    return table


def _table(first: str, *more: str) -> Table:
    """Return an empty table with the columns of `_cells` and more."""
    table = Table(Column(first, no_wrap=True), box=SIMPLE, pad_edge=False)
    for name in ("Jobs", "Core-hours", "GPU-hours", "Disk", *more):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(line: Line) -> list[str]:
    used = (hours(line.core_s), hours(line.gpu_s), size(line.disk_bytes))
    return [line.rule, f"{line.jobs:,}", *used]


def _letters(forecast: Forecast) -> set[str]:
    """Return the letters of origins in a forecast."""
    lines = (*forecast.lines, forecast.total)
    amounts = [a for x in lines for a in (x.core_s, x.gpu_s, x.disk_bytes, x.memory_mb) if a.value]
    return {letter for amount in amounts for letter in amount.marks}


def _machines(rates: Rates) -> list[str]:
    """Return where the rates were measured."""
    own = "none measured; `fdsl bench --save` does it (minutes)"
    return [
        f"This machine: {own if rates.own is None else _machine(rates.own)}.",
        f"Shipped rates: {_machine(rates.shipped)}.",
    ]


def _machine(rates: MachineRates) -> str:
    about, machine = rates.machine, rates.machine.environment
    processor = machine.get("processor", "unknown processor")
    cores = machine.get("cores", "unknown")
    versions = ", ".join(f"{key} {machine[key]}" for key in ("torch", "numba") if key in machine)
    return f"{about.date}, {processor}, {cores} cores, {versions}; {about.words}"


def _pictures(forecast: Forecast) -> list[str]:
    """Return the real images that are needed, with the size that the disk above leaves out."""
    if not forecast.pictures:
        return []
    known = {name: mb for name, mb in forecast.pictures.items() if mb}
    sizes = {name: size(Amount.of(mb * 1e6, Origin.EXACT))[:-2] for name, mb in known.items()}
    listed = ", ".join(f"{name} {text}" for name, text in sizes.items()) or "none of known size"
    others = ", ".join(name for name in forecast.pictures if name not in known)
    more = f"; size not stated: {others}" if others else ""
    return [f"Real images in addition, as archives: {listed}{more}."]
