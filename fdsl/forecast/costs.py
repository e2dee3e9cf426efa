"""What one job costs: its work, from the configuration, times the speeds of a machine, and what it
holds and leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from fdsl.forecast.amount import Amount, Origin, total
from fdsl.forecast.speeds import CPU, Speeds
from fdsl.forecast.trainings import Device, Trainings
from fdsl.images.difficulty import MOST_GALLERY, MOST_QUERIES
from fdsl.workflow.jobs import Job, Jobs
from fdsl.workflow.runs import Draw, Run

FLOPS = 1e10  # of one core, products in double precision
CHECK_MB_PER_S = 100  # to read and digest real pictures, or to download them
WEIGHT_BYTES = 4  # of a parameter in model.safetensors
TORCH = ("attention", "import_weights")  # small jobs that import it


@dataclass(frozen=True)
class Cost:
    """What one job takes.

    Attributes
    ----------
    core_s
        Seconds times the cores that it holds.
    gpu_s
        Seconds times the GPUs that it holds.
    disk_bytes
        What it leaves.
    memory_mb
        Most that it holds on one host.
    words
        What was assumed.
    """

    core_s: Amount
    gpu_s: Amount
    disk_bytes: Amount
    memory_mb: Amount
    words: tuple[str, ...] = ()


class Estimator:
    """Costs of the jobs of a configuration.

    Parameters
    ----------
    table
        The configuration's jobs.
    speeds
        Of the machine's cores, and of the GPU that trainings run on.
    """

    def __init__(self, table: Jobs, speeds: Speeds) -> None:
        self.table, self.config, self.speeds, self.rates = table, table.config, speeds, speeds.rates
        works = Trainings(table.config, speeds)
        self._works = {
            "pretrain": works.pretraining,
            "finetune": works.finetuning,
            "probe": works.probing,
            "detect": works.detection,
        }
        self._once = cache(self._cost)

    def cost(self, jobs: Sequence[Job]) -> Cost:
        """Return what the jobs of one process take, which starts once; all shards of a dataset cost
        the same.
        """
        first, *others = jobs
        costs = [self._once(first.rule, first.scale, first.name)]
        costs += [self._once(job.rule, job.scale, job.name, started=True) for job in others]
        return costs[0] if len(costs) == 1 else _in_turn(costs)

    def _cost(self, rule: str, scale: str, name: str, *, started: bool = False) -> Cost:
        if rule == "sample_parameters":
            return self._sampling(scale, name)
        if rule == "render_shard":
            return self._rendering(scale, name)
        if rule == "difficulty":
            return self._measuring(scale, name)
        if rule in self._works:
            return self._trained(rule, scale, name, started=started)
        return self._small(rule, scale, name)

    def _sampling(self, scale: str, name: str) -> Cost:
        """Return the cost of a search, whose worker processes start side by side."""
        dataset = self.config.dataset(scale, Draw.read(name).dataset)
        drawing, origin, words = self.rates.drawing(dataset)
        workers = self.table.resources.budget(scale, "sample_parameters").threads
        processes = 1 if workers == 1 else workers + 1
        searched = Amount.of(dataset.classes * drawing.search_s / workers, origin)
        wall = self._around("sample_parameters", "images", starts=min(processes, 2)) + searched
        left = Amount.of(dataset.classes * drawing.parameter_bytes, origin)
        memory = Amount.of(drawing.memory_mb * processes, origin)
        disk = left + self._left("sample_parameters")
        return Cost(wall * workers, Amount(), disk, memory, words)

    def _rendering(self, scale: str, name: str) -> Cost:
        name = Draw.read(name).dataset
        dataset = self.config.dataset(scale, name)
        shards = self.config.scales[scale].shards_of(name)
        drawing, origin, words = self.rates.drawing(dataset)
        images = dataset.classes * dataset.instances / shards
        drawn = Amount.of(images * (drawing.draw_s + drawing.encode_s), origin)
        wall = self._around("render_shard", "images") + drawn
        threads = self.table.resources.budget(scale, "render_shard").threads
        disk = Amount.of(images * drawing.shard_bytes, origin) + self._left("render_shard")
        return Cost(wall * threads, Amount(), disk, Amount.of(drawing.memory_mb, origin), words)

    def _measuring(self, scale: str, name: str) -> Cost:
        """Return the cost of a difficulty: images are drawn or read, then compared by pixels."""
        dataset = self.config.dataset(scale, Draw.read(name).dataset)
        spec = self.table.specs.difficulty(scale, name)
        drawing, origin, words = self.rates.drawing(dataset)
        half = dataset.classes * dataset.instances // 2
        gallery, queries = min(half, MOST_GALLERY), min(half, MOST_QUERIES)
        each = drawing.draw_s if spec["images"] == "stream" else drawing.decode_s
        read = Amount.of((gallery + queries) * each, origin)
        pixels = min(spec["side_px"], drawing.image_size_px) ** 2 * drawing.channels
        products = Amount.of(2 * gallery * queries * pixels / FLOPS, Origin.ASSUMED)
        threads = self.table.resources.budget(scale, "difficulty").threads
        wall, held = self._around("difficulty", "images") + read + products, drawing.memory_mb
        memory = Amount.of(held + 16 * queries * pixels / 2**20, origin)
        return Cost(wall * threads, Amount(), self._left("difficulty"), memory, words)

    def _trained(self, rule: str, scale: str, key: str, *, started: bool) -> Cost:
        """Return the cost of a job with a network of its own: its work, shared by its processes,
        and their start unless they have started.
        """
        run, resources = Run.read(key), self.table.resources
        grid, cores = resources.grid(scale, rule, key), resources.threads(scale, rule, key)
        gpus, loaders = resources.gpus(scale, rule, key), self.config.user.loader_workers
        if loaders is None:
            loaders = cores // grid.processes if gpus else 0
        device = Device(self.speeds.gpu if gpus else CPU, loaders)
        work = self._works[rule](scale, run, device=device)
        around = self._around(rule, "training", starts=0 if started else 1)
        wall = around + work.wall * (1 / (grid.nodes * grid.processes))
        memory, words = work.memory_mb, work.words
        if memory is None:
            memory = Amount.of(resources.budget(scale, rule).mem_mb, Origin.ASSUMED)
            words = (*words, "memory of jobs on a GPU: what the scale reserves for them")
        disk = self._left(rule)
        if rule == "pretrain":
            disk += self._weights(run.model)
        return Cost(wall * cores * grid.nodes, wall * gpus * grid.nodes, disk, memory, words)

    def _small(self, rule: str, scale: str, name: str) -> Cost:
        """Return the cost of a job of seconds: tables, figures, attention, manifests of images."""
        reported = not scale or rule == "curves"
        kind = "report" if reported else "training" if rule in TORCH else "images"
        wall, disk = self._around(rule, kind), self._left(rule)
        words: tuple[str, ...] = ()
        if rule == "import_weights":
            disk += self._weights(self.config.published_weights[name].model)
        if rule == "fetch_downstream":
            megabytes = sum(a.megabytes or 0 for a in self.config.downstream[name].archives)
            if megabytes >= CHECK_MB_PER_S:
                wall += Amount.of(megabytes / CHECK_MB_PER_S, Origin.ASSUMED)
                words = (f"real pictures: read and digested, or fetched, at {CHECK_MB_PER_S} MB/s",)
        threads = 1 if reported else self.table.resources.budget(scale, rule).threads
        begin, started = self.rates.start(kind)
        fixed, origin = self.rates.fixed(rule)
        held = max([(fixed.memory_mb, origin), (begin.memory_mb, started)])
        return Cost(wall * threads, Amount(), disk, Amount.of(*held), words)

    def _around(self, rule: str, kind: str, *, starts: int = 1) -> Amount:
        """Return the seconds of a job whatever it computes: the start of its process, and what it
        reads and writes.
        """
        begin, origin = self.rates.start(kind)
        fixed, known = self.rates.fixed(rule)
        return Amount.of(begin.seconds * starts, origin) + Amount.of(fixed.seconds, known)

    def _left(self, rule: str) -> Amount:
        """Return the bytes of the small files that a job leaves."""
        fixed, origin = self.rates.fixed(rule)
        return Amount.of(fixed.bytes, origin)

    def _weights(self, model: str) -> Amount:
        """Return the bytes of a network's weights."""
        millions = self.speeds.published.network(model).parameters_millions
        return Amount.of(millions * 1e6 * WEIGHT_BYTES, Origin.PUBLISHED)


def _in_turn(costs: Sequence[Cost]) -> Cost:
    """Return the cost of jobs that one process performs one after the other."""
    return Cost(
        total(cost.core_s for cost in costs),
        total(cost.gpu_s for cost in costs),
        total(cost.disk_bytes for cost in costs),
        max((cost.memory_mb for cost in costs), key=lambda amount: amount.value),
        tuple(dict.fromkeys(words for cost in costs for words in cost.words)),
    )
