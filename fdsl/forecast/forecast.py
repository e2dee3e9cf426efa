"""The forecast of some targets: jobs and costs by rule, and the same with the other way of keeping
images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fdsl.forecast.amount import Amount, total
from fdsl.forecast.costs import Cost, Estimator
from fdsl.forecast.speeds import Speeds
from fdsl.workflow.config import Config
from fdsl.workflow.jobs import Job, Jobs
from fdsl.workflow.rules import RULES

Images = Literal["shards", "stream"]


@dataclass(frozen=True)
class Line:
    """The jobs of one rule, or of all: sums, and the most memory that one of them holds.

    Trainings that share a process are one job, as Snakemake counts them.
    """

    rule: str
    jobs: int
    core_s: Amount
    gpu_s: Amount
    disk_bytes: Amount
    memory_mb: Amount


@dataclass(frozen=True)
class Forecast:
    """What some targets cost from nothing.

    Attributes
    ----------
    scale, images, gpu
        What it is for; `gpu` None where no job has one.
    lines
        By rule, in the order of the work.
    total
        Of all of them.
    words
        What was assumed -> the rules that it is about.
    pictures
        Real datasets that must be there -> megabytes of their archives, None where the catalogue
        does not say. Those of the same archive stand together.
    """

    scale: str
    images: Images
    gpu: str | None
    lines: tuple[Line, ...]
    total: Line
    words: dict[str, list[str]]
    pictures: dict[str, int | None]


def forecast(config: Config, targets: Sequence[str], speeds: Speeds) -> Forecast:
    """Add up what targets cost if nothing has been made yet.

    Raises
    ------
    ConfigError
        If a target or the work of a network is unknown.
    """
    table = Jobs(config)
    estimator = Estimator(table, speeds)
    found = table.needed(targets, processes=True)
    processes = dict.fromkeys(table.process(job) for job in found)
    costs: dict[str, list[Cost]] = defaultdict(list)
    words: dict[str, dict[str, None]] = defaultdict(dict)
    for jobs in processes:
        rule, cost = jobs[0].rule, estimator.cost(jobs)
        costs[rule].append(cost)
        for sentence in cost.words:
            words[sentence][rule] = None
    lines = tuple(_line(rule, costs[rule]) for rule in RULES if rule in costs)
    whole = _line("total", [cost for some in costs.values() for cost in some])
    return Forecast(
        scale=config.user.scale,
        images=config.scales[config.user.scale].images,
        gpu=speeds.gpu if whole.gpu_s.value else None,
        lines=lines,
        total=whole,
        words={sentence: list(rules) for sentence, rules in words.items()},
        pictures=_pictures(config, [job for job in found if job.rule == "fetch_downstream"]),
    )


def with_images(config: Config, images: Images) -> Config:
    """Return the configuration with a scale whose synthetic images are stored (shards) or drawn
    while training (stream).
    """
    name = config.user.scale
    changed = config.scales[name].model_copy(update={"images": images})
    return config.model_copy(update={"scales": {**config.scales, name: changed}})


def _line(rule: str, costs: Iterable[Cost]) -> Line:
    found = list(costs)
    return Line(
        rule,
        len(found),
        total(cost.core_s for cost in found),
        total(cost.gpu_s for cost in found),
        total(cost.disk_bytes for cost in found),
        max((cost.memory_mb for cost in found), key=lambda amount: amount.value, default=Amount()),
    )


def _pictures(config: Config, fetched: Iterable[Job]) -> dict[str, int | None]:
    """Return the real datasets that jobs look for, those of the same first archive together, with
    the archives' size.
    """
    names: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int | None] = {}
    for job in fetched:
        entry = config.downstream[job.name]
        if entry.composed is None:
            key = entry.archives[0].name if entry.archives else job.name
            known = [archive.megabytes or 0 for archive in entry.archives]
            names[key].append(job.name)
            sizes[key] = sum(known) if known and all(known) else None
    return {" and ".join(names[key]): size for key, size in sizes.items()}
