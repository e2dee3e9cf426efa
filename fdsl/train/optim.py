"""Optimiser, loss scale and weight average, and the one place where weights change."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from fdsl.schema.recipe import Optimisation

Trained = tuple[Tensor, Tensor]
"""A parameter and its gradient."""


class Average(Protocol):
    """A moving average of a network's weights."""

    module: nn.Module

    def update(self, model: nn.Module, *, step: int) -> None:
        """Follow the network after `step` updates."""


def optimizer(model: nn.Module, *, recipe: Optimisation) -> Optimizer:
    """Return AdamW (betas 0.9 and 0.999, epsilon 1e-8), SGD, or Muon with AdamW.

    SGD has Nesterov momentum or not. Muon changes the matrices of `block_matrices`, at a rate of
    `muon_lr_factor` times the recipe's, and AdamW the rest. Weight decay is not applied to vectors
    (biases, norms) nor to what the network names, such as position embeddings and class tokens, as
    in the papers' released code. With `layer_decay` the layers' learning rates differ
    (`layer_groups`).

    Raises
    ------
    ValueError
        If the recipe asks for Muon and the network has no matrices in blocks.
    """
    if recipe.optimizer == "muon":
        return _muon(model, recipe=recipe)
    if recipe.layer_decay is None:
        groups = _two_groups(*decay_groups(model), recipe=recipe)
    else:
        groups = layer_groups(
            model, weight_decay=recipe.weight_decay, layer_decay=recipe.layer_decay
        )
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
    nesterov = recipe.optimizer == "sgd" and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)


def _muon(model: nn.Module, *, recipe: Optimisation) -> Optimizer:
    """Return Muon for the matrices in blocks and AdamW for the rest."""
    matrices = block_matrices(model)
    if not matrices:
        raise ValueError(
            f"optimizer = muon: {type(model).__name__} has no matrices in blocks; use adamw"
        )
    decayed, exempt = decay_groups(model)
    inside = set(map(id, matrices))
    rest = [parameter for parameter in decayed if id(parameter) not in inside]
    faster: Any = {"params": matrices, "decayed": True, "lr_scale": recipe.muon_lr_factor}
    return MuonWithAdamW(
        BatchedMuon(
            [faster], lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=recipe.momentum
        ),
        torch.optim.AdamW(_two_groups(rest, exempt, recipe=recipe), lr=recipe.lr, fused=True),
    )


def block_matrices(model: nn.Module) -> list[Tensor]:
    """Return the trained matrices of linear layers inside a transformer's blocks.

    They belong to attention and to perceptrons; patch and position embeddings, tables of relative
    positions and the head are left out.
    """
    return [
        module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module.weight.requires_grad
        and "blocks" in name.split(".")
    ]


def _two_groups(
    decayed: list[nn.Parameter], exempt: list[nn.Parameter], *, recipe: Optimisation
) -> list[dict[str, Any]]:
    """Return parameter groups with and without weight decay."""
    return [
        {"params": decayed, "weight_decay": recipe.weight_decay, "decayed": True},
        {"params": exempt, "weight_decay": 0.0},
    ]


def decay_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the trained parameters into those with weight decay and those without."""
    named = _spared(model)
    decayed: list[nn.Parameter] = []
    exempt: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (exempt if parameter.ndim <= 1 or name in named else decayed).append(parameter)
    return decayed, exempt


def layer_groups(
    model: nn.Module, *, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Split the trained parameters by layer, each with its own learning rate, as timm does.

    The layer below the head by k has the factor `layer_decay` ** k as `lr_scale`; the head itself
    has 1. Which parameters have weight decay is as in `decay_groups`.
    """
    from timm.optim import param_groups_layer_decay

    return list(
        param_groups_layer_decay(
            model,
            weight_decay=weight_decay,
            no_weight_decay_list=_spared(model),
            layer_decay=layer_decay,
        )
    )


def _spared(model: nn.Module) -> set[str]:
    """Return the parameters that the network itself exempts from weight decay."""
    named: Any = getattr(model, "no_weight_decay", set)
    return set(named())


def average(model: nn.Module, *, recipe: Optimisation) -> Average | None:
    """Return the exponential moving average of the weights, or None if the recipe has none."""
    if recipe.ema_decay is None:
        return None
    from timm.utils import ModelEmaV3

    ema: Average = ModelEmaV3(model, decay=recipe.ema_decay)
    return ema


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate of this update, times the factor of a group that has one."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


def set_weight_decay(optimizer: Optimizer, weight_decay: float) -> None:
    """Set the weight decay of this update, where parameters have any; not with `layer_decay`."""
    for group in optimizer.param_groups:
        if group.get("decayed", False):
            group["weight_decay"] = weight_decay


def update(
    optimizer: Optimizer,
    model: nn.Module,
    scaler: GradScaler,
    *,
    clip_norm: float | None,
    clip_each: bool = False,
) -> None:
    """Change the weights by their gradients; fp16 gradients that overflowed change nothing.

    Parameters
    ----------
    clip_norm
        Largest norm of all gradients together, or None.
    clip_each
        `clip_norm` is for the gradient of each tensor by itself instead.
    """
    if clip_norm is not None:
        scaler.unscale_(optimizer)
        parameters = list(model.parameters())
        for group in [[parameter] for parameter in parameters] if clip_each else [parameters]:
            nn.utils.clip_grad_norm_(group, clip_norm)
    scaler.step(optimizer)
    scaler.update()


class BatchedMuon(torch.optim.Muon):
    """`torch.optim.Muon` (Jordan et al. 2024) with AdamW's step length (`match_rms_adamw`).

    All matrices of one shape are orthogonalised together. State and weights are those of
    `torch.optim.Muon`, up to the rounding of bfloat16 products, which a kernel may sum in another
    order for a batch.
    """

    def __init__(
        self, groups: list[dict[str, Any]], *, lr: float, weight_decay: float, momentum: float
    ) -> None:
        super().__init__(groups, lr, weight_decay, momentum, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Change the parameters that have a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameters in _by_shape(group["params"]):
                self._step_together(parameters, group)
        return loss

    def _step_together(self, parameters: list[Trained], group: dict[str, Any]) -> None:
        """Change parameters of one shape (rows, columns)."""
        lr, momentum = group["lr"], group["momentum"]
        averages = []
        for parameter, gradient in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            averages.append(state["momentum_buffer"].lerp_(gradient, 1 - momentum))
        gradients = torch.stack([gradient for _, gradient in parameters])
        directions = orthogonalised(
            gradients.lerp_(torch.stack(averages), momentum),
            coefficients=group["ns_coefficients"],
            steps=group["ns_steps"],
            eps=group["eps"],
        )
        adjusted = 0.2 * math.sqrt(max(gradients.shape[1:])) * lr
        for (parameter, _), direction in zip(parameters, directions, strict=True):
            parameter.mul_(1 - lr * group["weight_decay"]).add_(direction, alpha=-adjusted)


def _by_shape(parameters: Iterable[Tensor]) -> Iterable[list[Trained]]:
    """Return the parameters that have a gradient, in lists of one shape and device each."""
    found: dict[Any, list[Trained]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            where = parameter.shape, parameter.device
            found.setdefault(where, []).append((parameter, parameter.grad))
    return found.values()


def orthogonalised(
    matrices: Tensor, *, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Bring the singular values of matrices near 1, by Muon's Newton-Schulz iteration in bfloat16.

    Parameters
    ----------
    matrices
        float (n, rows, columns). Not changed.
    coefficients, steps
        Of the quintic polynomial, and how often it is applied.
    eps
        Least norm that a matrix is divided by.

    Returns
    -------
    Tensor
        bfloat16 (n, rows, columns).
    """
    linear, cubic, quintic = coefficients
    tall = matrices.shape[-2] > matrices.shape[-1]
    found = matrices.bfloat16()
    found = found.mT if tall else found
    norm: Tensor = torch.linalg.vector_norm(found, dim=(-2, -1), keepdim=True)
    found = found / norm.clamp(min=eps)
    for _ in range(steps):
        gram = found @ found.mT
        change = torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic)
        found = torch.baddbmm(found, change, found, beta=linear)
    return found.mT if tall else found


class MuonWithAdamW(Optimizer):
    """Two optimisers of different parameters as one: a step of it is a step of both.

    Its parameter groups are theirs, the matrices' first, so that rates, weight decay and the loss
    scale are set as for any optimiser; its state for a checkpoint is that of both.
    """

    def __init__(self, matrices: BatchedMuon, others: torch.optim.AdamW) -> None:
        self.parts = (matrices, others)
        super().__init__([*matrices.param_groups, *others.param_groups], {})

    def step(self, closure: Any = None) -> Any:
        """Change the parameters that have a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from what `state_dict` returned."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        # loading replaces the groups
        self.param_groups = [group for part in self.parts for group in part.param_groups]
