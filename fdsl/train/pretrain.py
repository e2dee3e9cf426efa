"""Pre-training on synthetic or real images: weights with a model card, and a record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fdsl.augment.ofdb import AugmentedImages
from fdsl.images.shards import ShardedImages
from fdsl.images.streamed import StreamedImages
from fdsl.train import model_card, weights
from fdsl.train.classification import classification
from fdsl.train.fit import MakeObjective, exclusive, fit
from fdsl.train.task import ClassificationTask


def pretrain(
    task: ClassificationTask,
    *,
    out: Path,
    card: model_card.CardText,
    objective: MakeObjective[ClassificationTask] = classification,
) -> None:
    """Train a network from fresh weights, by default to classify the images of a dataset.

    Started again after an interruption it resumes from the newest checkpoint.

    Parameters
    ----------
    out
        Where the weights go: the averaged ones where the recipe has an average, the teacher's for
        DINO. `config.json` and README.md are written beside them.
    card
        What README.md says of images, network and scale.
    objective
        `classification`, or `fdsl.train.dino.SelfDistillation` (then `classes` is 0: the result has
        no head).

    Raises
    ------
    ValueError
        Before training, if classes, objective, recipe, batch and number of processes do not fit
        together, if the images cannot be varied as the recipe's `augmentation.ofdb` says, or if the
        checkpoints are of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    ofdb = task.recipe.augmentation.ofdb
    if ofdb and isinstance(task.train, StreamedImages | ShardedImages):
        task = replace(task, train=AugmentedImages(task.train, ofdb))
    with exclusive(task) as here:
        train_state, history = fit(task, processes=here, objective=objective)
        if not here.leads:
            return
        found = task.result(history, steps=train_state.step)
        weights.save(out, train_state.result, metadata=task.weights_metadata())
        cards = model_card.write_for(task, train_state.result, found, text=card, folder=out.parent)
        task.write_record(found, history, processes=here, outputs=[out, *cards])
