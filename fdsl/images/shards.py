"""Shards: memory-mapped Arrow IPC files of rendered images with a checksum for every row."""

from __future__ import annotations

import bisect
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fdsl.images import codec
from fdsl.images.parameters import origin, require_index, require_origin
from fdsl.images.streamed import StreamedImages, SyntheticImages
from fdsl.io.storage import DamagedFile, atomic_write
from fdsl.schema.catalogue import SyntheticDataset

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
    """Return the indices of one of `shards` nearly equal, consecutive parts of `images` images."""
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
    """Draw the images `indices` and write them to one shard atomically.

    Parameters
    ----------
    draw
        Gives (image, category, instance) of an index. All images of a shard have one shape.
    about
        What the images are a function of; `Shard` refuses a file whose `about` differs.
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
            checksum = _checksum(content, category, instance)
            rows.append((content, category, category, instance, checksum))
            if len(rows) == ROWS_PER_BATCH:
                writer.write_batch(_batch(rows, schema))
                rows = []
        if writer is None:
            raise ValueError(f"{path}: a shard needs at least one image")
        if rows:
            writer.write_batch(_batch(rows, schema))
        writer.close()


class _Rows(NamedTuple):
    """A checked batch, views of the mapped file: image k is content[ends[k]:ends[k + 1]]."""

    content: memoryview
    ends: NDArray[np.int32]
    category: NDArray[np.int64]
    instance: NDArray[np.int64]
    checksum: NDArray[np.uint32]


@dataclass
class Shard:
    """One shard, opened on first use and again in every process that unpickles it."""

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
        """Return a batch, validated on first read: damaged offsets would lead out of the file."""
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
                columns = ", ".join(COLUMNS.names)
                raise DamagedFile(f"{self.path} lacks the columns {columns}. {_AGAIN}")
            absent = dict.fromkeys(SyntheticDataset.OPTIONAL)  # where `about` has no such key
            require_origin(self.path, held, {**absent, **self.about, "format": FORMAT})
            self._open = (reader, shape)
        return self._open

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "about": self.about, "_open": None, "_checked": {}}


class ShardedImages(SyntheticImages):
    """The images of a synthetic dataset, read from its shards."""

    def __init__(
        self, dataset: SyntheticDataset, paths: Sequence[str | Path], *, seed: int
    ) -> None:
        self.dataset = dataset
        parts = [shard_range(k, shards=len(paths), images=len(self)) for k in range(len(paths))]
        self._starts = [part.start for part in parts]
        self._shards = [
            Shard(Path(path), shard_origin(dataset, seed, part))
            for path, part in zip(paths, parts, strict=True)
        ]

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        require_index("image", index, len(self))
        number = bisect.bisect_right(self._starts, index) - 1
        image, category, _ = self._shards[number].image(index - self._starts[number])
        return image, category


def render_shard(
    path: str | Path, images: StreamedImages, *, part: range, indices: Iterable[int] | None = None
) -> None:
    """Draw and store the images `part`; `indices` is `part` wrapped in a progress bar, if any."""
    about = shard_origin(images.dataset, images.seed, part)
    write_shard(path, part if indices is None else indices, images.draw, about=about)


def shard_origin(dataset: SyntheticDataset, seed: int, part: range) -> dict[str, Any]:
    """Return what decides the content of a shard."""
    span = {"instances": dataset.instances, "images": [part.start, part.stop]}
    optional = dataset.model_dump(mode="json", include=dataset.OPTIONAL)
    return {**origin(dataset, seed), **span, **optional}


_AGAIN = "Delete it and run the same command again."


def _checksum(content: bytes | memoryview, category: int, instance: int) -> int:
    return zlib.crc32(content, zlib.crc32(f"{category},{instance}".encode()))


def _batch(rows: list[tuple[bytes, int, int, int, int]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)
