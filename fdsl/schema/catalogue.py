"""Entries of workflow/catalog: synthetic and downstream datasets, models, published weights."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from fdsl.schema.base import FrozenModel
from fdsl.schema.recipe import PerChannel
from fdsl.schema.smaller import Reduction, spread

Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]


def _below(path: str) -> str:
    """Return a relative path that stays where it begins."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not path.isprintable():
        raise ValueError(f"{path!r} must lie below the folder")
    return path


Below = Annotated[str, AfterValidator(_below)]


class Entry(FrozenModel):
    """A catalogue entry: values that decide what is computed, and documentation."""

    DOC_FIELDS: ClassVar[set[str]]

    def hashed_fields(self) -> dict[str, Any]:
        """Return the values that decide what is computed, as plain data, without DOC_FIELDS."""
        return self.model_dump(mode="json", exclude=self.DOC_FIELDS)


class SyntheticDataset(Entry):
    """A formula with classes × instances and the formula's settings."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source"}
    OPTIONAL: ClassVar[set[str]] = {"reduce", "spread_over"}  # absent from data where not set

    title: str = Field("", description="name as the papers print it")
    formula: str = Field(description="a name of fdsl.formulas.FORMULAS")
    classes: int = Field(ge=2, le=2**31, description="categories, each one label")
    instances: int = Field(ge=1, le=2**31, description="images of each category")
    settings: dict[str, Any] = Field(description="checked against the formula's Settings")
    reduce: Reduction | None = Field(None, description="draw large, average down; null = as drawn")
    spread_over: int | None = Field(
        None, ge=1, description="take `instances` evenly from so many; null = the first ones"
    )
    source: str = Field("", description="where these sizes and settings are stated")

    @model_validator(mode="after")
    def _instances_exist(self) -> SyntheticDataset:
        if self.spread_over is not None and self.spread_over < self.instances:
            raise ValueError(f"spread_over = {self.spread_over} has no {self.instances} instances")
        return self

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out optional fields that are not set, so that they change no digest."""
        values = handler(self)
        return {k: v for k, v in values.items() if k not in self.OPTIONAL or v is not None}

    def drawn_instance(self, instance: int) -> int:
        """Return which instance of the formula is number `instance` of this dataset."""
        whole = self.spread_over
        return instance if whole is None else spread(instance, of=self.instances, over=whole)

    @property
    def side_px(self) -> int | None:
        """Side of the images if `settings` or `reduce` state it; None for the formula's default."""
        return self.settings.get("image_size_px") if self.reduce is None else self.reduce.to_px


class Archive(FrozenModel):
    """One file that a user downloads, or that `fdsl data fetch` does."""

    name: FileName = Field(description="as published; looked for directly below data_root")
    md5: Md5 | None = Field(None, description="null where none was published")
    url: str | None = Field(None, pattern=r"^https?://", description="null: download it by hand")
    into: Below = Field(".", description="folder below data_root to unpack or copy it into")
    megabytes: int | None = Field(None, gt=0, description="rough; downloads stop at twice this")


SHIPPED = "workflow/catalog/"  # class lists that come with the project

Part = Literal["train", "test"]
BOTH: tuple[Part, Part] = ("train", "test")

Placed = Literal["image_folder", "unlabelled_folder", "arrow", "parquet", "coco"]
PLACED: tuple[Placed, ...] = get_args(Placed)  # the loaders that read `parts`
TABLES = ("arrow", "parquet")
Small = Literal["cifar10", "cifar100", "stanford_cars", "flowers102", "fashion_mnist", "digits"]
Loader = Literal[Placed, Small, "voc2012", "voc2012_multilabel", "places"]


class Columns(FrozenModel):
    """Which columns of a table hold an image and its label."""

    image: str = Field("image", description="encoded: struct {bytes, path} or binary")
    label: str = Field("label", description="integers from 0 to classes - 1")


class Composition(FrozenModel):
    """A dataset in COCO's format composed of images of other datasets: objects on canvases.

    Ours. An object is the part of its image that is at least as bright as `foreground_level`;
    later objects cover earlier ones, whose masks and boxes shrink accordingly.
    """

    sources: dict[str, list[Part]] = Field(
        min_length=1, description="downstream dataset -> parts; each of its classes is a category"
    )
    train_share: float = Field(gt=0, lt=1, description="of each class; the rest is for tests alone")
    train_images: int = Field(gt=0, le=10**6, description="canvases")
    test_images: int = Field(gt=0, le=10**6, description="canvases")
    size_px: tuple[int, int] = Field(description="smallest and largest side of a canvas")
    objects: tuple[int, int] = Field(description="fewest and most objects on a canvas")
    object_px: tuple[int, int] = Field(description="smallest and largest side of an object's image")
    foreground_level: int = Field(ge=1, le=255, description="gray level")
    background_level: int = Field(ge=0, le=255, description="largest mean gray level of a canvas")
    min_visible: float = Field(gt=0, le=1, description="least uncovered share of an object's area")
    seed: int = Field(ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ranges_fit(self) -> Composition:
        for name, least in (("size_px", 8), ("objects", 1), ("object_px", 4)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise ValueError(f"{name} = ({low}, {high}) must ascend from {least} or more")
        if self.object_px[1] > self.size_px[0]:
            raise ValueError(f"object_px = {self.object_px} exceeds size_px[0] = {self.size_px[0]}")
        return self


class DownstreamDataset(Entry):
    """Real images that a network is fine-tuned on, or pre-trained on for comparison.

    `parts` says where below the folder each part is: a folder of images (image_folder, by default
    train and val; unlabelled_folder; coco), a pattern such as data/train-*.parquet (arrow,
    parquet), or what `save_to_disk` of the package datasets wrote (arrow). Without `test` there is
    nothing to evaluate on. An image count is null if it is not public or not verified.
    """

    DOC_FIELDS: ClassVar[set[str]] = {"title", "column", "licence", "how_to_get", "notes"} | {
        *("also_in", "layout", "archives", "fetchable")  # where the files are
    }

    title: str
    column: str = Field(description="heading in the tables")
    loader: Loader
    folder: Below = Field(description="below data_root")
    also_in: list[str] = Field([], description="absolute folders of system packages")
    parts: dict[Part, Below] = Field({}, description="folder or file pattern of each part")
    columns: Columns | None = Field(None, description="of arrow and parquet")
    classes: int = Field(ge=1, description="1 means unlabelled: every label is 0")
    train_images: int | None = Field(description="exact count, or null if unknown")
    test_images: int | None = Field(description="exact count of the evaluated split, or null")
    layout: str = Field(description="the expected files below the folder, in words")
    files: dict[Below, Md5] = Field({}, description="name -> md5 gunzipped; checked at each load")
    archives: list[Archive] = Field([])
    composed: Composition | None = Field(None, description="how the rule `compose` makes it")
    class_list: Below | None = Field(
        None, description=f"one class per line: below the folder, or {SHIPPED}NAME"
    )
    fetchable: bool = Field(description="whether `fdsl data fetch` can bring it by itself")
    licence: str
    how_to_get: str = Field(description="how to obtain the data, in a few sentences")
    notes: str = ""

    @model_validator(mode="after")
    def _fields_are_read(self) -> DownstreamDataset:
        whole = all(a.url and a.md5 and a.megabytes for a in self.archives)
        if self.fetchable and not (self.archives and whole):
            raise ValueError("fetchable = true needs archives, each with url, md5 and megabytes")
        if self.class_list is not None and self.loader not in ("places", "image_folder"):
            raise ValueError("class_list is only read by the loaders places and image_folder")
        if self.parts and self.loader not in PLACED:
            raise ValueError(f"parts are only read by the loaders {', '.join(PLACED)}")
        if self.loader in PLACED and self.loader != "image_folder" and "train" not in self.parts:
            raise ValueError(f"parts.train is missing: the loader {self.loader} needs to know it")
        if self.columns is not None and self.loader not in TABLES:
            raise ValueError(f"columns are only read by the loaders {', '.join(TABLES)}")
        if "test" not in self.splits and self.test_images is not None:
            raise ValueError(f"test_images = {self.test_images}, but there is no test part")
        return self

    @model_validator(mode="after")
    def _images_are_stated(self) -> DownstreamDataset:
        if (self.classes == 1) != (self.loader == "unlabelled_folder"):
            raise ValueError(
                f"classes = {self.classes} with the loader {self.loader}: "
                "unlabelled_folder has 1, every other loader at least 2"
            )
        if self.loader == "unlabelled_folder" and "test" in self.parts:
            raise ValueError("parts.test cannot be evaluated: the images have no labels")
        if (made := self.composed) is None:
            return self
        if self.loader != "coco" or set(self.parts) != set(BOTH):
            raise ValueError("composed needs the loader coco, parts.train and parts.test")
        stated, counts = ((x.train_images, x.test_images) for x in (self, made))
        if stated != counts:
            raise ValueError(f"train_images, test_images = {stated}, but composed makes {counts}")
        return self

    @property
    def splits(self) -> tuple[Part, ...]:
        """The parts that the dataset has; without "test" it is for pre-training only."""
        return tuple(part for part in BOTH if not self.parts or part in self.parts)

    @property
    def objective(self) -> Literal["cross_entropy", "binary"] | None:
        """The loss of a fine-tuning; None without classes or without a test part."""
        if self.loader == "coco" or self.splits != BOTH:
            return None
        return "binary" if self.loader == "voc2012_multilabel" else "cross_entropy"


class RealPretraining(Entry):
    """A pre-training on real images, that formulas are compared with."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source", "overlaps"}

    title: str = Field(min_length=1)
    kind: Literal["supervised", "dino"] = Field(description="dino is self-supervised")
    dataset: str = Field(description="of catalog/downstream.yaml; its training part is used")
    labels: Literal[True, "shuffled"] = Field(
        True, description="shuffled: permuted over the images, as a negative control"
    )
    overlaps: list[str] = Field([], description="datasets that share labelled images: not compared")
    source: str = ""

    @model_validator(mode="after")
    def _labels_are_used(self) -> RealPretraining:
        if self.kind == "dino" and self.labels == "shuffled":
            raise ValueError("labels = shuffled means nothing to kind dino, which uses none")
        return self


# Arguments with which timm downloads or unpickles.
WEIGHTS = {"checkpoint_path", "cache_dir", "pretrained", "pretrained_cfg"}
WEIGHTS |= {"pretrained_cfg_overlay", "pretrained_strict"}


class ModelEntry(Entry):
    """A network of timm with the arguments that make it."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source"}

    title: str = ""
    timm: str = Field(pattern=r"^\w[\w.]*$", description="for timm.create_model; no hf-hub:…")
    arguments: dict[str, Any] = Field({}, description="passed to create_model")
    source: str = ""

    @model_validator(mode="after")
    def _weights_are_fresh(self) -> ModelEntry:
        if named := sorted(WEIGHTS & self.arguments.keys()):
            raise ValueError(
                f"arguments = {', '.join(named)} would bring weights from elsewhere: weights that"
                " others published are entries of workflow/catalog/published_weights.yaml"
            )
        return self


class PublishedWeights(Entry):
    """Weights that the authors of a paper published, as one file that a user downloads."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "page", "licence", "source", "notes"}

    title: str
    pretraining: str = Field(description="a name of workflow/catalog/synthetic.yaml")
    model: str = Field(description="a name of workflow/catalog/models.yaml")
    file: FileName = Field(description="as published; looked for in weights below data_root")
    sha256: Sha256 | None = Field(description="null where none was published or verified")
    page: str = Field(pattern=r"^https://", description="download page")
    classes: int = Field(ge=2, description="outputs of the published head")
    image_size_px: int = Field(ge=8, le=1024, description="side of the training images")
    mean: PerChannel = Field(description="subtracted from pixels in [0, 1]")
    std: PerChannel = Field(description="then divided by")
    average: bool = Field(False, description="use the moving average in the same file")
    licence: str
    source: str = Field(description="where name, file and normalisation are stated")
    notes: str = ""
