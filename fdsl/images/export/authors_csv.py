"""Parameter files of the released programs, one CSV per category: read strictly, written alike."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from pathlib import Path

import numpy as np

from fdsl.formulas import ifs
from fdsl.formulas.rcdb import LIMITS
from fdsl.images.parameters import Parameters, Rows, stack
from fdsl.io.storage import DamagedFile, write_bytes
from fdsl.schema.base import choose

SYSTEMS = {"fractaldb": "abcdef", "exfractaldb": "abcdefghijkl"}
LARGEST_BYTES = 2**20  # a system of 256 maps takes 90 kB
DIGITS = {"fractaldb": 5, "exfractaldb": 6, "rcdb": 5}
# The released program's keys in its order -> our columns; the others describe instance 0.
RCDB_COLUMNS = {
    "Vertex": "vertices",
    "Perlin_noise": "noise",
    "line_width": "step",
    "Center_rad": "radius",
    "Line_num": "polygons",
    "Oval_rate_x": "oval_x",
    "Oval_rate_y": "oval_y",
    "start_pos_h": "centre_y",
    "start_pos_w": "centre_x",
}
RCDB_REQUIRED = ("Vertex", "Line_num", "Perlin_noise", "line_width")


def file_name(formula: str, category: int) -> str:
    """Return the name of a category's file, such as 00000.csv."""
    return f"{category:0{DIGITS[_known(formula)]}d}.csv"


def read_folder(folder: str | Path, *, formula: str) -> Parameters:
    """Read the categories 0, 1, … from a folder and its subfolders (csv0, csv1, … of threads).

    Raises
    ------
    DamagedFile
        If there is no category 0, a number is missing or repeated, or a file cannot be used; the
        message names the file.
    """
    _known(formula)
    folder = Path(folder)
    numbered: dict[int, Path] = {}
    for path in sorted(folder.rglob("*.csv")):
        if not re.fullmatch(r"\d{5,}", path.stem):
            raise DamagedFile(f"{path} is not named by a number, such as 00000.csv: remove it")
        number = int(path.stem)
        if number in numbered:
            raise DamagedFile(f"{path} and {numbered[number]} are the same category: remove one")
        numbered[number] = path
    if not numbered:
        raise DamagedFile(f"{folder} holds no CSV files such as {file_name(formula, 0)}")
    last = max(numbered)
    if lacking := last + 1 - len(numbered):
        first = next(number for number in itertools.count() if number not in numbered)
        raise DamagedFile(f"{folder} lacks {lacking} categories before {last}, first {first}")
    return stack([read_file(numbered[k], formula=formula) for k in range(len(numbered))])


def read_file(path: str | Path, *, formula: str) -> Rows:
    """Read one category.

    Raises
    ------
    DamagedFile
        If the file is empty, truncated, too large, has another number of columns, or values that
        are no parameters.
    """
    size = Path(path).stat().st_size
    if size > LARGEST_BYTES:
        raise DamagedFile(
            f"{path} has {size:,} bytes; a category takes at most {LARGEST_BYTES:,}: get it again"
        )
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFile(f"{path} is not text ({error})") from None
    if not text.strip():
        raise DamagedFile(f"{path} is empty")
    if not text.endswith("\n"):
        raise DamagedFile(f"{path} ends within a line: it is truncated; get it again")
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        return _constants(rows) if _known(formula) == "rcdb" else _system(SYSTEMS[formula], rows)
    except (ValueError, csv.Error) as error:
        raise DamagedFile(f"{path} is not a parameter file of {formula}: {error}") from None


def write_folder(folder: str | Path, parameters: Parameters, *, formula: str) -> None:
    """Write one CSV per category; DamagedFile if a different file is in the way."""
    _known(formula)
    for category in range(parameters.classes):
        path = Path(folder) / file_name(formula, category)
        content = text_of(parameters.of(category), formula=formula).encode()
        if not path.exists():
            write_bytes(path, content)
        elif path.read_bytes() != content:
            raise DamagedFile(
                f"{path} is in the way and differs from category {category}: choose another folder"
            )


def text_of(rows: Rows, *, formula: str) -> str:
    """Return the content of a category's CSV."""
    if _known(formula) != "rcdb":
        names = [*SYSTEMS[formula], "p"]
        table = np.array([rows[name] for name in names], np.float64).T
        return "".join(",".join(f"{value:.18e}" for value in line) + "\n" for line in table)
    held = [(key, column) for key, column in RCDB_COLUMNS.items() if column in rows]
    lines = [f"{key},{rows[column][0].item()}" for key, column in held]
    return "".join(line + "\r\n" for line in lines)  # as Python's csv module ends them


def _system(names: str, table: list[list[str]]) -> Rows:
    columns = len(names) + 1
    if wrong := [len(row) for row in table if len(row) != columns]:
        raise ValueError(f"a row has {wrong[0]} columns, not {columns}")
    values = np.array([[_number(cell) for cell in row] for row in table])
    system, shares = np.ascontiguousarray(values[:, :-1]), values[:, -1].copy()
    rows = ifs.columns(names, system, shares, candidate=0)
    ifs.read_system(names, rows)
    return rows


def _constants(table: list[list[str]]) -> Rows:
    if wrong := [row for row in table if len(row) != 2]:
        raise ValueError(f"a row is not key,value: {wrong[0]}")
    values = dict(table)
    if len(values) < len(table):
        raise ValueError("a key is repeated")
    if missing := sorted(set(RCDB_REQUIRED) - values.keys()):
        raise ValueError(f"the keys {missing} are missing")
    if foreign := sorted(values.keys() - RCDB_COLUMNS.keys()):
        raise ValueError(f"the keys {foreign} are unknown")
    columns: Rows = {}
    for key in RCDB_REQUIRED:
        column, number = RCDB_COLUMNS[key], _number(values[key])
        lowest, highest = LIMITS[column]
        whole = isinstance(lowest, int)
        if not lowest <= number <= highest or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{key} = {values[key]} must be {kind} from {lowest} to {highest}")
        columns[column] = np.array([number], np.int32 if whole else np.float64)
    return columns


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value


def _known(formula: str) -> str:
    return choose("formula", formula, list(DIGITS), where="the authors' CSV files")
