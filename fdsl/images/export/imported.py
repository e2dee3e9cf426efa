"""Import parameters: read the authors' CSV files, or the one file `fdsl import` makes of them."""

from __future__ import annotations

from pathlib import Path

from fdsl.images.export import authors_csv
from fdsl.images.parameters import Parameters, read_table, write_table
from fdsl.io.storage import DamagedFile


def import_folder(folder: str | Path, out: str | Path, *, formula: str) -> Parameters:
    """Read a folder of CSV files into one parameter file; a file that is in the way is an error."""
    if Path(out).exists():
        raise DamagedFile(f"{out} is in the way: delete it, or choose another name")
    parameters = authors_csv.read_folder(folder, formula=formula)
    about = {"formula": formula, "classes": parameters.classes, "imported": Path(folder).name}
    write_table(out, parameters, about=about)
    return parameters


def read_parameters(path: str | Path, *, formula: str) -> Parameters:
    """Read a folder of CSV files or a parameter file, for a formula.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    DamagedFile
        If the parameters are damaged or another formula's.
    """
    path = Path(path)
    if path.is_dir():
        return authors_csv.read_folder(path, formula=formula)
    if not path.exists():
        raise FileNotFoundError(f"{path}: give a folder of CSV files or a file of `fdsl import`")
    parameters, about = read_table(path)
    if about.get("formula") != formula:
        raise DamagedFile(f"{path} holds parameters of {about.get('formula')}, not of {formula}")
    return parameters
