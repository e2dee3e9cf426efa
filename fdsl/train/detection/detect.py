"""Training a detector on a dataset in COCO's format, and testing it at the end."""

from __future__ import annotations

import logging

from fdsl.train import models
from fdsl.train.detection import coco_scores
from fdsl.train.detection.objective import DetectionTask, instance_segmentation
from fdsl.train.detection.scenes import TestScenes
from fdsl.train.fit import exclusive, fit
from fdsl.train.input.loader import evaluation_batches

log = logging.getLogger(__name__)


def detect(task: DetectionTask) -> None:
    """Train Mask R-CNN and record COCO's scores of the last epoch's weights on the test images.

    The same recipe serves scratch and pre-trained starts: only the weights below the detector
    differ. Started again after an interruption it resumes from the newest checkpoint; the last one
    holds the finished training, so that a kill during the test repeats the test alone.

    Raises
    ------
    ValueError
        Before training: if several processes share it, which is not built; if names, classes and
        batch do not fit together; if the weights are not of this network; if the checkpoints are
        of another training.
    Interrupted
        After saving a checkpoint, on SIGTERM, SIGUSR1 or the end of the wall time: exit code 85.
    NonFiniteLoss
        If the loss is infinite or not a number.
    """
    task.require_start()
    recipe, test = task.recipe, task.test
    with exclusive(task) as here:
        train_state, history = fit(task, processes=here, objective=instance_segmentation)
        scenes = TestScenes(test, channels=models.channels(task.model))
        batch = min(task.devices.micro_batch or recipe.global_batch, recipe.global_batch)
        batches = evaluation_batches(scenes, here, batch=batch)
        found = coco_scores.detect(
            train_state.result, batches, test, device=here.device, precision=recipe.precision
        )
        scores = coco_scores.score(test.annotations, found)
        found_ap = scores["images"], scores["box"]["ap"], scores["mask"]["ap"]
        log.info("%s: %d images, AP %.2f %% of boxes, %.2f %% of masks", task.run, *found_ap)
        result = {
            "steps": train_state.step,
            "epochs": recipe.all_epochs,
            "train_images": task.stream().images,
            "classes": task.classes,
            "final_loss": history.last_epoch.loss / history.last_epoch.updates,
            "detections": len(found),
            **scores,
        }
        task.write_record(result, history, processes=here)
