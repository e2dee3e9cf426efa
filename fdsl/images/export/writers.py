"""Write one part of a rendered dataset: many PNG files, or one tar, Parquet or Arrow file."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fdsl.images.export.render_pool import Sample
from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile, sync

ROWS_PER_GROUP = 256
WORKSPACE = ".partial"
DEFAULT_IMAGES_PER_FILE = {"png": 1000, "webdataset": 5000, "parquet": 5000, "arrow": 5000}
_INTEGER = {"_type": "Value", "dtype": "int64"}
FEATURES = {
    "image": {"_type": "Image"},
    **dict.fromkeys(("label", "category", "instance"), _INTEGER),
    "sha256": {"_type": "Value", "dtype": "binary"},
}


class StoredImage(NamedTuple):
    """The provenance of one image that was written."""

    index: int  # type: ignore[assignment]  # shadows tuple.index
    category: int
    instance: int
    file: str
    png: bytes  # SHA-256 of the PNG
    pixels: bytes  # SHA-256 of shape and pixels
    blank: bool
    diverged: bool


class Target(NamedTuple):
    """The folder to write to, and the dataset's title for messages."""

    folder: Path
    title: str


def archive_name(format: str, part: int, parts: int) -> str:
    """Return the name of a part's file, as `datasets.load_dataset(folder)` expects it."""
    ending = "tar" if format == "webdataset" else format
    return f"data/train-{part:05d}-of-{parts:05d}.{ending}"


def write_pngs(target: Target, samples: Iterator[tuple[Sample, str]]) -> Iterator[StoredImage]:
    """Write each image to a PNG file of the given name; durable when the iterator ends."""
    written = []
    for sample, name in samples:
        path = target.folder / name
        workspace = target.folder / WORKSPACE / path.name
        if path.exists():
            if path.read_bytes() != sample.png:
                raise _in_the_way(path, target, sample.index)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            workspace.write_bytes(sample.png)
            workspace.replace(path)
        written.append(path)
        yield _stored(sample, name)
    for path in [*written, *{path.parent for path in written}]:
        sync(path)


def write_archive(
    target: Target, name: str, samples: Iterator[tuple[Sample, str]], *, format: str
) -> Iterator[StoredImage]:
    """Write all images into one file, which appears complete when the iterator ends."""
    write = _write_tar if format == "webdataset" else _write_table
    with _placing(target, name) as workspace:
        for sample in write(workspace, samples, format):
            yield _stored(sample, name)


@contextmanager
def _placing(target: Target, name: str) -> Iterator[Path]:
    """Yield a path to write to and move it into place; only an equal file may exist there."""
    path, workspace = target.folder / name, target.folder / WORKSPACE / Path(name).name
    yield workspace
    sync(workspace)
    if path.exists():
        if digest(path) != digest(workspace):
            raise _in_the_way(path, target)
        workspace.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace.replace(path)
    sync(path.parent)


def _write_tar(path: Path, samples: Iterator[tuple[Sample, str]], _: str) -> Iterator[Sample]:
    """WebDataset: for each image a PNG, its label and its provenance, under one key."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sample, _ in samples:
            key = f"{sample.category:06d}_{sample.instance:06d}"
            about = {
                "index": sample.index,
                "category": sample.category,
                "instance": sample.instance,
                "sha256": sample.pixels.hex(),
            }
            for ending, content in (
                ("png", sample.png),
                ("cls", str(sample.category).encode()),
                ("json", json.dumps(about).encode()),
            ):
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            yield sample


def _write_table(
    path: Path, samples: Iterator[tuple[Sample, str]], format: str
) -> Iterator[Sample]:
    """Write a table that the package datasets reads: PNG, labels, SHA-256 of the pixels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    integers = [(name, pa.int64()) for name in ("label", "category", "instance")]
    schema = pa.schema(
        [("image", picture), *integers, ("sha256", pa.binary())],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
    )
    open_writer: Any = pq.ParquetWriter if format == "parquet" else pa.ipc.new_stream
    with open_writer(str(path), schema) as writer:
        rows: list[dict[str, Any]] = []
        for sample, name in samples:
            image, numbers = {"bytes": sample.png, "path": name}, sample[1:3]
            row = (image, sample.category, *numbers, sample.pixels)
            rows.append(dict(zip(schema.names, row, strict=True)))
            if len(rows) == ROWS_PER_GROUP:
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
                rows = []
            yield sample
        if rows:
            writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))


def _stored(sample: Sample, name: str) -> StoredImage:
    digest = hashlib.sha256(sample.png).digest()
    return StoredImage(**{**sample._asdict(), "file": name, "png": digest})


def _in_the_way(path: Path, target: Target, index: int | None = None) -> DamagedFile:
    what = target.title if index is None else f"image {index} of {target.title}"
    return DamagedFile(
        f"{path} is in the way: it differs from {what}, which belongs there. Delete it, or choose"
        " another folder"
    )
