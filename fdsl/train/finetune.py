"""Fine-tuning on a downstream dataset, from pre-trained weights or from scratch."""

from __future__ import annotations

from pathlib import Path

from fdsl.train import weights
from fdsl.train.classification import classification
from fdsl.train.fit import exclusive, fit
from fdsl.train.task import ClassificationTask


def finetune(task: ClassificationTask, *, out: Path | None = None) -> None:
    """Train a network on labelled real images and count its correct predictions on test images.

    The same recipe serves scratch and pre-trained starts: only the weights differ. Started again
    after an interruption it resumes from the newest checkpoint.

    Parameters
    ----------
    out
        Where the fine-tuned weights go, or None.

    Raises
    ------
    ValueError
        Before training, if names, classes, batch and number of processes do not fit together, if
        the weights are not of this network, or if the checkpoints are of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    task.require_start()
    with exclusive(task) as here:
        train_state, history = fit(task, processes=here, objective=classification)
        if not here.leads:
            return
        if out is not None:
            weights.save(out, train_state.result, metadata=task.weights_metadata())
        found = task.result(history, steps=train_state.step)
        made = [] if out is None else [out]
        task.write_record(found, history, processes=here, outputs=made)
