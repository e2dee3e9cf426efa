"""A chain as a tree of text, in which each part appears once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from fdsl.lineage.chain import Chain, File, TracedNumber
from fdsl.lineage.results_dir import is_record

DIGITS = 16  # of a digest; --json has all
Part = TypeVar("Part")
FEW = 3  # files of one kind in one folder that are listed one by one


def tree(chain: Chain) -> str:
    """Return a chain as lines: files with digests and their inputs below, last the machines."""
    return "\n".join(_Tree(chain).lines())


class _Tree:
    """Remembers which names and machines have appeared."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.seen: set[str] = set()
        self.machines: dict[str, int] = {}

    def lines(self) -> Iterator[str]:
        chain, target = self.chain, self.chain.target
        yield _file(chain, target)
        shown = [cell for cell in chain.cells if cell.records]
        parts: list[tuple[str, list[str]]] = [(_cell(cell), list(cell.records)) for cell in shown]
        parts = parts or [("made from", list(chain.sources(target)) or [target])]
        record = _record_name(chain, target)
        if record in chain.records:
            self.seen.add(record)
            yield self._job(record)
        for title, names, fork, indent in _forks(parts, ""):
            yield f"{fork}{title}"
            yield from self._branch(names, indent)
        if skipped := len(chain.cells) - len(shown):
            yield f"{skipped} more have no record: they were not run, or are quoted"
        yield ""
        yield from (f"[{number}] {text}" for text, number in self.machines.items())

    def _branch(self, names: list[str], indent: str) -> Iterator[str]:
        chain = self.chain
        for title, name, fork, rest in _forks(list(_grouped(names)), indent):
            if name in self.seen:
                yield f"{fork}{title or name}: as above"
                continue
            self.seen.add(name)
            head = "" if is_record(name) and name in chain.records else _file(chain, name)
            if title:
                head = f"{title}, the first: {head}"
            if head:
                yield f"{fork}{head}"
            if (record := _record_name(chain, name)) in chain.records:
                self.seen.add(record)
                line = self._job(record)
                yield f"{rest}{line}" if head else f"{fork}{record}: {line}"
            if name in chain.manifests:
                yield f"{rest}{_manifest(chain.manifests[name])}"
            if record or name in chain.files:
                yield from self._branch(list(chain.sources(name)), rest)

    def _job(self, name: str) -> str:
        """Return a line about a job: result, seed, settings, code, time and machine."""
        record = self.chain.records[name]
        machine = ", ".join(f"{key} {x}" for key, x in record.get("environment", {}).items())
        number = self.machines.setdefault(machine or "unknown", len(self.machines) + 1)
        parts = [
            f"{record['kind']} {record.get('run', '')}".strip(),
            *_result(record.get("result")),
            f"seed {record['seed']}" if record.get("seed") is not None else "",
            *_formula(record.get("spec", {}), record.get("settings")),
            *_recipe(record.get("recipe")),
            f"code {record.get('code', 'unknown')}",
            str(record.get("finished", "")),
            f"machine [{number}]",
        ]
        return "; ".join(part for part in parts if part)


def _forks(parts: list[tuple[str, Part]], indent: str) -> Iterator[tuple[str, Part, str, str]]:
    """Yield parts with the beginning of their line, and of the lines below it."""
    for left, (title, part) in zip(reversed(range(len(parts))), parts, strict=True):
        fork, rest = ("├─ ", "│  ") if left else ("└─ ", "   ")
        yield title, part, indent + fork, indent + rest


def _grouped(names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a title, empty for a single file, and a name for each file or group of files."""
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


def _record_name(chain: Chain, name: str) -> str:
    """Return the record of a file or record; empty if there is none."""
    if is_record(name):
        return name
    return (chain.files[name].record if name in chain.files else None) or ""


def _cell(cell: TracedNumber) -> str:
    return f"{' / '.join(cell.name)}: {cell.value or cell.reason}"


def _file(chain: Chain, name: str) -> str:
    file = chain.files.get(name)
    if file is None:
        return name
    return f"{name}  {_digest(file)}{'' if file.there else '  (not here)'}"


def _digest(file: File) -> str:
    size = "" if file.size is None else f", {file.size:,} bytes"
    return f"sha256 {file.sha256[:DIGITS]}{size}" if file.sha256 else f"no digest{size}"


def _manifest(manifest: Mapping[str, Any]) -> str:
    """Return the title of real images, and the number and digest of each part."""
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


def _formula(spec: Mapping[str, Any], settings: Any) -> Iterator[str]:
    """Yield formula and settings of synthetic images, or loader and classes of real ones."""
    dataset = spec.get("dataset")
    if isinstance(dataset, dict):
        size = f"{dataset['classes']:,} × {dataset['instances']:,}"
        yield f"formula {dataset['formula']}, {size}, root seed {spec.get('seed')}"
    if isinstance(settings, dict):
        yield ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    entry = spec.get("entry")
    if isinstance(entry, dict) and "loader" in entry:
        yield f"loader {entry['loader']}, {entry['classes']} classes"


def _recipe(recipe: Any) -> Iterator[str]:
    if isinstance(recipe, dict) and "epochs" in recipe:
        yield (
            f"{recipe['epochs']} epochs of batch {recipe['global_batch']}, {recipe['optimizer']},"
            f" lr {recipe['lr']}"
        )
