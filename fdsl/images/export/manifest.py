"""The files that describe a folder of rendered images.

spec.json: written first; all that decides the images, and how they are stored.
parameters.parquet: the parameters of all categories.
provenance-00000.parquet: written when part 0 is complete; file, digests, category and instance of
each of its images.
manifest.json: written last, when the folder is complete; counts, versions, digests.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from fdsl.images.export.writers import StoredImage
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile, atomic_write, write_json
from fdsl.schema.base import FrozenModel

FORMAT = 2  # 1 had order.json
KEY = b"fdsl"
SPEC, MANIFEST = "spec.json", "manifest.json"
PARAMETERS, BEGINNING = "parameters.parquet", "parameters-begun.parquet"


class _Stated(FrozenModel):
    """A part of a spec.json, which another program may have written."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Origin(_Stated):
    dataset: str
    formula: str
    classes: int = Field(ge=1)
    instances: int = Field(ge=1)
    seed: int = Field(ge=0)
    settings: dict[str, Any]


class _Spec(_Stated):
    format: Literal[2]
    origin: _Origin
    files: Literal["png", "arrow", "parquet", "webdataset"]
    layout: Literal["fractaldb", "exfractaldb", "ofdb3d", "rcdb", "visualatom", "plain"]
    images_per_file: int = Field(ge=1)
    code: str


def begin(folder: Path, spec: dict[str, Any]) -> None:
    """Claim an empty folder for a spec, or check that its spec is the same.

    Raises
    ------
    DamagedFile
        If the folder holds something else; the message names it, or the values that differ.
    """
    path = folder / SPEC
    if not path.exists():
        killed = set(folder.glob(f".{SPEC}.*.tmp"))  # left by a run that was claiming the folder
        if foreign := sorted(p.name for p in set(folder.iterdir()) - killed):
            raise DamagedFile(
                f"{folder} is not empty and not made by fdsl render: it holds {foreign[0]}. Choose"
                " an empty folder"
            )
        write_json(path, spec)
        return
    held, wanted = _flat(read_spec(folder)), _flat(spec)
    for key in sorted(wanted.keys() | held.keys()):
        if held.get(key) != wanted.get(key):
            raise DamagedFile(
                f"{folder} was begun with {key} = {held.get(key)!r}, not {wanted.get(key)!r}."
                f" {_ELSEWHERE}"
            )


def read_spec(folder: Path) -> dict[str, Any]:
    """Return the spec of a folder."""
    path = folder / SPEC
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    # no run can continue without the spec, so deleting it is no remedy
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is not valid JSON ({error}). {_ELSEWHERE}") from None
    try:
        _Spec.model_validate(spec)
    except ValidationError:
        raise DamagedFile(
            f"{path} is not of fdsl render, or of another version. {_ELSEWHERE}"
        ) from None
    return dict(spec)


def provenance_name(part: int) -> str:
    """Return the name of a part's provenance file."""
    return f"provenance-{part:05d}.parquet"


def write_provenance(
    folder: Path, part: int, rows: list[StoredImage], *, archive: str | None
) -> None:
    """Write the provenance of a complete part; `archive` is its one file, if it has one."""
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


def read_provenance(folder: Path, part: int) -> tuple[list[StoredImage], dict[str, Any]]:
    """Read the provenance of a part.

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
        values = zip(*(table[name].to_pylist() for name in StoredImage._fields), strict=True)
        rows = [StoredImage(*row) for row in values]
        whole = about["part"] == part and about["content"] == _digest(rows)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise DamagedFile(
            f"{path} is not a provenance file or damaged ({error}). {_AGAIN}"
        ) from None
    if not whole:
        raise DamagedFile(f"{path} does not hold what was written. {_AGAIN}")
    return rows, about


def verify_part(folder: Path, part: int, indices: range) -> bool:
    """Return whether a part is complete.

    Raises
    ------
    DamagedFile
        Naming the file, if the part was complete and a file of it is missing or altered.
    """
    if not (folder / provenance_name(part)).exists():
        return False
    rows, about = read_provenance(folder, part)
    if [row.index for row in rows] != list(indices):
        raise DamagedFile(f"{folder / provenance_name(part)} is of another part. {_AGAIN}")
    archive = {about["archive"]: about["sha256"]} if about["archive"] else {}
    for name, wanted in (archive or {row.file: row.png.hex() for row in rows}).items():
        path = folder / name
        if not path.exists():
            raise DamagedFile(
                f"{path} is missing, though part {part} was complete: delete"
                f" {provenance_name(part)} to draw it again"
            )
        if digest(path) != wanted:
            raise DamagedFile(
                f"{path} is damaged: its digest differs. Delete it and {provenance_name(part)}, and"
                " run the same command again"
            )
    return True


def write_manifest(
    folder: Path, spec: dict[str, Any], *, parts: int, environment: Any
) -> dict[str, Any]:
    """Write and return the manifest of a folder whose parts are all complete.

    `content` is the SHA-256 of the images' digests by index: it does not depend on format, file
    size or number of workers.
    """
    content = hashlib.sha256()
    images, blank, diverged, provenance = 0, 0, 0, []
    for part in range(parts):
        rows, about = read_provenance(folder, part)
        content.update(b"".join(row.pixels for row in rows))
        images += len(rows)
        blank += sum(row.blank for row in rows)
        diverged += sum(row.diverged for row in rows)
        name = provenance_name(part)
        held = {"file": name, "sha256": digest(folder / name), "images": len(rows)}
        if about["archive"]:
            held |= {"archive": about["archive"], "archive_sha256": about["sha256"]}
        provenance.append(held)
    expected = spec["origin"]["classes"] * spec["origin"]["instances"]
    if images != expected:
        raise DamagedFile(f"{folder} holds {images} images, not {expected}. {_AGAIN}")
    manifest = {
        **spec,
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


def _flat(spec: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values of nested dictionaries by their dotted names."""
    values: dict[str, Any] = {}
    for key, value in spec.items():
        nested = isinstance(value, dict)
        values |= _flat(value, f"{above}{key}.") if nested else {above + key: value}
    return values


def _digest(rows: list[StoredImage]) -> str:
    whole = hashlib.sha256()
    for row in rows:
        whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()


def _schema() -> Any:
    import pyarrow as pa

    kinds = [*[pa.int64()] * 3, pa.string(), *[pa.binary()] * 2, *[pa.bool_()] * 2]
    return pa.schema(list(zip(StoredImage._fields, kinds, strict=True)))
