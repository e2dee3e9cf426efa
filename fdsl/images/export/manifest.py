"""What a folder of rendered images says about itself.

order.json        written first: all that decides the images, and how they are stored
parameters.parquet  the parameters of all categories
provenance-00000.parquet  written when part 0 is whole: file, digests, category and instance of each
of its images manifest.json     written last: counts, versions, digests; where it is, the folder is
complete
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from fdsl.images.export.writers import Row
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile, atomic_write, write_json
from fdsl.schema.base import FrozenModel

FORMAT = 1
KEY = b"fdsl"
ORDER, MANIFEST = "order.json", "manifest.json"
PARAMETERS, BEGINNING = "parameters.parquet", "parameters-begun.parquet"


class _Stated(FrozenModel):
    """A part of an order.json, which may be somebody else's."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Origin(_Stated):
    dataset: str
    formula: str
    classes: int = Field(ge=1)
    instances: int = Field(ge=1)
    seed: int = Field(ge=0)
    settings: dict[str, Any]


class _Order(_Stated):
    format: Literal[1]
    origin: _Origin
    files: Literal["png", "arrow", "parquet", "webdataset"]
    layout: Literal["fractaldb", "exfractaldb", "ofdb3d", "rcdb", "visualatom", "plain"]
    images_per_file: int = Field(ge=1)
    code: str


def begin(folder: Path, order: dict[str, Any]) -> None:
    """Claim an empty folder for an order, or find that it holds the beginning of the same one.

    Raises
    ------
    DamagedFile
        If the folder holds something else; the message names it and, for another order, both
        values.
    """
    path = folder / ORDER
    if not path.exists():
        begun = set(
            folder.glob(f".{ORDER}.*.tmp")
        )  # by a run that was killed while it claimed the folder
        if foreign := sorted(p.name for p in set(folder.iterdir()) - begun):
            raise DamagedFile(
                f"{folder} is not empty and not made by fdsl render: it holds {foreign[0]}. Choose"
                " an empty folder"
            )
        write_json(path, order)
        return
    held, wanted = _flat(read_order(folder)), _flat(order)
    for key in sorted(wanted.keys() | held.keys()):
        if held.get(key) != wanted.get(key):
            raise DamagedFile(
                f"{folder} was begun with {key} = {held.get(key)!r}, not {wanted.get(key)!r}."
                f" {_ELSEWHERE}"
            )


def read_order(folder: Path) -> dict[str, Any]:
    """Return the order of a folder."""
    path = folder / ORDER
    try:
        order = json.loads(path.read_text(encoding="utf-8"))
    # without its order nobody can go on with a folder: its deletion is no remedy
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is not valid JSON ({error}). {_ELSEWHERE}") from None
    try:
        _Order.model_validate(order)
    except ValidationError:
        raise DamagedFile(
            f"{path} is not of fdsl render, or of another version of it. {_ELSEWHERE}"
        ) from None
    return dict(order)


def provenance_name(part: int) -> str:
    """Return the name of a part's provenance file."""
    return f"provenance-{part:05d}.parquet"


def write_provenance(folder: Path, part: int, rows: list[Row], *, archive: str | None) -> None:
    """Write down a whole part; `archive` is its one file, if it has one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {
        "part": part,
        "archive": archive,
        "sha256": digest(folder / archive) if archive else None,
        "content": _digest(rows),
    }
    schema = _schema().with_metadata({KEY: json.dumps(about).encode()})
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), schema, strict=True)]
    with atomic_write(folder / provenance_name(part)) as temporary:
        pq.write_table(pa.table(columns, schema=schema), temporary)


def read_provenance(folder: Path, part: int) -> tuple[list[Row], dict[str, Any]]:
    """Read what is known about a part.

    Raises
    ------
    DamagedFile
        If the file is truncated, altered or not ours.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / provenance_name(part)
    try:
        table = pq.ParquetFile(path).read()
        about = json.loads((table.schema.metadata or {})[KEY])
        values = zip(*(table[name].to_pylist() for name in Row._fields), strict=True)
        rows = [Row(*row) for row in values]
        whole = about["part"] == part and about["content"] == _digest(rows)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise DamagedFile(
            f"{path} is not a provenance file, or is damaged ({error}). {_AGAIN}"
        ) from None
    if not whole:
        raise DamagedFile(f"{path} does not hold what was written. {_AGAIN}")
    return rows, about


def verify_part(folder: Path, part: int, indices: range) -> bool:
    """Say whether a part is complete; a part that should be and is not what was written is an error
    that names the file.
    """
    if not (folder / provenance_name(part)).exists():
        return False
    rows, about = read_provenance(folder, part)
    if [row.index for row in rows] != list(indices):
        raise DamagedFile(f"{folder / provenance_name(part)} is of another part. {_AGAIN}")
    files = (
        [(about["archive"], about["sha256"])]
        if about["archive"]
        else [(row.file, row.png.hex()) for row in rows]
    )
    for name, wanted in files:
        path = folder / name
        if not path.exists():
            raise DamagedFile(
                f"{path} is missing, though part {part} was complete: delete"
                f" {provenance_name(part)} to draw it again"
            )
        if digest(path) != wanted:
            raise DamagedFile(
                f"{path} is damaged: its digest is not the one that was written down. Delete it and"
                f" {provenance_name(part)}, and run the same command again"
            )
    return True


def write_manifest(
    folder: Path, order: dict[str, Any], *, parts: int, environment: Any
) -> dict[str, Any]:
    """Sum up a folder whose parts are all complete and return what was written.

    `content` is the SHA-256 of the images' digests in order: it does not depend on format, file
    size or number of workers.
    """
    content = hashlib.sha256()
    images, blank, diverged, provenance = 0, 0, 0, []
    for part, (rows, about) in _all(folder, parts):
        content.update(b"".join(row.pixels for row in rows))
        images += len(rows)
        blank += sum(row.blank for row in rows)
        diverged += sum(row.diverged for row in rows)
        name = provenance_name(part)
        held = {"file": name, "sha256": digest(folder / name), "images": len(rows)}
        if about["archive"]:
            held |= {"archive": about["archive"], "archive_sha256": about["sha256"]}
        provenance.append(held)
    expected = order["origin"]["classes"] * order["origin"]["instances"]
    if images != expected:
        raise DamagedFile(f"{folder} holds {images} images, not {expected}. {_AGAIN}")
    manifest = {
        **order,
        "images": images,
        "blank_images": blank,
        "diverged_images": diverged,
        "content": content.hexdigest(),
        "parameters": {"file": PARAMETERS, "sha256": digest(folder / PARAMETERS)},
        "provenance": provenance,
        "environment": environment,
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


_AGAIN = "Delete it and run the same command again."
_ELSEWHERE = "Choose another folder, or delete this one"


def _flat(order: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values of nested dictionaries by their dotted names."""
    values: dict[str, Any] = {}
    for key, value in order.items():
        inner = _flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
        values |= inner
    return values


def _all(folder: Path, parts: int) -> Iterator[tuple[int, tuple[list[Row], dict[str, Any]]]]:
    for part in range(parts):
        yield part, read_provenance(folder, part)


def _digest(rows: list[Row]) -> str:
    whole = hashlib.sha256()
    for row in rows:
        whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()


def _schema() -> Any:
    import pyarrow as pa

    kinds = [
        *(pa.int64(),) * 3,
        pa.string(),
        pa.binary(),
        pa.binary(),
        pa.bool_(),
        pa.bool_(),
    ]
    return pa.schema(list(zip(Row._fields, kinds, strict=True)))
