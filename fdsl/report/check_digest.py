"""A learning curve is read only as the record beside it states it: a changed digit would still be a
curve.
"""

from __future__ import annotations

from pathlib import Path

from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile, read_json


def check_digest(path: Path) -> None:
    """Pass if a file is the one whose digest the record in its folder states, or if no record
    speaks of it.

    Raises
    ------
    DamagedFile
        If it is another, or if the record is damaged.
    """
    record = path.with_name("record.json")
    if not record.is_file():
        return
    outputs = read_json(record).get("outputs", {})
    noted = {Path(name).name: about["sha256"] for name, about in outputs.items()}
    if path.name in noted and noted[path.name] != digest(path):
        raise DamagedFile(
            f"{path} is not the file that {record.name} beside it states; delete {path} and run the"
            " same command again"
        )
