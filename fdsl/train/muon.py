"""Muon (Jordan et al. 2024) for the matrices inside blocks, with AdamW for everything else.

The algorithm is `torch.optim.Muon`'s. It orthogonalises each matrix by itself, in some twenty small
products; here all matrices of one shape go through these products together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Trained = tuple[Tensor, Tensor]
"""A parameter and its gradient."""


class BatchedMuon(torch.optim.Muon):
    """`torch.optim.Muon` with Nesterov momentum and AdamW's step length, in fewer products.

    A step of it has the root mean square of one of AdamW (`match_rms_adamw`). The state is that of
    `torch.optim.Muon`, and so are the weights, up to the rounding of bfloat16 products, which a
    kernel may sum in another order for a batch.
    """

    def __init__(
        self, groups: list[dict[str, Any]], *, lr: float, weight_decay: float, momentum: float
    ) -> None:
        super().__init__(
            groups,
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            adjust_lr_fn="match_rms_adamw",
        )

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
