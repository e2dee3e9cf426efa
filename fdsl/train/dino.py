"""Learning without labels: DINO (Caron et al. 2021, arXiv:2104.14294), by lightly's loss and head.

A student learns to predict, from every view of an image, a teacher's output for the two large
views; the teacher is a running average of the student and is what remains. Schedules are those of
the released main_dino.py: per update, but by epochs for the temperature and the frozen last layer.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightly.loss import DINOLoss
from lightly.models.modules import DINOProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import Tensor, nn
from torch.optim import Optimizer

from fdsl.augment.multi_crop import MultiCrop
from fdsl.schema.recipe import Dino
from fdsl.train import models, optim
from fdsl.train.classification import batch_transform
from fdsl.train.distributed import Processes
from fdsl.train.evaluate import autocast
from fdsl.train.input.loader import Batch, TrainingTransform
from fdsl.train.schedule import schedule
from fdsl.train.task import ClassificationTask


class Projected(nn.Module):
    """A network without a classifier, and the head that projects its features."""

    def __init__(self, backbone: nn.Module, head: DINOProjectionHead) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, *crops: Tensor) -> Tensor:
        """Return (views, B, out_dim) of views (B, V, C, S, S), which may have several sizes."""
        batch = len(crops[0])
        features = [self.backbone(views.transpose(0, 1).flatten(0, 1)) for views in crops]
        projected: Tensor = self.head(torch.cat(features))
        return projected.reshape(-1, batch, projected.shape[1])


class CentredLoss(DINOLoss):  # type: ignore[misc]  # lightly has no types
    """lightly's loss, whose centre moves once an update rather than once a micro-batch."""

    def __init__(self, settings: Dino) -> None:
        super().__init__(
            output_dim=settings.out_dim,
            warmup_teacher_temp=settings.teacher_temperature_start,
            teacher_temp=settings.teacher_temperature,
            warmup_teacher_temp_epochs=settings.teacher_temperature_warmup_epochs,
            student_temp=settings.student_temperature,
            center_momentum=settings.center_momentum,
        )
        self._means: list[Tensor] = []

    def update_center(self, teacher_out: Tensor) -> None:
        """Remember the mean (1, 1, out_dim) of a micro-batch."""
        self._means.append(teacher_out.mean(dim=(0, 1), keepdim=True))

    def settle(self) -> None:
        """Move the centre by the mean over all processes; every process must call it."""
        super().update_center(torch.cat(self._means))
        self._means.clear()


class SelfDistillation:
    """The objective of DINO.

    An image counts as correct where the student's likeliest output for its second large view is the
    teacher's for the first: near 1 / out_dim at the beginning, and at 100 % all along in a training
    that has collapsed to one output.

    Parameters
    ----------
    task
        Its recipe has a section `dino`.
    processes
        Who shares the training; normalisation of batches in a network goes by process, as in DINO
        without SyncBatchNorm.

    Raises
    ------
    ValueError
        If the recipe has no section `dino`, if the network cannot take its small views, or if only
        deterministic kernels are allowed on a GPU: torch has none for the gradient of the position
        embedding that is resampled for small views.
    """

    def __init__(self, task: ClassificationTask, processes: Processes) -> None:
        if task.recipe.dino is None:
            raise ValueError(f"{task.run}: the recipe has no section dino, which this needs")
        self.recipe, self.settings, self.device = task.recipe, task.recipe.dino, processes.device
        if self.device.type == "cuda" and task.devices.deterministic:
            raise ValueError(
                f"{task.run}: deterministic = true, but DINO has no deterministic gradient on a"
                " GPU; use false"
            )
        self.counts = True
        self.clip_each = self.settings.clip_each
        self._schedule = schedule(task.recipe, images=task.stream().images)
        self._transform = batch_transform(task, processes, train=False)
        self.network = self._projected(task, drop_path=task.recipe.drop_path)
        task.load_weights(self.network.backbone)
        self.teacher = self._projected(task, drop_path=0.0)
        self.teacher.load_state_dict(self.network.state_dict())
        deactivate_requires_grad(self.teacher)
        self._loss = CentredLoss(self.settings)
        for module in (self.network, self.teacher):
            models.choose_attention(module, device=self.device, precision=task.recipe.precision)
        for module in (self.network, self.teacher, self._loss):
            module.to(self.device)

    @property
    def result(self) -> nn.Module:
        """The teacher without its head: a network that gives features."""
        return self.teacher.backbone

    def transform(self) -> TrainingTransform:
        """Return what makes the views."""
        return MultiCrop(self.recipe)

    def loss(self, network: nn.Module, batch: Batch, *, step: int) -> tuple[Tensor, Tensor]:
        """Return DINO's cross-entropy between views, and how many images count as correct."""
        crops = [self._normalised(views, batch, step) for views in batch.images if views.shape[1]]
        with autocast(self.device, self.recipe.precision):
            with torch.no_grad():
                target = self.teacher(crops[0])
            output = network(*crops)
        target, output = target.float(), output.float()
        epoch = self._schedule.epoch_after(step)
        loss = self._loss(list(target), list(output), epoch=epoch)
        return loss, (output.detach()[1].argmax(1) == target[0].argmax(1)).sum()

    def before_update(self, optimizer: Optimizer, *, step: int) -> None:
        """Set this update's weight decay; freeze the last layer in the first epochs."""
        first, last = self.recipe.weight_decay, self.settings.weight_decay_end
        optim.set_weight_decay(optimizer, self._schedule.cosine(step, first, last))
        self.network.head.cancel_last_layer_gradients(self._schedule.epoch_after(step))

    def after_update(self, *, step: int) -> None:
        """Update the teacher and the centre."""
        first, last = self.settings.teacher_momentum, self.settings.teacher_momentum_end
        momentum = self._schedule.cosine(step, first, last)
        update_momentum(self.network, self.teacher, m=momentum)
        self._loss.settle()

    def state(self) -> dict[str, Any]:
        """Return student, teacher and centre."""
        return {
            "student": self.network.state_dict(),
            "teacher": self.teacher.state_dict(),
            "loss": self._loss.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load student, teacher and centre."""
        self.network.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self._loss.load_state_dict(state["loss"])

    def _projected(self, task: ClassificationTask, *, drop_path: float) -> Projected:
        backbone = models.build(
            task.model,
            image_size_px=self.recipe.image_size_px,
            classes=0,
            drop_path=drop_path,
            seed=task.seed,
            any_size=True,
            position_start=self.recipe.position_start,
        )
        _require_whole_patches(backbone, self.settings, task)
        width: Any = backbone.head_hidden_size
        return Projected(backbone, _head(self.settings, features=width, seed=task.seed))

    def _normalised(self, views: Tensor, batch: Batch, step: int) -> Tensor:
        """Return uint8 views (B, V, C, S, S) as float32 on the device."""
        flat, _ = self._transform(batch._replace(images=views.flatten(0, 1)), step)
        return flat.reshape(*views.shape[:2], *flat.shape[1:])


def _head(settings: Dino, *, features: int, seed: int) -> DINOProjectionHead:
    """Make a head with weights that depend on the seed alone."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        # lightly 1.6 uses the older of torch's two weight normalisations
        warnings.filterwarnings("ignore", ".*weight_norm. is deprecated", FutureWarning)
        models.seed_initialisation(seed, 0, 0, 1)
        return DINOProjectionHead(
            features,
            settings.hidden_dim,
            settings.bottleneck_dim,
            settings.out_dim,
            freeze_last_layer=settings.freeze_last_layer_epochs,
            norm_last_layer=settings.norm_last_layer,
        )


def _require_whole_patches(backbone: nn.Module, settings: Dino, task: ClassificationTask) -> None:
    """Raise ValueError if small views cannot be cut into patches."""
    patches = getattr(getattr(backbone, "patch_embed", None), "patch_size", None)
    side = settings.views.local_size_px
    if patches is not None and any(side % patch for patch in patches):
        raise ValueError(
            f"{task.run}: dino.views.local_size_px = {side} is no multiple of the network's patches"
            f" of {patches[0]} px"
        )
