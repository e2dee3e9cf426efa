"""The arithmetic of a training: updates, stream positions, learning rates; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fdsl.schema.recipe import Optimisation


@dataclass(frozen=True)
class Schedule:
    """The budget of one training in updates, fixed before it starts.

    Attributes
    ----------
    images
        Training images, which is also the number of stream positions in an epoch.
    global_batch
        Images of one update, over all processes and accumulation steps.
    steps
        Updates in all, at least 1.
    warmup_steps
        Updates of the linear warm-up, from 0 to `steps` - 1.
    lr, warmup_lr, min_lr
        Peak, first and final learning rate.
    cooldown_steps
        Updates at `min_lr` after a cosine, contained in `steps`.
    milestones, gamma
        Ascending updates at which the rate is multiplied by `gamma`; None = a cosine.
    """

    images: int
    global_batch: int
    steps: int
    warmup_steps: int
    lr: float
    warmup_lr: float
    min_lr: float
    cooldown_steps: int = 0
    milestones: tuple[int, ...] | None = None
    gamma: float = 1.0

    def lr_at(self, step: int) -> float:
        """Return the learning rate of update `step`, a pure function of its number.

        Linear from `warmup_lr` (update 0) to `lr` (update `warmup_steps`). Then, without
        milestones, half a cosine that would reach `min_lr` at update `steps` - `cooldown_steps` and
        stays there; iteration-wise as in the released code of the FDSL papers (`cosine_iter`); that
        the cosine begins where the warm-up ends is ours, theirs counts it from update 0. With
        milestones, `lr` × `gamma` to the power of the milestones that `step` has reached, as
        PyTorch's MultiStepLR in the released code of FractalDB's ResNet.

        Parameters
        ----------
        step
            0 … `steps`.

        Raises
        ------
        ValueError
            If `step` is out of range.
        """
        if not 0 <= step <= self.steps:
            raise ValueError(f"step {step} is out of range 0 to {self.steps}")
        if step < self.warmup_steps:
            return self.warmup_lr + (self.lr - self.warmup_lr) * step / self.warmup_steps
        if self.milestones is not None:
            return self.lr * float(self.gamma ** sum(step >= each for each in self.milestones))
        curve = self.steps - self.cooldown_steps - self.warmup_steps
        progress = min(1.0, (step - self.warmup_steps) / curve)
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * progress)) / 2

    def cosine(self, step: int, first: float, last: float) -> float:
        """Return half a cosine from `first` (update 0) that would reach `last` at the end."""
        return last + (first - last) * (1 + math.cos(math.pi * (step / self.steps))) / 2

    def epoch_after(self, steps_done: int) -> int:
        """Return how many epochs are complete after `steps_done` updates."""
        return steps_done * self.global_batch // self.images

    def evaluation_due(self, steps_done: int, *, every_epochs: int) -> bool:
        """Say whether to evaluate after `steps_done` updates: at the end, and every so many epochs.

        `every_epochs` = 0 evaluates at the end alone.
        """
        if steps_done == self.steps:
            return True
        if every_epochs == 0 or steps_done == 0:
            return False
        now, before = self.epoch_after(steps_done), self.epoch_after(steps_done - 1)
        return now // every_epochs > before // every_epochs


def schedule(recipe: Optimisation, *, images: int) -> Schedule:
    """Turn a recipe's epochs into updates.

    The updates are cut from an endless stream without regard to the borders of epochs, so that no
    image is dropped; only what is left of the last epoch when it does not fill a batch is not
    trained on.

    Raises
    ------
    ValueError
        If the recipe's epochs do not fill a single batch.
    """
    curve_steps = recipe.epochs * images // recipe.global_batch
    if curve_steps < 1:
        raise ValueError(
            f"{recipe.epochs} epochs of {images} images do not fill one global_batch ="
            f" {recipe.global_batch}: use a global_batch of at most {recipe.epochs * images}, or"
            " more epochs or images"
        )
    steps = recipe.all_epochs * images // recipe.global_batch

    def updates(epochs: float) -> int:
        return min(round(epochs * images / recipe.global_batch), curve_steps - 1)

    return Schedule(
        images=images,
        global_batch=recipe.global_batch,
        steps=steps,
        warmup_steps=updates(recipe.warmup_epochs),
        lr=recipe.lr,
        warmup_lr=recipe.warmup_lr,
        min_lr=recipe.min_lr,
        cooldown_steps=steps - curve_steps,
        milestones=None if recipe.gamma is None else tuple(map(updates, recipe.milestones)),
        gamma=recipe.gamma or 1.0,
    )


@dataclass(frozen=True)
class Split:
    """How a global batch reaches the devices: `world` × `micro_batch` × `accumulate` images.

    A global batch is a row of world × accumulate slices of `micro_batch` stream positions. Slice
    number s belongs to rank s % world, so that which images share a slice does not depend on how
    many processes share the work.
    """

    world: int
    micro_batch: int
    accumulate: int

    @property
    def global_batch(self) -> int:
        """Images of one update."""
        return self.world * self.micro_batch * self.accumulate

    def slices(self, step: int, *, rank: int) -> list[range]:
        """Return the stream positions of one rank's micro-batches of an update, in order of use."""
        first = step * self.global_batch
        numbers = range(rank, self.world * self.accumulate, self.world)
        starts = [first + number * self.micro_batch for number in numbers]
        return [range(start, start + self.micro_batch) for start in starts]


def split(global_batch: int, *, world: int, micro_batch: int | None) -> Split:
    """Divide a recipe's global batch among processes and accumulation steps.

    Parameters
    ----------
    global_batch
        Of the recipe.
    world
        Processes, one device each.
    micro_batch
        Most images that a device works on at once; None = no limit.

    Raises
    ------
    ValueError
        If the batch does not divide evenly; the message names sizes that do.
    """
    if global_batch % world:
        fitting = [n for n in range(1, world + 1) if global_batch % n == 0]
        raise ValueError(
            f"global_batch = {global_batch} cannot be shared by {world} processes: use"
            f" {_list(fitting)} processes"
        )
    share = global_batch // world
    micro = share if micro_batch is None else min(micro_batch, share)
    if share % micro:
        fitting = [n for n in range(1, share + 1) if share % n == 0]
        raise ValueError(
            f"micro_batch = {micro} does not divide {share} images per process (global_batch"
            f" {global_batch} / {world}): use {_list(fitting)}"
        )
    return Split(world, micro, share // micro)


def _list(numbers: list[int]) -> str:
    """Return '1, 2 or 4'."""
    return " or ".join([", ".join(map(str, numbers[:-1])), str(numbers[-1])]).removeprefix(" or ")
