"""Where paper, released code and this repository differ: one CSV file, and the table of it in the
README.
"""

from __future__ import annotations

import csv
from pathlib import Path

from fdsl.io.escaping import escape_markdown
from fdsl.io.storage import DamagedFile, atomic_write

COLUMNS = ("topic", "paper", "released_code", "ours", "reason", "source")
SHOWN = {
    "topic": "topic",
    "paper": "paper",
    "released_code": "released code",
    "ours": "here",
    "reason": "reason",
}
BEGIN = "<!-- deviations: made by `fdsl deviations --into README.md` -->"
END = "<!-- end of deviations -->"


def read_deviations(path: Path) -> list[dict[str, str]]:
    """Read the differences, one mapping of `COLUMNS` to text each.

    Raises
    ------
    DamagedFile
        If columns are not `COLUMNS`, a line has more or fewer cells, a cell is empty, or a topic
        stands twice.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if tuple(header) != COLUMNS:
        raise DamagedFile(
            f"{path} must have the columns {', '.join(COLUMNS)}; it has {', '.join(header)}"
        )
    topics: set[str] = set()
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(COLUMNS) or not all(cell.strip() for cell in cells):
            raise DamagedFile(
                f"{path}: row {number} ({cells[:1]}) must have {len(COLUMNS)} cells, none empty;"
                " write `not stated in what is public` or `none` where there is nothing"
            )
        if cells[0] in topics:
            raise DamagedFile(f"{path}: the topic {cells[0]!r} stands twice; keep one row")
        topics.add(cells[0])
    return [dict(zip(COLUMNS, cells, strict=True)) for cells in lines]


def to_markdown(deviations: list[dict[str, str]]) -> str:
    """Return the differences as a GitHub-flavoured table, without their sources."""
    lines = [SHOWN.values(), ["---"] * len(SHOWN)]
    lines += [[escape_markdown(row[column]) for column in SHOWN] for row in deviations]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def put_into(path: Path, table: str) -> None:
    """Replace what stands in a file between the lines `BEGIN` and `END`.

    Raises
    ------
    DamagedFile
        If the file does not hold each of these lines once, in this order.
    """
    text = path.read_text(encoding="utf-8")
    marks = [line for line in text.splitlines() if line in (BEGIN, END)]
    if marks != [BEGIN, END]:
        raise DamagedFile(f"{path} must hold the lines {BEGIN} and {END} once, in this order")
    before, rest = text.split(f"{BEGIN}\n")
    _, after = rest.split(f"{END}\n")
    with atomic_write(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{table}{END}\n{after}", encoding="utf-8")
