"""The content of a table as values and sentences, the same for Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fdsl.report.compare import BEATS, DIFFERS, FROZEN, MISSES, PAPER, STAND_IN, UNDECIDED, WITHIN
from fdsl.report.html import Picture
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Table

DASH = "–"


@dataclass(frozen=True, kw_only=True)
class TableCell:
    """Published and reproduced number of one row and column; percent and percentage points.

    `reason` says why there is no record; it is empty where there is one.
    """

    row: str
    column: str
    group: str
    published: str
    reproduced: float | None
    sd: float | None
    replicates: int
    difference: float | None
    verdict: str
    record: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One row against its base, paired by replicate; points, with a 95 % t interval."""

    row: str
    column: str
    gain: float
    sd: float | None
    pairs: int
    low: float | None
    high: float | None
    published_gain: float | None
    verdict: str

    @property
    def spread(self) -> str:
        """Mean and standard deviation of the paired differences, and the interval of the mean."""
        if self.sd is None or self.low is None or self.high is None:
            return signed(self.gain)
        return f"{signed(self.gain)} ± {self.sd:.2f} [{signed(self.low)}, {signed(self.high)}]"


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """Everything that the files of one table show.

    Attributes
    ----------
    study, reference, name, table, scale
        Title and reference of the paper, the table's name and definition, and the scale.
    bases
        Row label -> label of the row that it is compared with.
    pictures
        Row label -> sample images at the published settings; empty if the table shows none.
    cells, gains
        All cells in reading order, and the gain of each row over its base in shared replicates.
    printed_gains
        (row, column) -> gain over the row's base as the paper prints it, points.
    published_models, models, sources
        Models behind the printed numbers and ours, and where the printed ones were read.
    warnings
        Differences between the records that a reader must know.
    """

    study: str
    reference: str
    name: str
    table: Table
    scale: ReportScale
    bases: Mapping[str, str]
    pictures: Mapping[str, tuple[Picture, ...]]
    cells: tuple[TableCell, ...]
    gains: tuple[Gain, ...]
    printed_gains: Mapping[tuple[str, str], float]
    published_models: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[str, ...]
    warnings: tuple[str, ...]

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """Row labels in reading order."""
        return tuple(row.label for row in self.table.rows)

    @cached_property
    def described(self) -> dict[str, str]:
        """Row label -> what its pre-training is at this scale, where that is reduced."""
        reduced = self.scale.reduced
        return {
            row.label: reduced[row.pretraining]
            for row in self.table.rows
            if row.pretraining in reduced
        }

    @cached_property
    def footnotes(self) -> tuple[str, ...]:
        """Reasons for cells without a record, each once."""
        return tuple(dict.fromkeys(cell.reason for cell in self.cells if cell.reason))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Groups of columns; those measured at this scale come first."""
        found = {cell.group for cell in self.cells}
        return tuple(group for group in (STAND_IN, FROZEN, PAPER) if group in found)

    def columns(self, group: str) -> tuple[str, ...]:
        """Return the headings of a group."""
        return tuple(dict.fromkeys(cell.column for cell in self.cells if cell.group == group))

    def cell(self, row: str, column: str) -> TableCell:
        """Return one cell."""
        return next(cell for cell in self.cells if (cell.row, cell.column) == (row, column))

    def gain(self, row: str, column: str) -> Gain | None:
        """Return a cell's gain over the row's base, if they share a replicate."""
        return next((gain for gain in self.gains if (gain.row, gain.column) == (row, column)), None)

    def mark(self, cell: TableCell) -> int:
        """Return the number of the footnote of a cell without a record."""
        return self.footnotes.index(cell.reason) + 1

    def named(self, row: str) -> str:
        """Return a row's label and, if it is reduced at this scale, to what."""
        return f"{row} ({self.described[row]})" if row in self.described else row

    def heading(self, group: str) -> str:
        """Return the heading of a group of columns."""
        return {
            STAND_IN: f"Stand-in datasets, measured at {self.scale.title}",
            FROZEN: f"Frozen features (ours), measured at {self.scale.title}",
            PAPER: "Reproduced / published" if self.scale.comparable else "The paper's own columns",
        }[group]

    def ours(self, cell: TableCell) -> str:
        """Return mean ± standard deviation (replicates) and, if the paper prints gains, the gain in
        brackets; without a record the verdict.
        """
        if cell.reproduced is None:
            return cell.verdict
        sd = f" ± {cell.sd:.2f}" if cell.sd is not None else ""
        gain = self.gain(cell.row, cell.column) if self._bracketed else None
        bracket = f" [{signed(gain.gain)}]" if gain else ""
        return f"{cell.reproduced:.2f}{sd} ({cell.replicates}){bracket}"

    def printed(self, cell: TableCell) -> str:
        """Return the published number and gain, a dash if there is none; empty for a column that
        the paper does not have.
        """
        if cell.group != PAPER:
            return ""
        gain = self.printed_gains.get((cell.row, cell.column))
        bracket = "" if gain is None else f" [{signed(gain, decimals=1)}]"
        return f"{cell.published or DASH}{bracket}"

    def judged(self, cell: TableCell) -> str:
        """Return the verdict on a reproduced cell of the paper, otherwise an empty string."""
        if cell.reproduced is None or cell.group != PAPER:
            return ""
        off = "" if cell.difference is None else f" ({signed(cell.difference)})"
        return f"{cell.verdict}{off}"

    @property
    def _bracketed(self) -> bool:
        return any(row.gain_over for row in self.table.rows)

    @property
    def how_to_read(self) -> str:
        """The legend of the cells."""
        legend = (
            "Each cell: ours, mean ± standard deviation over replicates (their number), of the"
            " last epoch / published. One replicate has no standard deviation."
        )
        if self._bracketed:
            legend += " In square brackets: the gain over the row's base, in points."
        if self.scale.comparable:
            return (
                f"{legend} Within tolerance means at most {self.table.tolerance_points} points from"
                " the published number; the tolerance is ours."
            )
        return f"{legend} At this scale no cell is judged against the paper."

    @property
    def tally(self) -> str:
        """The number of cells with each verdict."""
        counts = Counter(cell.verdict for cell in self.cells)
        listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        return f"{len(self.cells)} cells: {listed}."

    def agreement(self) -> Iterator[str]:
        """Yield the cells that agree with the paper and those that differ, in the same form."""
        for verdict in (WITHIN, DIFFERS):
            found: dict[str, list[str]] = {}
            for cell in self.cells:
                if cell.verdict == verdict:
                    off = f"{cell.column} {signed(cell.difference or 0.0)}"
                    found.setdefault(cell.row, []).append(off)
            rows = [f"{row} ({', '.join(cells)})" for row, cells in found.items()]
            number = sum(map(len, found.values()))
            yield f"{verdict.capitalize()}, {number} cells: {'; '.join(rows) or 'none'}."

    @property
    def against(self) -> str:
        """The heading of the paired comparison."""
        bases = set(self.bases.values())
        base = bases.pop() if len(bases) == 1 else "the row's base"
        where = "" if self.scale.comparable else f" at {self.scale.title}"
        return f"Difference to {base}{where}"

    @property
    def paired_legend(self) -> str:
        """The legend of the paired comparison."""
        printed = any(gain.published_gain is not None for gain in self.gains)
        return (
            "Points gained, mean ± standard deviation [95 % t interval, of this cell alone] over"
            " replicates (their number)"
            + (" / the gain in the published numbers." if printed else ".")
        )

    @cached_property
    def gain_columns(self) -> list[str]:
        """Columns in which a row shares a replicate with its base."""
        shared = {gain.column for gain in self.gains}
        return [c for group in self.groups for c in self.columns(group) if c in shared]

    @cached_property
    def gain_rows(self) -> list[str]:
        """Rows that share a replicate with their base."""
        shared = {gain.row for gain in self.gains}
        return [row for row in self.rows if row in shared]

    def gained(self, row: str, column: str) -> str:
        """Return a gain with its spread, number of pairs, and the published one; or a dash."""
        gain = self.gain(row, column)
        if gain is None:
            return DASH
        published = gain.published_gain
        printed = "" if published is None else f" / {signed(published, decimals=1)}"
        return f"{gain.spread} ({gain.pairs}){printed}"

    def paired_lines(self) -> Iterator[str]:
        """Yield a sentence for each row: the columns on which it beats its base, misses it, or
        neither; better and worse ones in the same form.
        """
        for row in self.gain_rows:
            base = self.bases[row]
            titles = {
                BEATS: f"beats {base}",
                MISSES: f"does not help (below {base})",
                UNDECIDED: "undecided (the interval holds 0, or there is none)",
            }
            parts = []
            for verdict, title in titles.items():
                found = [
                    f"{gain.column} ({gain.spread}, n = {gain.pairs})"
                    for gain in self.gains
                    if (gain.row, gain.verdict) == (row, verdict)
                ]
                parts += [f"{title} on {', '.join(found)}"] if found else []
            yield f"{self.named(row)}: {'; '.join(parts)}."
        run = {cell.row for cell in self.cells if not cell.reason}
        compared = {*self.gain_rows, *self.bases.values()}
        alone = [row for row in self.rows if row in run - compared]
        absent = [row for row in self.rows if row not in run]
        if alone:
            yield f"No replicate in common with its base, so no comparison: {', '.join(alone)}."
        if absent:
            yield f"Not run here: {', '.join(absent)}."

    def remarks(self) -> Iterator[str]:
        """Yield the sources of the numbers and what a reader must know about them."""
        models = f"; model {', '.join(self.published_models)}" if self.published_models else ""
        yield f"Published: {self.reference}, {self.study}{models}."
        if self.models:
            yield f"Reproduced: model {', '.join(self.models)}, {self.scale.title}."
        yield from (f"Published numbers read from: {source}." for source in self.sources)
        yield from self.table.notes
        yield from self.warnings


def signed(value: float, *, decimals: int = 2) -> str:
    """Return percentage points with a sign, a true minus, and never a negative zero."""
    return f"{value:+z.{decimals}f}".replace("-", "−")
