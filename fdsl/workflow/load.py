"""Reading all YAML files, and their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

from fdsl.schema.base import FrozenModel, validate
from fdsl.schema.catalogue import (
    DownstreamDataset,
    ModelEntry,
    PublishedWeights,
    RealPretraining,
    SyntheticDataset,
)
from fdsl.schema.detection import FOLDER, DetectionRecipe
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Recipe
from fdsl.schema.recipe_files import read_probe, recipes
from fdsl.schema.scale import Scale
from fdsl.schema.study.paper import Study
from fdsl.schema.user import ScaleName, UserConfig
from fdsl.schema.yaml_files import catalog, read_yaml, workflow_folder
from fdsl.workflow.checks import check
from fdsl.workflow.config import Config

CATALOGS: dict[str, type[FrozenModel]] = {
    "synthetic": SyntheticDataset,
    "downstream": DownstreamDataset,
    "pretrainings": RealPretraining,
    "models": ModelEntry,
    "published_weights": PublishedWeights,
}
Model = TypeVar("Model", bound=FrozenModel)


def load(
    values: dict[str, Any], *, folder: Path | None = None, where: str = "config.yaml (or --config)"
) -> Config:
    """Read and check everything.

    Parameters
    ----------
    values
        What stands in config.yaml, after the command line's changes.
    folder
        The workflow folder.

    Raises
    ------
    ConfigError
        File, key, value, what is allowed, for every fault of the first file that has one.
    """
    folder = folder or workflow_folder()
    catalogs: dict[str, Any] = {name: catalog(folder, name, CATALOGS[name]) for name in CATALOGS}
    config = Config(
        **catalogs,
        user=validate(UserConfig, values, where=where),
        recipes=recipes(folder),
        probe=read_probe(folder),
        detection_recipes=recipes(folder, DetectionRecipe, below=FOLDER),
        scales={
            name: _read(Scale, folder / "scales" / f"{name}.yaml") for name in get_args(ScaleName)
        },
        studies={
            path.stem: _read(Study, path) for path in sorted((folder / "studies").glob("*.yaml"))
        },
    )
    check(config)
    return config


def _read(model: type[Model], path: Path) -> Model:
    """Read a whole YAML file as a model."""
    return validate(model, read_yaml(path), where=f"workflow/{path.parent.name}/{path.name}")


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of all YAML files, for editors and for whoever reads
    workflow/schemas.
    """
    whole: dict[str, type[FrozenModel]] = {
        "config": UserConfig,
        "scale": Scale,
        "study": Study,
        "recipe-values": Recipe,
        "probe-values": Probe,
        "detection-recipe-values": DetectionRecipe,
    }
    catalogs = {
        name: {"type": "object", "additionalProperties": model.model_json_schema()}
        for name, model in CATALOGS.items()
    }
    return {**catalogs, **{name: model.model_json_schema() for name, model in whole.items()}}
