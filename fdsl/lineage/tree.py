"""A chain for people: a tree of text, each part told once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from fdsl.lineage.chain import Cell, Chain, File
from fdsl.lineage.results_dir import is_record

DIGITS = 16  # of a digest; --json has all
FEW = 3  # files of one kind in one folder that are told one by one
Node = tuple[str, str]  # what is told, and the name that is followed


def tree(chain: Chain) -> str:
    """Return a chain as lines: files with digests, under each what it was made from, and last the
    machines.
    """
    told: set[str] = set()
    machines: dict[str, int] = {}
    lines = [_file(chain, chain.target)]
    shown = [cell for cell in chain.cells if cell.records]
    skipped = len(chain.cells) - len(shown)
    parts: list[tuple[str, list[str]]] = [(_cell(cell), list(cell.records)) for cell in shown]
    if not parts:
        parts = [("made from", list(chain.sources(chain.target)) or [chain.target])]
    record = _record_name(chain, chain.target)
    if record is not None and record in chain.records:
        told.add(record)
        lines.append(_job(chain, record, machines))
    for number, (title, names) in enumerate(parts):
        last = number == len(parts) - 1
        lines.append(f"{'└' if last else '├'}─ {title}")
        lines += _branch(chain, names, "   " if last else "│  ", told, machines)
    if skipped:
        lines.append(f"{skipped} more have no record: they were not run, or are quoted")
    lines += ["", *(f"[{number}] {text}" for text, number in machines.items())]
    return "\n".join(lines)


def _branch(
    chain: Chain, names: list[str], indent: str, told: set[str], machines: dict[str, int]
) -> Iterator[str]:
    groups = list(_grouped(names))
    for number, (title, name) in enumerate(groups):
        last = number == len(groups) - 1
        first, rest = f"{indent}{'└' if last else '├'}─ ", indent + ("   " if last else "│  ")
        if name in told:
            yield f"{first}{title or name}: as above"
            continue
        told.add(name)
        head = "" if is_record(name) and name in chain.records else _file(chain, name)
        if title:
            head = f"{title}, the first: {head}"
        record = _record_name(chain, name)
        if head:
            yield f"{first}{head}"
        if record is not None and record in chain.records:
            told.add(record)
            line = _job(chain, record, machines)
            yield f"{rest}{line}" if head else f"{first}{record}: {line}"
        if name in chain.manifests:
            yield f"{rest}{_pictures(chain.manifests[name])}"
        sources = list(chain.sources(name)) if record is not None or name in chain.files else []
        yield from _branch(chain, sources, rest, told, machines)


def _grouped(names: list[str]) -> Iterator[Node]:
    """Yield names one by one, but many files of one kind in one folder as one."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        alone = name if is_record(name) else ""
        kinds.setdefault((str(path.parent) + alone, path.suffix), []).append(name)
    for group in kinds.values():
        if len(group) <= FEW:
            yield from (("", name) for name in group)
        else:
            yield f"{len(group)} files, {group[0]} to {PurePosixPath(group[-1]).name}", group[0]


def _record_name(chain: Chain, name: str) -> str | None:
    if is_record(name):
        return name
    return chain.files[name].record if name in chain.files else None


def _cell(cell: Cell) -> str:
    return f"{' / '.join(cell.name)}: {cell.value or cell.reason}"


def _file(chain: Chain, name: str) -> str:
    file = chain.files.get(name)
    if file is None:
        return name
    return f"{name}  {_digest(file)}{'' if file.there else '  (not here)'}"


def _digest(file: File) -> str:
    size = "" if file.size is None else f", {file.size:,} bytes"
    return f"sha256 {file.sha256[:DIGITS]}{size}" if file.sha256 else f"no digest{size}"


def _job(chain: Chain, name: str, machines: dict[str, int]) -> str:
    """Return one line about a job: what it did, from which seed, by which code, when, on what."""
    record = chain.records[name]
    order = record.get("order", {})
    seed = record.get("seed")
    parts = [
        f"{record['kind']} {record.get('run', '')}".strip(),
        *_result(record.get("result")),
        *([f"seed {seed}"] if seed is not None else []),
        *_formula(order, record.get("settings")),
        *_recipe(record.get("recipe")),
        f"code {record.get('code', 'unknown')}",
        *([str(record["finished"])] if "finished" in record else []),
        f"machine [{_machine(record.get('environment', {}), machines)}]",
    ]
    return "; ".join(parts)


def _pictures(manifest: Mapping[str, Any]) -> str:
    """Return what a manifest says: name, and the number of pictures of each part with their digest."""
    parts = [
        f"{part}: {about['images']:,} images, sha256 {about['sha256'][:DIGITS]}"
        for part, about in manifest["parts"].items()
    ]
    return "; ".join([str(manifest.get("title", "")), *parts])


def _result(result: Any) -> Iterator[str]:
    if not isinstance(result, dict):
        return
    if "top1_last" in result:
        yield f"{result['correct']} of {result['images']} right"
    elif "map_last" in result:
        yield f"mAP {result['map_last']:.2f} on {result['images']}"
    elif "knn" in result:
        counts = ", ".join(f"{name} {result[name]['correct']}" for name in ("knn", "linear"))
        yield f"{counts} of {result['images']} right"
    elif "box" in result:
        yield f"box AP {result['box']['ap']:.2f}, mask AP {result['mask']['ap']:.2f}"
    elif "final_loss" in result:
        yield f"loss {result['final_loss']:.4g}"


def _formula(order: Mapping[str, Any], settings: Any) -> Iterator[str]:
    """Yield the formula behind images, with all its settings where they were sampled, or what was
    asked for of real ones.
    """
    dataset = order.get("dataset")
    if isinstance(dataset, dict):
        size = f"{dataset['classes']:,} × {dataset['instances']:,}"
        yield f"formula {dataset['formula']}, {size}, root seed {order.get('seed')}"
    if isinstance(settings, dict):
        yield ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    entry = order.get("entry")
    if isinstance(entry, dict) and "loader" in entry:
        yield f"loader {entry['loader']}, {entry['classes']} classes"


def _recipe(recipe: Any) -> Iterator[str]:
    if isinstance(recipe, dict) and "epochs" in recipe:
        yield (
            f"{recipe['epochs']} epochs of batch {recipe['global_batch']}, {recipe['optimizer']},"
            f" lr {recipe['lr']}"
        )


def _machine(environment: Mapping[str, Any], machines: dict[str, int]) -> int:
    """Return the number of a machine with its versions; a new one is noted."""
    text = ", ".join(f"{name} {value}" for name, value in environment.items())
    return machines.setdefault(text or "unknown", len(machines) + 1)
