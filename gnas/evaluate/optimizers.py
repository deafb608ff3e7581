"""Optimisers over flat parameters: torch's fused kernels where it has them, else plain in-place arithmetic.

`torch.optim` costs about two seconds of imports in every worker (it loads the compiler), and more Python per step than
the arithmetic of a small network takes; its kernels are one call each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gnas.evaluate.recipe import Recipe

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_MOMENTUM = 0.9
_FUSED = ("cpu", "cuda")
"""Kinds of devices for which every torch that we run on has the fused kernels."""


class Optimizer(Protocol):
    """Moves parameters along their gradients."""

    def step(self, rate: float) -> None:
        """One step with this learning rate; uses each parameter's `.grad`."""
        ...


class Adam:
    """Adam, with decoupled weight decay or with decay added to the gradient.

    Source: Kingma and Ba 2015, algorithm 1 (arXiv:1412.6980); Loshchilov and Hutter 2019, algorithm 2
    (arXiv:1711.05101), the decay multiplied by the learning rate as in torch.
    """

    def __init__(self, parameters: Sequence[Tensor], weight_decay: float, *, decoupled: bool) -> None:
        self._parameters = [parameter.detach() for parameter in parameters]
        self._gradients = list(_gradients(parameters))
        self._decay, self._decoupled = weight_decay, decoupled
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._fused = all(parameter.device.type in _FUSED for parameter in self._parameters)
        self._counts = [torch.zeros((), device=parameter.device) for parameter in self._parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step."""
        self._steps += 1
        if not self._fused:
            self._step_plainly(rate)
            return
        for count in self._counts:
            count.add_(1)
        kernel = torch._fused_adamw_ if self._decoupled else torch._fused_adam_
        kernel(
            self._parameters,
            self._gradients,
            self._means,
            self._squares,
            [],
            self._counts,
            lr=rate,
            beta1=_BETA1,
            beta2=_BETA2,
            weight_decay=self._decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _step_plainly(self, rate: float) -> None:
        size = rate / (1 - _BETA1**self._steps)
        unbias = (1 - _BETA2**self._steps) ** 0.5
        state = zip(self._parameters, self._gradients, self._means, self._squares, strict=True)
        for parameter, gradient, mean, square in state:
            if self._decay and self._decoupled:
                parameter.mul_(1 - rate * self._decay)
            elif self._decay:
                gradient.add_(parameter, alpha=self._decay)
            mean.lerp_(gradient, 1 - _BETA1)
            square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
            parameter.addcdiv_(mean, square.sqrt().div_(unbias).add_(_EPSILON), value=-size)


class NesterovSgd:
    """Stochastic gradient descent with Nesterov momentum, as in torch.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    def __init__(self, parameters: Sequence[Tensor], weight_decay: float) -> None:
        self._parameters = tuple(parameter.detach() for parameter in parameters)
        self._gradients = _gradients(parameters)
        self._decay = weight_decay
        self._velocities = [torch.zeros_like(parameter) for parameter in self._parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step."""
        for parameter, gradient, velocity in zip(self._parameters, self._gradients, self._velocities, strict=True):
            if self._decay:
                gradient.add_(parameter, alpha=self._decay)
            velocity.mul_(_MOMENTUM).add_(gradient)
            parameter.add_(gradient, alpha=-rate).add_(velocity, alpha=-rate * _MOMENTUM)


def make_optimizer(parameters: Sequence[Tensor], recipe: Recipe) -> Optimizer:
    """The optimiser of a recipe, over parameters whose `.grad` is allocated and stays the same tensor."""
    if recipe.optimizer == "sgd":
        return NesterovSgd(parameters, recipe.weight_decay)
    return Adam(parameters, recipe.weight_decay, decoupled=recipe.optimizer == "adamw")


def _gradients(parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    gradients = tuple(parameter.grad for parameter in parameters)
    if any(gradient is None for gradient in gradients):
        raise ValueError("parameters need an allocated .grad")
    return tuple(gradient for gradient in gradients if gradient is not None)
