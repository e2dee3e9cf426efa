"""Seconds that one process works on a pre-training, fine-tuning, probe or detection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fdsl.forecast import loading
from fdsl.forecast.amount import Amount, Origin
from fdsl.forecast.loading import SourceImages
from fdsl.forecast.speeds import Speeds
from fdsl.schema.catalogue import DownstreamDataset
from fdsl.schema.recipe import Optimisation, Recipe
from fdsl.train.schedule import schedule
from fdsl.workflow.config import Config
from fdsl.workflow.runs import Run

UNKNOWN_IMAGES = 100_000  # of a dataset whose catalogue entry has no count
# Counts that could not be verified, so that the catalogue lacks them: objects of VOC 2012's train
# and val parts, and ImageNet-100 by CMC's list.
LIKELY_IMAGES = {
    ("voc12", "train"): 13_609,
    ("voc12", "test"): 13_841,
    ("imagenet100", "train"): 126_689,
}
TEACHER = 1 / 3  # DINO's teacher has no backward pass: the share of evaluation in training


@dataclass(frozen=True)
class Work:
    """What one process does.

    Attributes
    ----------
    wall
        Seconds, without its start.
    words
        What was assumed.
    memory_mb
        Most that the process holds; None where no measurement is at hand.
    """

    wall: Amount = field(default_factory=Amount)
    words: tuple[str, ...] = ()
    memory_mb: Amount | None = None

    def then(self, other: Work) -> Work:
        """Return this work followed by another one."""
        memories = [m for m in (self.memory_mb, other.memory_mb) if m is not None]
        memory = max(memories, key=lambda amount: amount.value, default=None)
        return Work(self.wall + other.wall, (*self.words, *other.words), memory)


@dataclass(frozen=True)
class Device:
    """What one process of a training runs on: a device, with loader processes beside it."""

    name: str
    loaders: int = 0


class Trainings:
    """The work of the runs of a configuration."""

    def __init__(self, config: Config, speeds: Speeds) -> None:
        self.config, self.speeds, self.rates = config, speeds, speeds.rates

    def pretraining(self, scale: str, run: Run, *, device: Device) -> Work:
        """Return the work of a pre-training."""
        training = self.config.pretraining(scale, run.pretraining, run.model)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        if run.pretraining in self.config.synthetic:
            dataset = self.config.dataset(scale, run.pretraining)
            drawing, origin, assumed = self.rates.drawing(dataset)
            streamed = self.config.scales[scale].images == "stream"
            source_s = drawing.draw_s if streamed else drawing.decode_s
            source = SourceImages(source_s, origin, drawing.image_size_px, drawing.channels)
            shown = 1 if recipe.augmentation.one_per_category else dataset.instances
            work = self._training(recipe, source, dataset.classes * shown, device=device)
            return Work(words=assumed).then(work)
        real = self.config.real(scale, run.pretraining)
        stand_in = self.config.scales[scale].real.get(run.pretraining)
        limit = stand_in.pictures if stand_in else None
        source, known = self._photographs(real.dataset)
        images, counted = self._images(real.dataset, "train", limit)
        return known.then(counted).then(self._training(recipe, source, images, device=device))

    def finetuning(self, scale: str, run: Run, *, device: Device) -> Work:
        """Return the work of a fine-tuning with its evaluation."""
        recipe, source, (images, tests), known = self._downstream(scale, run)
        learned = self._training(recipe, source, images, device=device)
        tested = self._evaluation(recipe, source, tests, precision=recipe.precision, device=device)
        return known.then(learned).then(tested)

    def probing(self, scale: str, run: Run, *, device: Device) -> Work:
        """Return the work of a probe: features of all images, then k-NN and linear probe."""
        recipe, source, (images, tests), known = self._downstream(scale, run)
        precision = self.config.probe.precision
        seen = self._evaluation(recipe, source, images + tests, precision=precision, device=device)
        judging, origin = self.rates.one("judging")
        network = self.speeds.published.network(run.model)
        classes = self.config.downstream[str(run.downstream)].classes
        more = (
            (images / judging.train_images)
            * ((network.features or judging.features) / judging.features)
            * (classes / judging.classes)
        )
        judged = Amount.of(judging.seconds * more, origin if more == 1 else Origin.ASSUMED)
        words = "k-NN and linear probe: by training images × features × classes, on one core"
        return known.then(seen).then(Work(judged, () if more == 1 else (words,)))

    def detection(self, scale: str, run: Run, *, device: Device) -> Work:
        """Return the work of a detection training with its test."""
        recipe = self.config.detection(scale).model_copy(update={"model": run.model})
        images, counted = self._images(str(run.downstream), "train", None)
        tests, also = self._images(str(run.downstream), "test", None)
        seen = schedule(recipe, images=images).steps * recipe.global_batch
        work = counted.then(also)
        for count, train in ((seen, True), (tests, False)):
            network = f"mask_rcnn_{run.model}"
            work = work.then(self._computing(network, recipe, count, device=device, train=train))
        return work

    def _downstream(
        self, scale: str, run: Run
    ) -> tuple[Recipe, SourceImages, tuple[int, int], Work]:
        """Return recipe, images, numbers of training and test images, and assumptions."""
        training = self.config.finetuning(scale, str(run.downstream))
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        source, known = self._photographs(str(run.downstream))
        images, counted = self._images(str(run.downstream), "train", training.train_labels)
        tests, also = self._images(str(run.downstream), "test", training.test_images)
        return recipe, source, (images, tests), known.then(counted).then(also)

    def _training(
        self, recipe: Recipe, source: SourceImages, images: int, *, device: Device
    ) -> Work:
        """Return the work of training on `images` images by a recipe."""
        how, size = loading.kind(recipe), recipe.image_size_px
        seen = schedule(recipe, images=images).steps * recipe.global_batch
        computed = self._computing(recipe.model, recipe, seen, device=device, train=True)
        if recipe.dino is not None:
            views = recipe.dino.views
            large = loading.LARGE_VIEWS * (1 + TEACHER)
            passes = large + views.local_crops * (views.local_size_px / size) ** 2
            words = f"DINO: {passes:.1f} times the work of an image, by the pixels of its views"
            wall = Amount.of(computed.wall.value * passes, Origin.ASSUMED)
            computed = replace(computed, wall=wall, words=(*computed.words, words))
        kept = images * source.channels * size**2 <= loading.KEPT_BYTES
        read = min(images, seen) if how == loading.PLAIN and kept else seen
        loaded = self._loading(how, source, seen, size=size, read=read)
        return _together(computed, loaded, loaders=device.loaders)

    def _evaluation(
        self, recipe: Recipe, source: SourceImages, images: int, *, precision: str, device: Device
    ) -> Work:
        """Return the work of bringing images through a network once."""
        size, recipe = recipe.image_size_px, recipe.model_copy(update={"precision": precision})
        loaded = self._loading(loading.EVALUATION, source, images, size=size, read=images)
        computed = self._computing(recipe.model, recipe, images, device=device, train=False)
        return _together(computed, loaded, loaders=device.loaders)

    def _computing(
        self, network: str, recipe: Optimisation, images: int, *, device: Device, train: bool
    ) -> Work:
        """Return the work of a network on images that are ready."""
        size, precision = recipe.image_size_px, recipe.precision
        speed = self.speeds.of(
            network, image_size_px=size, precision=precision, device=device.name, train=train
        )
        wall = Amount.of(images / speed.images_per_s, speed.origin)
        return Work(wall, speed.words, speed.memory_mb)

    def _loading(self, how: str, source: SourceImages, seen: int, *, size: int, read: int) -> Work:
        """Return the work of reading `read` images and preparing `seen` of them."""
        each, origin, assumed = loading.seconds(self.rates, how, source, image_size_px=size)
        wall = Amount.of(seen * each, origin) + Amount.of(read * source.source_s, source.origin)
        return Work(wall, (assumed,) if assumed else ())

    def _images(self, dataset: str, part: str, limit: int | None) -> tuple[int, Work]:
        """Return how many images of a part of a real dataset are used, and what was assumed."""
        entry = self.config.downstream[dataset]
        stated = limit or (entry.train_images if part == "train" else entry.test_images)
        if stated is not None:
            return stated, Work()
        likely = LIKELY_IMAGES.get((dataset, part), UNKNOWN_IMAGES)
        words = f"{dataset}: the catalogue states no number of {part} images; taken as {likely:,}"
        return likely, Work(words=(words,))

    def _photographs(self, name: str) -> tuple[SourceImages, Work]:
        """Return what the images of a real dataset are like, and what was assumed."""
        dataset: DownstreamDataset = self.config.downstream[name]
        if dataset.loader in loading.ARRAYS_PX:
            channels = 1 if dataset.loader in loading.GRAY else 3
            side = loading.ARRAYS_PX[dataset.loader]
            return SourceImages(0.0, Origin.EXACT, side, channels), Work()
        seconds, _ = self.rates.one("picture_s")
        words = f"photographs: JPEG of 500 × 375 px, prepared as from {loading.PHOTOGRAPH_PX} px"
        source = SourceImages(seconds, Origin.ASSUMED, loading.PHOTOGRAPH_PX, 3)
        return source, Work(words=(words,))


def _together(computed: Work, loaded: Work, *, loaders: int) -> Work:
    """Return the work of network and images: in turn, or side by side with loader processes."""
    both = computed.then(loaded)
    if loaders:
        walls = (computed.wall, loaded.wall * (1 / loaders))
        return replace(both, wall=max(walls, key=lambda wall: wall.value))
    if loaded.wall.value <= computed.wall.value:
        return both
    words = (
        "images are prepared inside the training process (loader_workers: 0), and that takes longer"
        " than the network: `--config loader_workers=N` shares it among N processes"
    )
    return both.then(Work(words=(words,)))
