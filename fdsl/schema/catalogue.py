"""What exists: synthetic datasets, downstream datasets, models and published weights, one entry
each in workflow/catalog.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from fdsl.schema.base import FrozenModel

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
    """A catalogue entry: values that decide what is computed, and words for people."""

    DOC_FIELDS: ClassVar[set[str]]

    def hashed_fields(self) -> dict[str, Any]:
        """Return the values that decide what is computed, as plain data, so that better words
        re-run nothing.
        """
        return self.model_dump(mode="json", exclude=self.DOC_FIELDS)


class SyntheticDataset(Entry):
    """A formula with classes × instances and the formula's settings."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source"}

    title: str = Field(default="", description="name as the papers print it")
    formula: str = Field(description="a name of fdsl.formulas.FORMULAS")
    classes: int = Field(ge=2, le=2**31, description="categories, each one label")
    instances: int = Field(ge=1, le=2**31, description="images of each category")
    settings: dict[str, Any] = Field(description="checked against the formula's Settings")
    source: str = Field(default="", description="where these sizes and settings are stated")


class Archive(FrozenModel):
    """One file that a user downloads, or that `fdsl data fetch` does."""

    name: FileName = Field(
        description="file name as published, looked for directly below data_root"
    )
    md5: Md5 | None = Field(default=None, description="null where none was published")
    url: str | None = Field(
        default=None, pattern=r"^https?://", description="null where a person must get it"
    )
    into: Below = Field(
        default=".", description="folder below data_root that it is unpacked or copied into"
    )
    megabytes: int | None = Field(
        default=None, gt=0, description="rough size; a download above twice this is stopped"
    )


SHIPPED = "workflow/catalog/"  # class lists that come with the project

Part = Literal["train", "test"]
BOTH: tuple[Part, Part] = ("train", "test")

PLACED = ("image_folder", "unlabelled_folder", "arrow", "parquet", "coco")  # read `parts`
TABLES = ("arrow", "parquet")


class Columns(FrozenModel):
    """Where the rows of a table keep a picture and its label."""

    image: str = Field(
        default="image", description="encoded pictures: struct {bytes, path} or binary"
    )
    label: str = Field(default="label", description="integers from 0 to classes - 1")


class Composition(FrozenModel):
    """How a dataset in COCO's format is made of pictures of other datasets: objects laid over one
    another on canvases.

    Ours. An object is what of its picture is at least as bright as `foreground_level`; what later
    objects cover is taken from its mask and box.
    """

    sources: dict[str, list[Part]] = Field(
        min_length=1,
        description=(
            "downstream datasets -> their parts whose pictures become objects; each class is a"
            " category"
        ),
    )
    train_share: float = Field(
        gt=0, lt=1, description="of each class's pictures; the others stand on test canvases alone"
    )
    train_images: int = Field(gt=0, le=10**6, description="canvases")
    test_images: int = Field(gt=0, le=10**6, description="canvases")
    size_px: tuple[int, int] = Field(description="smallest and largest side of a canvas")
    objects: tuple[int, int] = Field(description="fewest and most objects on a canvas")
    object_px: tuple[int, int] = Field(
        description="smallest and largest side of an object's picture"
    )
    foreground_level: int = Field(ge=1, le=255, description="gray level")
    background_level: int = Field(ge=0, le=255, description="largest mean gray level of a canvas")
    min_visible: float = Field(
        gt=0, le=1, description="share of an object's area that must stay uncovered"
    )
    seed: int = Field(ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ranges_fit(self) -> Composition:
        for name, least in (("size_px", 8), ("objects", 1), ("object_px", 4)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise ValueError(f"{name} = ({low}, {high}) must ascend from {least} or more")
        if self.object_px[1] > self.size_px[0]:
            raise ValueError(
                f"object_px = {self.object_px} must not exceed the smallest canvas,"
                f" {self.size_px[0]}"
            )
        return self


class DownstreamDataset(Entry):
    """Real images that a network is fine-tuned on, or pre-trained on for comparison."""

    DOC_FIELDS: ClassVar[set[str]] = {
        "title",
        "column",
        "also_in",
        "layout",
        "archives",
        "fetchable",
        "licence",
        "how_to_get",
        "notes",
    }

    title: str
    column: str = Field(description="heading in the tables")
    loader: Literal[
        "cifar10",
        "cifar100",
        "stanford_cars",
        "flowers102",
        "voc2012",
        "voc2012_multilabel",
        "places",
        "image_folder",
        "unlabelled_folder",
        "arrow",
        "parquet",
        "coco",
        "fashion_mnist",
        "digits",
    ]
    folder: Below = Field(description="below data_root")
    also_in: list[str] = Field(
        default_factory=list,
        description="absolute folders where operating systems' packages put the same files",
    )
    parts: dict[Part, Below] = Field(
        default_factory=dict,
        description=(
            "where each part is below the folder: a folder of pictures (image_folder, whose default"
            " is train and val; unlabelled_folder; coco), a pattern of files such as"
            " data/train-*.parquet (arrow, parquet), or a folder that `save_to_disk` of the package"
            " datasets wrote (arrow). Without `test` there is nothing to evaluate on"
        ),
    )
    columns: Columns | None = Field(
        default=None, description="of the loaders arrow and parquet; null = image and label"
    )
    classes: int = Field(ge=1, description="1 means unlabelled: every label is 0")
    train_images: int | None = Field(
        description=(
            "exact count; null where the paper's list is not public or the count could not be"
            " verified"
        )
    )
    test_images: int | None = Field(
        description="exact count of the split that is evaluated on, or null as above"
    )
    layout: str = Field(description="files that are looked for below the folder, for people")
    files: dict[Below, Md5] = Field(
        default_factory=dict,
        description="name below the folder -> md5 of its content, gunzipped; checked at each load",
    )
    archives: list[Archive] = Field(default_factory=list)
    composed: Composition | None = Field(
        default=None,
        description=(
            "the rule `compose` makes this dataset below results/SCALE/composed; null = it comes"
            " from elsewhere"
        ),
    )
    class_list: Below | None = Field(
        default=None,
        description=(
            "one class name per line: a file below the folder, which the user gives, or"
            f" {SHIPPED}NAME, which stands beside this catalogue"
        ),
    )
    fetchable: bool = Field(description="whether `fdsl data fetch` can bring it by itself")
    licence: str
    how_to_get: str = Field(description="what a person without the data does, in a few sentences")
    notes: str = ""

    @model_validator(mode="after")
    def _can_be_fetched(self) -> DownstreamDataset:
        whole = all(a.url and a.md5 and a.megabytes for a in self.archives)
        if self.fetchable and not (self.archives and whole):
            raise ValueError("fetchable = true needs archives, each with url, md5 and megabytes")
        return self

    @model_validator(mode="after")
    def _list_is_read(self) -> DownstreamDataset:
        if self.class_list is not None and self.loader not in ("places", "image_folder"):
            raise ValueError(
                f"class_list = {self.class_list!r} is only read by the loaders places and"
                " image_folder"
            )
        return self

    @model_validator(mode="after")
    def _parts_are_read(self) -> DownstreamDataset:
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
    def _labels_are_there(self) -> DownstreamDataset:
        if (self.classes == 1) != (self.loader == "unlabelled_folder"):
            raise ValueError(
                f"classes = {self.classes} with the loader {self.loader}: "
                "unlabelled_folder has 1, every other loader at least 2"
            )
        if self.loader == "unlabelled_folder" and "test" in self.parts:
            raise ValueError("parts.test cannot be evaluated: the pictures have no labels")
        return self

    @model_validator(mode="after")
    def _composition_is_stated(self) -> DownstreamDataset:
        made = self.composed
        if made is None:
            return self
        if self.loader != "coco" or set(self.parts) != set(BOTH):
            raise ValueError("composed needs the loader coco, parts.train and parts.test")
        counts = (made.train_images, made.test_images)
        if (self.train_images, self.test_images) != counts:
            raise ValueError(
                f"train_images = {self.train_images} and test_images = {self.test_images}, but"
                f" composed makes {counts}"
            )
        return self

    @property
    def splits(self) -> tuple[Part, ...]:
        """The parts that the dataset has; without "test" it is for pre-training only."""
        return tuple(part for part in BOTH if not self.parts or part in self.parts)

    @property
    def objective(self) -> Literal["cross_entropy", "binary"] | None:
        """What a fine-tuning on it minimises; None where there is nothing to classify, or nothing
        to evaluate on.
        """
        if self.loader == "coco" or self.splits != BOTH:
            return None
        return "binary" if self.loader == "voc2012_multilabel" else "cross_entropy"


class RealPretraining(Entry):
    """A pre-training on real pictures, that formulas are compared with."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source", "overlaps"}

    title: str = Field(min_length=1, description="for people")
    kind: Literal["supervised", "dino"] = Field(
        description="learning the labels, or self-supervised without them"
    )
    dataset: str = Field(
        description="a name of workflow/catalog/downstream.yaml; its training part is used"
    )
    overlaps: list[str] = Field(
        default_factory=list,
        description=(
            "downstream datasets that share pictures and labels with it, so that nothing is learned"
            " from a comparison"
        ),
    )
    source: str = ""


# Arguments with which timm downloads or unpickles.
WEIGHTS = {
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
    "cache_dir",
    "pretrained_strict",
}


class ModelEntry(Entry):
    """A network of timm with the arguments that make it."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "source"}

    title: str = ""
    timm: str = Field(
        pattern=r"^\w[\w.]*$",
        description="a name of timm.create_model; never an address such as hf-hub:…",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="passed to create_model")
    source: str = ""

    @model_validator(mode="after")
    def _weights_are_fresh(self) -> ModelEntry:
        if named := sorted(WEIGHTS & self.arguments.keys()):
            raise ValueError(
                f"arguments = {', '.join(named)} would bring weights from elsewhere: weights that"
                " others published are entries of workflow/catalog/released.yaml"
            )
        return self


class PublishedWeights(Entry):
    """Weights that the authors of a paper published, as one file that a user downloads."""

    DOC_FIELDS: ClassVar[set[str]] = {"title", "page", "licence", "source", "notes"}

    title: str
    pretraining: str = Field(
        description="what they were trained on, a name of workflow/catalog/synthetic.yaml"
    )
    model: str = Field(description="a name of workflow/catalog/models.yaml")
    file: FileName = Field(
        description="file name as published, looked for in the folder weights below data_root"
    )
    sha256: Sha256 | None = Field(description="null where none was published or verified")
    page: str = Field(pattern=r"^https://", description="where a person gets the file")
    classes: int = Field(ge=2, description="outputs of the published head")
    image_size_px: int = Field(ge=8, le=1024, description="side of the training images")
    mean: float | tuple[float, float, float] = Field(
        description="subtracted from pixels in [0, 1], one value or one per channel"
    )
    std: float | tuple[float, float, float] = Field(description="then divided by")
    average: bool = Field(
        default=False, description="take the moving average that stands beside the weights"
    )
    licence: str
    source: str = Field(description="where name, file and normalisation are stated")
    notes: str = ""
