"""The parameter file of a synthetic dataset: one Parquet row per map or category."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fdsl import formulas
from fdsl.io.checksums import digest_json
from fdsl.io.storage import DamagedFile, atomic_write
from fdsl.io.workers import process_pool
from fdsl.schema.base import FrozenModel, validate
from fdsl.schema.catalogue import SyntheticDataset

Rows = dict[str, NDArray[np.generic]]

FORMAT = 1
KEY = b"fdsl"
MALFORMED = (KeyError, ValueError, TypeError, OverflowError, RecursionError)
LARGEST_BYTES = 4 * 2**30  # of a table in memory; 50,000 systems of 8 maps take 45 MB


@dataclass(frozen=True)
class Parameters:
    """The parameters of all categories, stacked.

    Attributes
    ----------
    columns
        Column name to array (rows,).
    offsets
        int64 (classes + 1,): category k owns the rows from offsets[k] to offsets[k + 1].
    """

    columns: Rows
    offsets: NDArray[np.int64]

    @property
    def classes(self) -> int:
        """Number of categories."""
        return len(self.offsets) - 1

    def of(self, category: int) -> Rows:
        """Return the rows of one category."""
        require_index("category", category, self.classes)
        rows = slice(int(self.offsets[category]), int(self.offsets[category + 1]))
        return {name: values[rows] for name, values in self.columns.items()}


def sample(
    dataset: SyntheticDataset,
    *,
    seed: int,
    workers: int = 1,
    categories: Sequence[int] | None = None,
) -> Iterator[Rows]:
    """Yield the parameters of `categories` (None: all), the same for any number of workers."""
    settings = formula_settings(dataset)
    one = partial(_sample_category, dataset.formula, settings, seed)
    wanted = range(dataset.classes) if categories is None else categories
    if workers == 1:
        yield from map(one, wanted)
        return
    with process_pool(workers) as pool:
        chunk = max(1, min(32, len(wanted) // (4 * workers)))
        yield from pool.map(one, wanted, chunksize=chunk)


def stack(categories: list[Rows]) -> Parameters:
    """Join the rows of consecutive categories."""
    counts = [len(next(iter(rows.values()))) for rows in categories]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    columns = {name: np.concatenate([rows[name] for rows in categories]) for name in categories[0]}
    return Parameters(columns, offsets)


def write(
    path: str | Path, parameters: Parameters, *, dataset: SyntheticDataset, seed: int
) -> None:
    """Write a parameter file atomically."""
    write_table(path, parameters, about=origin(dataset, seed))


def read(path: str | Path, *, dataset: SyntheticDataset, seed: int) -> Parameters:
    """Read a parameter file and check that it is intact and of `dataset` and `seed`.

    Raises
    ------
    DamagedFile
        If the file is not Parquet, is altered, or was made from other settings; the message names
        the file and both values.
    """
    parameters, about = read_table(path)
    require_origin(path, about, origin(dataset, seed))
    return parameters


def require_origin(path: str | Path, held: dict[str, Any], wanted: Mapping[str, object]) -> None:
    """Raise DamagedFile, naming file and both values, if what a file `held` is not `wanted`."""
    for key, value in wanted.items():
        if held.get(key) != value:
            made = f"was made with {key} = {held.get(key)!r}, not {value!r}"
            raise DamagedFile(f"{path} {made}. {_AGAIN}")


def require_index(kind: str, index: int, count: int) -> None:
    """Raise IndexError unless 0 <= index < count; `kind` is what the message calls it."""
    if not 0 <= index < count:
        raise IndexError(f"{kind} {index} is out of range 0 to {count - 1}")


def write_table(path: str | Path, parameters: Parameters, *, about: dict[str, Any]) -> None:
    """Write parameters atomically, with plain data `about` them that holds `classes`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = np.diff(parameters.offsets)
    category = np.repeat(np.arange(parameters.classes, dtype=np.int64), counts)
    table = pa.table({"category": category, **parameters.columns})
    held = {**about, "content": content_digest(parameters)}
    table = table.replace_schema_metadata({KEY: json.dumps(held, sort_keys=True).encode()})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def read_table(path: str | Path) -> tuple[Parameters, dict[str, Any]]:
    """Read parameters and what is known about them.

    Raises
    ------
    DamagedFile
        If the file is not Parquet, not one of ours, altered, or larger than 4 GiB in memory.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        rows = file.metadata.num_rows
        if 8 * rows * file.metadata.num_columns > LARGEST_BYTES:
            raise ValueError(f"{rows:,} rows take more than {LARGEST_BYTES:,} bytes")
        table = file.read()
        kinds = [pa.types.is_integer, pa.types.is_floating]
        if odd := [f.name for f in table.schema if not any(kind(f.type) for kind in kinds)]:
            raise ValueError(f"the columns {', '.join(odd)} hold no numbers")
        about = json.loads((table.schema.metadata or {})[KEY])
        category = table["category"].to_numpy()
        classes, content = int(about["classes"]), about["content"]
        if not 0 < classes <= rows:
            raise ValueError(f"{classes} categories in {rows} rows")
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, *MALFORMED) as error:
        raise DamagedFile(
            f"{path} is not a parameter file of fdsl, or is damaged ({error}). {_AGAIN}"
        ) from None
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "category"}
    offsets = np.searchsorted(category, np.arange(classes + 1))
    parameters = Parameters(columns, offsets.astype(np.int64))
    if content_digest(parameters) != content:
        raise DamagedFile(f"{path} does not hold what was written: its digest differs. {_AGAIN}")
    return parameters, about


def origin(dataset: SyntheticDataset, seed: int) -> dict[str, object]:
    """Return what decides the parameters of a dataset; the number of instances does not."""
    settings = formula_settings(dataset)
    return {
        "format": FORMAT,
        "formula": dataset.formula,
        "classes": dataset.classes,
        "seed": seed,
        "settings": digest_json(settings.model_dump(mode="json")),
    }


def formula_settings(dataset: SyntheticDataset) -> FrozenModel:
    """Return the checked settings of the dataset's formula; a ConfigError names the fault."""
    where = f"settings of {dataset.title or dataset.formula}"
    settings = validate(formulas.get(dataset.formula).Settings, dataset.settings, where=where)
    if dataset.reduce is not None:
        dataset.reduce.require_fits(settings.model_dump()["image_size_px"], where=where)
    return settings


def content_digest(parameters: Parameters) -> str:
    """Return the SHA-256 of all values, as 64 hexadecimal digits."""
    values = {name: values.tobytes().hex() for name, values in sorted(parameters.columns.items())}
    return digest_json({**values, "offsets": parameters.offsets.tolist()})


_AGAIN = "Delete it and run the same command again."


def _sample_category(formula: str, settings: FrozenModel, seed: int, category: int) -> Rows:
    return formulas.get(formula).sample_category(settings, seed=seed, category=category)
