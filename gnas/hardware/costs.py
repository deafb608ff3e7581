"""Cost counters: parameters, multiply-accumulates and peak activation memory of one forward.

Definitions, the same for every candidate:

* `n_params`: elements of all distinct parameters, trained or not; buffers are not counted.
* `macs`: multiply-accumulates of matrix products, convolutions, attention and recurrent layers, by torch's own formulas
  (`torch.utils.flop_counter`; two floating-point operations are one MAC), for one forward, per example. Element-wise
  arithmetic, gathers, scatters, normalisation and activations are not counted, as is usual in the field.
* `memory_bytes`: the largest number of bytes held at once by tensors the forward made, per example. Parameters, buffers
  and the inputs themselves are not counted; views of one storage count once; workspace inside a kernel is not seen.

Costs depend on shapes alone, so matrix products are counted but not carried out: their results are zeros.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from gnas.hardware.inputs import Example, ordered


@dataclass(frozen=True, slots=True)
class Costs:
    """What one forward costs.

    Attributes:
        n_params: Number of parameters.
        macs: Multiply-accumulates per example.
        memory_bytes: Peak activation memory per example, in bytes.
    """

    n_params: int
    macs: float
    memory_bytes: float

    def as_values(self) -> dict[str, float]:
        """As entries of `Evaluation.values`."""
        return {"n_params": float(self.n_params), "macs": self.macs, "memory_bytes": self.memory_bytes}


def count_params(network: nn.Module) -> int:
    """Elements of all distinct parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_costs(network: nn.Module, example: Example, *, examples: int | None = None) -> Costs:
    """Counts the costs of a network by one forward in evaluation mode.

    The random state, the training flags of all sub-modules and the buffers (running means) are left as they were.

    Args:
        network: Called with the values of `example` in the order of its `input_names`, else in their own.
        example: Model inputs by name, of a few examples of typical size.
        examples: How many examples that is; by default the first dimension of the output.

    Returns:
        Costs per example, so that they do not depend on how many were given.
    """
    inputs = tuple(ordered(network, example).values())
    counter = CostMode(inputs)
    with evaluating(network), counter:
        output = network(*inputs)
    n = examples if examples is not None else _leading(output)
    return Costs(count_params(network), counter.flops / 2 / n, counter.peak / n)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without gradients or fused attention kernels; random state and training flags are put back."""
    flags = [(module, module.training) for module in network.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    _set_training([(module, False) for module, _ in flags])
    # NOTE: the fused inference kernel of attention is opaque to counters and exporters.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            yield network
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        _set_training(flags)


def _set_training(flags: Sequence[tuple[nn.Module, bool]]) -> None:
    """What `train` and `eval` do, without the search for parameters that assignment to a module begins with."""
    for module, flag in flags:
        vars(module)["training"] = flag


def _leading(output: object) -> int:
    first = output[0] if isinstance(output, tuple | list) else output
    return max(int(first.shape[0]), 1) if isinstance(first, Tensor) and first.dim() else 1


class CostMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums floating-point operations and follows the storages that are alive.

    Args:
        inputs: Tensors that the caller holds: they are known, never counted.

    Attributes:
        flops: Floating-point operations so far.
        alive, peak: Bytes alive now, and the most at once.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0.0
        self.peak = 0
        self.alive = 0
        self._seen: dict[int, weakref.ref[Any]] = {}
        self._known = {tensor.untyped_storage()._cdata for tensor in inputs}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch wraps every dispatch in a guard against compilation, which doubles the time of a count.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # NOTE: operators live for ever, and hashing one takes longer than all the rest of a look-up.
        kind = _kinds.get(id(func)) or _kind(func)
        if kind.product >= 0:
            left, right = args[kind.product], args[kind.product + 1]
            out = left.new_zeros((*left.shape[:-1], right.shape[-1]))
            self.flops += 2.0 * out.numel() * left.shape[-1]
        else:
            out = func(*args, **kwargs)
        if kind.formula is not None:
            self.flops += kind.formula(*args, **kwargs)
        elif kind.registered is not None:
            self.flops += kind.registered(*args, **kwargs, out_val=out)
        if not kind.is_view:
            for tensor in (out,) if isinstance(out, Tensor) else out if isinstance(out, tuple | list) else ():
                if isinstance(tensor, Tensor):
                    self._follow(tensor, args)
        return out

    def nbytes(self, tensor: Tensor) -> int:
        """Bytes of a living tensor's storage, if they count: 0 where it is an input's, or no operation made it."""
        storage = tensor.untyped_storage()
        return storage.nbytes() if storage._cdata in self._seen else 0

    def _follow(self, tensor: Tensor, args: Any) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known or key in self._seen or any(tensor is argument for argument in args):
            return
        nbytes = storage.nbytes()
        self.alive += nbytes
        self.peak = max(self.peak, self.alive)

        def release(_: Any, key: int = key, nbytes: int = nbytes) -> None:
            self.alive -= nbytes
            self._seen.pop(key, None)

        self._seen[key] = weakref.ref(storage, release)


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> float:
    return float(sdpa_flop_count(query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def _fused_recurrent(x: Tensor, input_weight: Tensor, hidden_weight: Tensor, *_: Any, **__: Any) -> float:
    """Two operations for each weight of the gates and each step of a sequence; `x` is `(step, batch, feature)`."""
    return 2.0 * x.shape[0] * x.shape[1] * (input_weight.numel() + hidden_weight.numel())


# Kernels of the CPU that torch's registry does not know.
_FORMULAS: dict[Any, Callable[..., float]] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _fused_attention,
    torch.ops.aten.mkldnn_rnn_layer: _fused_recurrent,
}

_aten = torch.ops.aten
# Matrix products, with the position of their left operand.
_PRODUCTS: dict[Any, int] = {_aten.mm.default: 0, _aten.addmm.default: 1, _aten.bmm.default: 0}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How an operator counts.

    Attributes:
        product: Position of the left operand of a matrix product, the right one after it; −1 for anything else.
        formula, registered: Of its floating-point operations, ours or torch's.
        is_view: Whether its result shares the storage of its argument.
    """

    product: int
    formula: Callable[..., float] | None
    registered: Callable[..., Any] | None
    is_view: bool


_kinds: dict[int, _Kind] = {}


def _kind(func: Any) -> _Kind:
    packet, product = func._overloadpacket, _PRODUCTS.get(func, -1)
    formula = _FORMULAS.get(packet)
    registered = flop_registry.get(packet) if product < 0 and formula is None else None
    kind = _kinds[id(func)] = _Kind(product, formula, registered, func.is_view)
    return kind
