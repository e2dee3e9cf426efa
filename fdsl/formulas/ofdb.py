"""Which OFDB augmentations a dataset can have; checked before any job and before training."""

from __future__ import annotations

from collections.abc import Sequence

from fdsl import formulas
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.recipe import OfdbAugmentation

FORMULAS = ("fractaldb", "exfractaldb")
REDRAWN = ("ifs", "pattern")


def require_possible(
    augmentations: Sequence[OfdbAugmentation],
    dataset: SyntheticDataset | None,
    *,
    streamed: bool,
    where: str,
) -> None:
    """Refuse augmentations that a dataset cannot have.

    Parameters
    ----------
    augmentations
        A recipe's `augmentation.ofdb`; nothing is refused if it is empty.
    dataset
        The training set; None for real images.
    streamed
        Whether images are drawn in the loader rather than read from shards.
    where
        What the user would have to edit.

    Raises
    ------
    ConfigError
        If the formula is not one of OFDB's; if images would have to be drawn anew but are stored;
        if `ifs` should vary coefficients that the dataset's instances vary already.
    """
    if not augmentations:
        return
    asked = f"{where}: augmentation.ofdb = {list(augmentations)}"
    if dataset is None or dataset.formula not in FORMULAS:
        what = "real images" if dataset is None else f"the formula {dataset.formula}"
        raise ConfigError(
            f"{asked} cannot be used on {what}: it is for {' and '.join(FORMULAS)}. Use [] here."
        )
    redrawn = [name for name in augmentations if name in REDRAWN]
    if redrawn and not streamed:
        raise ConfigError(
            f"{asked}: {' and '.join(redrawn)} must draw each image anew, but images are stored. "
            "Use images: stream in the scale, or only rotation and texture."
        )
    settings = validate(
        formulas.get(dataset.formula).Settings, dataset.settings, where=f"{where}: settings"
    ).model_dump()
    if "ifs" in augmentations and settings["weighted"] and settings["instance_row"] is None:
        raise ConfigError(
            f"{asked}: ifs varies coefficients, but so do the instances of"
            f" {dataset.title or 'the dataset'} (weighted = true). Set weighted: false or an"
            " instance_row in the dataset's settings."
        )
