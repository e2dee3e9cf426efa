"""What a table says, as plain values and in words; the same for Markdown, HTML and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fdsl.report.compare import BEATS, DIFFERS, FROZEN, MISSES, PAPER, STAND_IN, UNDECIDED, WITHIN
from fdsl.report.picture import Picture
from fdsl.schema.study.report_scale import ReportScale

DASH = "–"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Published beside reproduced for one row and column; percent and percentage points."""

    row: str
    column: str
    metric: str
    group: str
    published: str
    reproduced: float | None
    sd: float | None
    seeds: int
    difference: float | None
    verdict: str
    record: str
    reason: str
    """Why there is no record; empty where there is one."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One pre-training against its base on one column, paired by seed; percentage points."""

    row: str
    column: str
    group: str
    is_mean: bool
    gain: float
    sd: float | None
    pairs: int
    higher: int
    published_gain: float | None
    verdict: str


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """Everything that one table file shows."""

    study: str
    reference: str
    name: str
    title: str
    caption: str
    metric: str
    tolerance_points: float
    scale: ReportScale
    rows: tuple[str, ...]
    bases: dict[str, str]
    """Row label -> the label of the row that it is set beside."""
    described: dict[str, str]
    """Row label -> what its pre-training is at this scale."""
    pictures: dict[str, tuple[Picture, ...]]
    """Row label -> sample images at the published settings; empty where the table shows none."""
    bracketed: bool
    """Whether the gain over the row's base stands in brackets in each cell, as the paper prints it.
    """
    cells: tuple[Cell, ...]
    gains: tuple[Gain, ...]
    published_models: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[str, ...]
    printed_gains: dict[tuple[str, str], float]
    """Row and column -> the gain over the row's base as the paper prints it, points."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    footnotes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        reasons = dict.fromkeys(cell.reason for cell in self.cells if cell.reason)
        object.__setattr__(self, "footnotes", tuple(reasons))

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of columns in the order in which they are shown: what was measured at this scale
        comes first.
        """
        found = {cell.group for cell in self.cells}
        return tuple(group for group in (STAND_IN, FROZEN, PAPER) if group in found)

    def columns(self, group: str) -> tuple[str, ...]:
        """Return the headings of a group."""
        return tuple(dict.fromkeys(cell.column for cell in self.cells if cell.group == group))

    def cell(self, row: str, column: str) -> Cell:
        """Return one cell."""
        return next(cell for cell in self.cells if (cell.row, cell.column) == (row, column))

    def gain(self, row: str, column: str) -> Gain | None:
        """Return one gain over the row's base, if a seed is shared."""
        return next((gain for gain in self.gains if (gain.row, gain.column) == (row, column)), None)

    def mark(self, cell: Cell) -> str:
        """Return the number of the cell's footnote, or nothing."""
        return str(self.footnotes.index(cell.reason) + 1) if cell.reason else ""


def heading(report: TableReport, group: str) -> str:
    """Return what stands above a group of columns."""
    if group == STAND_IN:
        return f"Stand-in datasets, measured at {report.scale.title}"
    if group == FROZEN:
        return f"Frozen features (ours), measured at {report.scale.title}"
    if report.scale.comparable:
        return "Reproduced / published"
    return "The paper's own columns"


def named(report: TableReport, row: str) -> str:
    """Return a row's name, with what it is at this scale where that is something else."""
    described = report.described.get(row)
    return f"{row} ({described})" if described else row


def measured(cell: Cell) -> str:
    """Return our number: mean ± standard deviation (seeds), or what stands in its place."""
    if cell.reproduced is None:
        return cell.verdict
    spread = f" ± {cell.sd:.2f}" if cell.sd is not None else ""
    return f"{cell.reproduced:.2f}{spread} ({cell.seeds})"


def beside(cell: Cell) -> str:
    """Return the published number after a slash; nothing for a stand-in, for which none exists."""
    return f" / {cell.published or DASH}" if cell.group == PAPER else ""


def our_gain(report: TableReport, cell: Cell) -> str:
    """Return our gain over the row's base in brackets, where the table prints gains in its cells."""
    gain = report.gain(cell.row, cell.column) if report.bracketed else None
    return f" [{points(gain.gain)}]" if gain else ""


def printed_gain(report: TableReport, cell: Cell) -> str:
    """Return the gain that the paper prints in brackets behind its number, or nothing."""
    gain = report.printed_gains.get((cell.row, cell.column))
    return "" if gain is None else f" [{one_decimal(gain)}]"


def one_decimal(value: float) -> str:
    """Return a published gain with a sign, as the papers print it."""
    return _sign(f"{value:+z.1f}")


def judged(cell: Cell) -> str:
    """Return the verdict on a number that has a published one beside it; else nothing."""
    if cell.reproduced is None or cell.group != PAPER:
        return ""
    if cell.difference is None:
        return cell.verdict
    return f"{cell.verdict} ({points(cell.difference)})"


def points(value: float) -> str:
    """Return percentage points with a sign, never a negative zero."""
    return _sign(f"{value:+z.2f}")


def paired_legend(report: TableReport) -> str:
    """Return the legend of the paired comparison."""
    legend = "Points gained, mean ± standard deviation over pairs of equal seed (number of pairs)"
    printed = any(gain.published_gain is not None for gain in report.gains)
    return f"{legend} / the gain in the published numbers." if printed else f"{legend}."


def gained(gain: Gain) -> str:
    """Return a gain with its spread and number of pairs, beside the published one."""
    printed = "" if gain.published_gain is None else f" / {one_decimal(gain.published_gain)}"
    return f"{_spread(gain)} ({gain.pairs}){printed}"


def gain_columns(report: TableReport) -> list[str]:
    """Return the columns in which something can be set beside a base."""
    shared = {gain.column for gain in report.gains}
    return [
        column for group in report.groups for column in report.columns(group) if column in shared
    ]


def gain_rows(report: TableReport) -> list[str]:
    """Return the rows of which something can be set beside a base."""
    shared = {gain.row for gain in report.gains}
    return [row for row in report.rows if row in shared]


def tally(report: TableReport) -> str:
    """Return how many cells have which verdict."""
    counts: dict[str, int] = {}
    for cell in report.cells:
        counts[cell.verdict] = counts.get(cell.verdict, 0) + 1
    return (
        f"{len(report.cells)} cells: "
        + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        + "."
    )


def how_to_read(report: TableReport) -> str:
    """Return the legend of the cells."""
    legend = (
        "Each cell: ours, mean ± standard deviation over seeds (number of seeds), of the last epoch"
        " / published. One seed has no standard deviation."
    )
    if report.bracketed:
        legend += " In square brackets: the gain over the row's base, in points."
    if report.scale.comparable:
        return (
            f"{legend} Within tolerance means at most {report.tolerance_points} points from the"
            " published number; the tolerance is ours."
        )
    return f"{legend} At this scale no cell is judged against the paper."


def against(report: TableReport) -> str:
    """Return the heading of the paired comparison."""
    bases = list(dict.fromkeys(report.bases.values()))
    base = bases[0] if len(bases) == 1 else "the row's base"
    return f"Difference to {base}" + (
        "" if report.scale.comparable else f" at {report.scale.title}"
    )


def agreement(report: TableReport) -> Iterator[str]:
    """Yield what agrees with the paper and what contradicts it, in the same form; nothing where
    nothing is comparable.
    """
    if not report.scale.comparable:
        return
    for verdict in (WITHIN, DIFFERS):
        found = [cell for cell in report.cells if cell.verdict == verdict]
        rows = [
            f"{row} ({', '.join(_off(cell) for cell in found if cell.row == row)})"
            for row in report.rows
            if any(cell.row == row for cell in found)
        ]
        yield f"{verdict.capitalize()}, {len(found)} cells: {'; '.join(rows) or 'none'}."


def paired_lines(report: TableReport) -> Iterator[str]:
    """Yield one sentence for each row: on which columns it beats its base, misses it, or does
    neither.
    """
    for row in report.rows:
        gains = [gain for gain in report.gains if gain.row == row]
        if gains:
            yield f"{named(report, row)}: {'; '.join(_outcomes(report, gains))}."
    told = {gain.row for gain in report.gains} | set(report.bases.values())
    alone = [row for row in report.rows if row not in told and _was_run(report, row)]
    if alone:
        yield f"No seed in common with its base, so nothing can be said: {', '.join(alone)}."
    absent = [row for row in report.rows if not _was_run(report, row)]
    if absent:
        yield f"Not run here: {', '.join(absent)}."


def remarks(report: TableReport) -> Iterator[str]:
    """Yield where the numbers come from and what must be known about them."""
    models = f"; model {', '.join(report.published_models)}" if report.published_models else ""
    yield f"Published: {report.reference}, {report.study}{models}."
    if report.models:
        yield f"Reproduced: model {', '.join(report.models)}, {report.scale.title}."
    yield from (f"Published numbers read from: {source}." for source in report.sources)
    yield from report.notes
    yield from report.warnings


def _spread(gain: Gain) -> str:
    return points(gain.gain) + (f" ± {gain.sd:.2f}" if gain.sd is not None else "")


def _off(cell: Cell) -> str:
    return f"{cell.column} {points(cell.difference or 0.0)}"


def _outcomes(report: TableReport, gains: list[Gain]) -> Iterator[str]:
    """Yield what the columns of one row say, better ones and worse ones in the same form."""
    base = report.bases[gains[0].row]
    titles = {
        BEATS: f"beats {base} in every seed",
        MISSES: f"does not help (misses {base} in every seed)",
        UNDECIDED: "undecided (the seeds do not agree)",
    }
    for verdict, title in titles.items():
        found = [
            f"{gain.column} ({_spread(gain)}, n = {gain.pairs})"
            for gain in gains
            if gain.verdict == verdict
        ]
        if found:
            yield f"{title} on {', '.join(found)}"


def _was_run(report: TableReport, row: str) -> bool:
    return any(cell.row == row and not cell.reason for cell in report.cells)


def _sign(number: str) -> str:
    """Return a number with a minus sign in place of a hyphen."""
    return number.replace("-", "−")
