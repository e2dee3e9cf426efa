"""Images in rows of Arrow and Parquet files, read with pyarrow alone.

A row holds the bytes of an encoded image (a struct {bytes, path} or plain binary) and an integer
label; a shard of ours holds lossless pixels and its own checksum.

Arrow files are memory-mapped, so a dataset may be larger than memory. Parquet has no random access
by row: the encoded images of a split stay in memory, and more than `LARGEST_PARQUET_BYTES` of them
are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fdsl.datasets.readers.pictures import decode_picture
from fdsl.datasets.readers.sources import LabelledImages, checked_labels
from fdsl.images.shards import KEY, Shard
from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import Columns, DownstreamDataset

LARGEST_PARQUET_BYTES = 16 * 2**30
ARROW_FILE = b"ARROW1"  # what an IPC file begins with; a stream, as `datasets` writes it, does not
ROWS_AT_ONCE = 1024
LARGEST_BATCH_BYTES = 2**30  # of ROWS_AT_ONCE images, which may all be the largest of the file
# Of one Parquet file, in which equal rows take no room; ImageNet-21k has 13 million in all.
LARGEST_ROWS = 10**8

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RowImages(LabelledImages):
    """Images in rows of files; opened at once, and again in every process that unpickles this.

    Attributes
    ----------
    names
        Of the files, relative to `root`.
    starts
        int64 (files + 1,): the number of rows before each file.
    column
        Holds the images.
    """

    root: Path
    names: tuple[str, ...]
    starts: NDArray[np.int64]
    column: str
    _opened: dict[int, Callable[[int], Pixels]] = field(default_factory=dict, repr=False)

    def __getitem__(self, index: int) -> tuple[Pixels, int]:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        if not 0 <= number < len(self.names):
            raise IndexError(f"image {index} of {len(self)}")
        return self._file(number)(index - int(self.starts[number])), int(self.labels[index])

    def open(self) -> RowImages:
        """Open all files now, so that processes that are forked later share them."""
        for number in range(len(self.names)):
            self._file(number)
        return self

    def digest(self) -> str:
        """Return the SHA-256 of labels and of the files' names, sizes and rows, not of pixels."""
        sizes = [(self.root / name).stat().st_size for name in self.names]
        content = hashlib.sha256(json.dumps([self.names, sizes, self.starts.tolist()]).encode())
        content.update(self.labels.astype("<i8").data)
        return content.hexdigest()

    def _file(self, number: int) -> Callable[[int], Pixels]:
        if number not in self._opened:
            self._opened[number] = _images(self.root / self.names[number], self.column)
        return self._opened[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}


def open_rows(entry: DownstreamDataset, folder: Path, names: Sequence[str]) -> RowImages:
    """Open the files `names` below `folder`: labels are read, images stay encoded.

    Raises
    ------
    DamagedFile
        As `fdsl.datasets.readers.tables.read`.
    """
    columns = entry.columns or Columns()
    if entry.loader == "parquet":
        _require_small(entry, [folder / name for name in names], columns.image)
    labels = [_labels(folder / name, columns.label, entry) for name in names]
    starts = np.cumsum([0, *map(len, labels)], dtype=np.int64)
    joined, count = np.concatenate(labels), int(starts[-1])
    whole = checked_labels(joined, count=count, classes=entry.classes, where=folder)
    return RowImages(whole, entry.classes, folder, tuple(names), starts, columns.image).open()


def _require_small(entry: DownstreamDataset, paths: Sequence[Path], column: str) -> None:
    """Refuse Parquet files whose images would fill the memory, before any is read."""
    total = sum(
        size
        for path in paths
        for leaf, size in _chunk_sizes(_parquet(path))
        if leaf.split(".")[0] == column
    )
    if total > LARGEST_PARQUET_BYTES:
        raise _beyond_memory(f"{entry.title}: Parquet files of {total} bytes unpack")


def _labels(path: Path, column: str, entry: DownstreamDataset) -> NDArray[np.int64]:
    """Return the labels of one file, int64 (n,)."""
    with _damage_of(path):
        if path.suffix == ".parquet":
            file = _parquet(path)
            schema = file.schema_arrow
            _require_column(path, schema, column)
            if (rows := file.metadata.num_rows) > LARGEST_ROWS:
                raise DamagedFile(f"{path} has {rows:,} rows, at most {LARGEST_ROWS:,} are read")
            values = file.read(columns=[column]).column(column)
        else:
            batches = _batches(path, column)
            schema = batches[0].schema
            _require_column(path, schema, column)
            for batch in batches:
                batch.column(column).validate(full=True)
            values = pa.chunked_array([batch.column(column) for batch in batches])
    if not pa.types.is_integer(values.type) or values.null_count:
        raise DamagedFile(
            f"{path}: column {column!r} holds {values.type} with {values.null_count} empty rows,"
            f" expected integers from 0 to {entry.classes - 1}; change the entry's columns.label"
        )
    names = _class_names(schema, column)
    if names is not None and len(names) != entry.classes:
        raise DamagedFile(
            f"{path} names {len(names)} classes, the entry of {entry.title} says {entry.classes}"
        )
    return np.asarray(values.to_numpy(), np.int64)


def _class_names(schema: pa.Schema, column: str) -> list[str] | None:
    """Return the names of a ClassLabel in the metadata of the package datasets, or None."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return names if isinstance(names, list) else None


def _images(path: Path, column: str) -> Callable[[int], Pixels]:
    """Open one file; return what gives the image of a row."""
    with _damage_of(path):
        if path.suffix == ".parquet":
            file = _parquet(path)
            leaf = _leaf(path, file.schema_arrow, column)
            batches = _unpacked(path, file, leaf)
        else:
            batches = _batches(path, column)
            if KEY in (batches[0].schema.metadata or {}):
                shard = Shard(path, {})
                return lambda row: shard.image(row)[0]
            _leaf(path, batches[0].schema, column)
        arrays = [_encoded(batch.column(column)) for batch in batches]
        for array in arrays:
            array.validate(full=True)
    starts = np.cumsum([0, *map(len, arrays)])

    def image(row: int) -> Pixels:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        content = arrays[number][row - int(starts[number])].as_buffer()
        if content is None:
            raise DamagedFile(f"{path}: row {row} holds no image, at most a path; embed the images")
        return decode_picture(content.to_pybytes(), name=f"{path}, row {row}")

    return image


def _unpacked(path: Path, file: pq.ParquetFile, leaf: str) -> list[pa.RecordBatch]:
    """Return all encoded images of a Parquet file.

    Raises
    ------
    DamagedFile
        When they fill the memory, as many equal rows that the file stores once can.
    """
    largest = max((size for name, size in _chunk_sizes(file) if name == leaf), default=0)
    at_once = min(max(LARGEST_BATCH_BYTES // max(largest, 1), 1), ROWS_AT_ONCE)
    batches, held = [], 0
    for batch in file.iter_batches(batch_size=at_once, columns=[leaf]):
        held += batch.nbytes
        if held > LARGEST_PARQUET_BYTES:
            raise _beyond_memory(f"{path} unpacks")
        batches.append(batch)
    return batches


def _beyond_memory(what: str) -> DamagedFile:
    return DamagedFile(
        f"{what} to more than {LARGEST_PARQUET_BYTES} bytes of images, which are kept in memory;"
        " save them as Arrow (save_to_disk of the package datasets) and use the loader arrow"
    )


def _chunk_sizes(file: pq.ParquetFile) -> Iterator[tuple[str, int]]:
    """Yield column name and uncompressed bytes of every column chunk."""
    meta = file.metadata
    for group in range(meta.num_row_groups):
        for number in range(meta.num_columns):
            chunk = meta.row_group(group).column(number)
            yield chunk.path_in_schema, chunk.total_uncompressed_size


def _encoded(array: pa.Array) -> pa.Array:
    """Return a column's encoded images as binary, null where a row has none."""
    if not pa.types.is_struct(array.type):
        return array
    return array.flatten()[array.type.get_field_index("bytes")]


def _leaf(path: Path, schema: pa.Schema, column: str) -> str:
    """Return the name of the column of bytes; DamagedFile if there is none."""
    _require_column(path, schema, column)
    kind = schema.field(column).type
    nested = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    held = kind.field("bytes").type if nested else kind
    if not (pa.types.is_binary(held) or pa.types.is_large_binary(held)):
        raise DamagedFile(
            f"{path}: column {column!r} holds {kind}, expected encoded images (struct with bytes,"
            " or binary); change the entry's columns.image"
        )
    return f"{column}.bytes" if nested else column


def _require_column(path: Path, schema: pa.Schema, column: str) -> None:
    if column not in schema.names:
        raise DamagedFile(
            f"{path} has no column {column!r}; there are: {', '.join(schema.names)}. Name them in"
            " the entry's columns"
        )


def _batches(path: Path, column: str) -> list[pa.RecordBatch]:
    """Return all batches of an Arrow file or stream, mapped and not copied: `column` must not be
    larger than the file.
    """
    batches, held = [], 0
    for batch in _each_batch(path):
        held += batch.column(column).nbytes if column in batch.schema.names else 0
        if held > path.stat().st_size:
            raise pa.ArrowInvalid("its batches are compressed or share bytes: no bound on memory")
        batches.append(batch)
    if not batches:
        raise pa.ArrowInvalid("it holds no rows")
    return batches


def _each_batch(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as mapped:
        head = mapped.read(len(ARROW_FILE))
        mapped.seek(0)
        if head == ARROW_FILE:
            reader = pa.ipc.open_file(mapped)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)
        else:
            yield from pa.ipc.open_stream(mapped)


def _parquet(path: Path) -> pq.ParquetFile:
    with _damage_of(path):
        return pq.ParquetFile(path, memory_map=True)


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises for a missing or damaged file into DamagedFile."""
    try:
        yield
    except FileNotFoundError:
        raise DamagedFile(f"{path} is missing; get the dataset's files again") from None
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(f"{path} cannot be read ({error}); get the file again") from None
