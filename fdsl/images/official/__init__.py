"""The datasets as the released programs draw them, to check ours against the originals.

The programs consume one random sequence: category k depends on all candidates before it, and with
RCDB and VisualAtom every image depends on all images before it. So these datasets are slow to start
and are drawn in order; the other datasets of this package have random access.
"""

from __future__ import annotations

from fdsl.images.official.fractaldb import OfficialFractalDB
from fdsl.images.official.rcdb import OfficialRCDB
from fdsl.images.official.visualatom import OfficialVisualAtom
from fdsl.images.streamed import DrawnImages
from fdsl.schema.base import ConfigError, choose
from fdsl.schema.catalogue import SyntheticDataset

CONTOURS = {"rcdb": OfficialRCDB, "visualatom": OfficialVisualAtom}
FORMULAS = ("fractaldb", *CONTOURS)


def images(dataset: SyntheticDataset, *, threads: int, seed: int = 0) -> DrawnImages:
    """Return the official images of a dataset.

    Parameters
    ----------
    threads
        Processes that the authors' program was started with. RCDB and VisualAtom differ with it;
        FractalDB does not.
    seed
        Root seed of what the original leaves to chance: the patterns of FractalDB's patches.
        Everything else is the authors'.

    Raises
    ------
    ConfigError
        If the formula has no official mode, or the settings or the number of threads are not
        possible in it.
    """
    where = f"official mode of {dataset.title or dataset.formula}"
    choose("formula", dataset.formula, FORMULAS, where=where)
    if dataset.reduce is not None or dataset.spread_over is not None:
        raise ConfigError(f"{where}: the authors' program has neither reduce nor spread_over")
    if dataset.formula == "fractaldb":
        # 2D-OFDB: the released code draws weight row 0 of each category, our catalogue none
        settings = {k: v for k, v in dataset.settings.items() if (k, v) != ("weighted", False)}
        dataset = dataset.model_copy(update={"settings": settings})
        return OfficialFractalDB(dataset, seed=seed, where=where)
    if seed != 0:
        raise ConfigError(f"{where}: seed = {seed} is not used, the program has its own: omit it")
    return CONTOURS[dataset.formula](dataset, threads=threads, where=where)


def settings_names(formula: str) -> list[str]:
    """Return the names of the settings of a formula's official mode."""
    choose("formula", formula, list(FORMULAS), where="official mode")
    return list(CONTOURS.get(formula, OfficialFractalDB).SETTINGS.model_fields)
