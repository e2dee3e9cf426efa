"""Shards: Arrow IPC files of rendered images, memory-mapped, with random access and a checksum for
every row.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fdsl.images import codec
from fdsl.io.storage import DamagedFile, atomic_write

FORMAT = 2  # 1 had deflated images
KEY = b"fdsl"
ROWS_PER_BATCH = 1024
COLUMNS = pa.schema(
    [
        ("image", pa.binary()),
        ("label", pa.int64()),
        ("category", pa.int64()),
        ("instance", pa.int64()),
        ("checksum", pa.uint32()),
    ]
)


def shard_range(shard: int, *, shards: int, images: int) -> range:
    """Return the image indices of one of `shards` nearly equal, consecutive parts of `images`
    images.
    """
    if not 0 <= shard < shards <= images:
        raise ValueError(f"shard {shard} of {shards} does not exist for {images} images")
    return range(shard * images // shards, (shard + 1) * images // shards)


def write_shard(
    path: str | Path,
    indices: Iterable[int],
    draw: Callable[[int], tuple[NDArray[np.uint8], int, int]],
    *,
    about: dict[str, Any],
) -> None:
    """Draw the images `indices` and write them to one shard, whole or not at all.

    Parameters
    ----------
    draw
        Gives (image, category, instance) of an index. All images of a shard have one shape.
    about
        What the images are a function of; `read` refuses a shard whose `about` differs.
    """
    with atomic_write(path) as temporary, pa.OSFile(str(temporary), "wb") as sink:
        writer: pa.RecordBatchFileWriter | None = None
        rows: list[tuple[bytes, int, int, int, int]] = []
        for index in indices:
            image, category, instance = draw(index)
            if writer is None:
                held = {**about, "format": FORMAT, "shape": list(image.shape)}
                schema = COLUMNS.with_metadata({KEY: json.dumps(held, sort_keys=True).encode()})
                writer = pa.ipc.new_file(sink, schema)
            content = codec.encode(image)
            rows.append(
                (content, category, category, instance, _checksum(content, category, instance))
            )
            if len(rows) == ROWS_PER_BATCH:
                writer.write_batch(_batch(rows, schema))
                rows = []
        if writer is None:
            raise ValueError(f"{path}: a shard needs at least one image")
        if rows:
            writer.write_batch(_batch(rows, schema))
        writer.close()


class _Rows(NamedTuple):
    """A checked batch: image k is content[ends[k]:ends[k + 1]]. Nothing is copied from the mapped
    file.
    """

    content: memoryview
    ends: NDArray[np.int32]
    category: NDArray[np.int64]
    instance: NDArray[np.int64]
    checksum: NDArray[np.uint32]


@dataclass
class Shard:
    """One shard, opened when first used and again in every process that it is sent to."""

    path: Path
    about: dict[str, Any]
    _open: tuple[pa.ipc.RecordBatchFileReader, tuple[int, ...]] | None = field(
        default=None, repr=False
    )
    _checked: dict[int, _Rows] = field(default_factory=dict, repr=False)

    def image(self, row: int) -> tuple[NDArray[np.uint8], int, int]:
        """Return (image, category, instance) of a row.

        Raises
        ------
        DamagedFile
            If the shard is truncated, altered, or made from other settings.
        """
        _, shape = self._opened()
        number, within = divmod(row, ROWS_PER_BATCH)
        rows = self._rows(number)
        if within >= len(rows.category):
            raise DamagedFile(f"{self.path} has no row {row}. {_AGAIN}")
        content = rows.content[rows.ends[within] : rows.ends[within + 1]]
        category, instance = int(rows.category[within]), int(rows.instance[within])
        if rows.checksum[within] != _checksum(content, category, instance):
            raise DamagedFile(f"{self.path}: row {row} does not match its checksum. {_AGAIN}")
        return codec.decode(content, shape), category, instance

    def rows(self) -> int:
        """Return the number of images."""
        reader, _ = self._opened()
        return sum(len(self._rows(number).category) for number in range(reader.num_record_batches))

    def _rows(self, number: int) -> _Rows:
        """Return a batch; checked when first read, because damaged offsets lead outside of the
        file.
        """
        if number not in self._checked:
            reader, _ = self._opened()
            try:
                batch = reader.get_batch(number)
                batch.validate(full=True)
                _, ends, content = batch["image"].buffers()
                self._checked[number] = _Rows(
                    memoryview(content).cast("B"),
                    np.frombuffer(ends, np.int32),
                    *(batch[name].to_numpy() for name in ("category", "instance", "checksum")),
                )
            except (pa.ArrowException, OSError) as error:
                raise DamagedFile(
                    f"{self.path}: batch {number} is damaged ({error}). {_AGAIN}"
                ) from None
        return self._checked[number]

    def _opened(self) -> tuple[pa.ipc.RecordBatchFileReader, tuple[int, ...]]:
        if self._open is None:
            try:
                reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
                held = json.loads((reader.schema.metadata or {})[KEY])
                shape = tuple(map(int, held["shape"]))
            except FileNotFoundError:
                raise
            except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
                raise DamagedFile(
                    f"{self.path} is not a shard of fdsl, or is damaged ({error}). {_AGAIN}"
                ) from None
            if not reader.schema.equals(COLUMNS):
                raise DamagedFile(
                    f"{self.path} has not the columns {', '.join(COLUMNS.names)}. {_AGAIN}"
                )
            for key, wanted in {**self.about, "format": FORMAT}.items():
                if held.get(key) != wanted:
                    raise DamagedFile(
                        f"{self.path} was made with {key} = {held.get(key)!r}, not {wanted!r}."
                        f" {_AGAIN}"
                    )
            self._open = (reader, shape)
        return self._open

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "about": self.about, "_open": None, "_checked": {}}


_AGAIN = "Delete it and run the same command again."


def _checksum(content: bytes | memoryview, category: int, instance: int) -> int:
    return zlib.crc32(content, zlib.crc32(f"{category},{instance}".encode()))


def _batch(rows: list[tuple[bytes, int, int, int, int]], schema: pa.Schema) -> pa.RecordBatch:
    return pa.record_batch(
        [
            pa.array(column, kind.type)
            for column, kind in zip(zip(*rows, strict=True), schema, strict=True)
        ],
        schema=schema,
    )
