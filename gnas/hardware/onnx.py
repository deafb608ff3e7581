"""ONNX export, fast enough to score every candidate, and never believed without a check.

The TorchScript exporter takes about a tenth of a second but is deprecated and wrong on some operations (`index_add`);
the dynamo exporter takes seconds. The first is tried, its outputs are compared with the network's on examples of
several sizes, and the second takes over where they differ.
"""

from __future__ import annotations

import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from gnas.errors import ExportError, MissingExtraError
from gnas.hardware.costs import evaluating
from gnas.hardware.inputs import DynamicAxes, Example, ordered
from gnas.hardware.runtime import OnnxSession, difference, to_arrays

OPSET = 18
SCORING_TOLERANCE = 1e-4
"""Difference relative to the scale of the outputs above which an export is taken to compute something else."""


def fast_onnx(
    network: nn.Module,
    example: Example,
    dynamic_axes: DynamicAxes,
    *,
    checks: Sequence[Example] = (),
    tolerance: float = SCORING_TOLERANCE,
    preferred: float | None = None,
) -> bytes:
    """A serialised ONNX model that was run and compared with the network.

    Args:
        network: Takes the values of `example` positionally, in the order of its `input_names`, else in their own.
        example: Model inputs by name; at least two of everything that varies, so that no size is taken for a constant.
        dynamic_axes: Axes of each input that vary, with their names.
        checks: Further examples, of other sizes, on which the export must agree too. Without one only `example` is
            compared, and a size frozen into the graph stays unseen.
        tolerance: Largest difference, relative to the scale of the outputs.
        preferred: A difference above this one makes the second exporter try too, and the closer of the two is taken.

    Raises:
        ExportError: Neither exporter gave a model that agrees; tells what failed.
        MissingExtraError: onnx or onnxruntime is absent.
    """
    _require_packages()
    reasons: list[str] = []
    found: list[tuple[float, bytes]] = []
    for name, attempt in (("TorchScript exporter", torchscript_onnx), ("dynamo exporter", dynamo_onnx)):
        try:
            model = attempt(network, example, dynamic_axes)
            worst = max(onnx_differences(network, model, (example, *checks)))
        except Exception as error:  # exporters raise anything
            reasons.append(f"{name}: {_first_line(error)}")
            continue
        if worst <= (tolerance if preferred is None else preferred):
            return model
        if worst <= tolerance:
            found.append((worst, model))
        reasons.append(f"{name}: outputs differ by {worst:.2g} of their scale")
    if found:
        return min(found, key=lambda item: item[0])[1]
    raise ExportError(
        f"the network cannot be written as ONNX ({'; '.join(reasons)})",
        place=_culprit(network, example),
        remedy="leave the op out of the space, or export without onnx",
    )


def onnx_differences(network: nn.Module, model: bytes, examples: Sequence[Example]) -> tuple[float, ...]:
    """Difference of an ONNX model from the network on each example, relative to the scale of the outputs.

    A network may return one tensor or a tuple of them; the largest difference counts.
    """
    session = OnnxSession(model)
    differences = []
    for example in examples:
        with evaluating(network):
            expected = network(*ordered(network, example).values())
        received = session.run_all(to_arrays(example))
        outputs = expected if isinstance(expected, tuple | list) else (expected,)
        pairs = zip(outputs, received, strict=True)
        differences.append(max(difference(np.asarray(a.cpu()), b) for a, b in pairs))
    return tuple(differences)


def torchscript_onnx(network: nn.Module, example: Example, dynamic_axes: DynamicAxes) -> bytes:
    """The model through the TorchScript exporter. Unchecked: it can be silently wrong."""
    inputs = ordered(network, example)
    buffer = io.BytesIO()
    with evaluating(network), quiet():
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            cast(Any, buffer),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["output"],
            dynamic_axes={name: dict(axes) for name, axes in dynamic_axes.items()},
        )
    return buffer.getvalue()


def dynamo_onnx(network: nn.Module, example: Example, dynamic_axes: DynamicAxes) -> bytes:
    """The model through the dynamo exporter. Unchecked.

    Raises:
        MissingExtraError: onnxscript is not installed.
    """
    if find_spec("onnxscript") is None:
        raise MissingExtraError.of("onnxscript", "edge")
    inputs = ordered(network, example)
    with evaluating(network), quiet():
        program = torch.onnx.export(
            network,
            tuple(inputs.values()),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=["output"],
            dynamic_shapes=dynamic_shapes(network, inputs, dynamic_axes),
        )
        if program is None:
            raise ExportError("the dynamo exporter returned nothing")
        serialised: bytes = program.model_proto.SerializeToString()
    return serialised


def dynamic_shapes(network: nn.Module, example: Example, dynamic_axes: DynamicAxes) -> tuple[object, ...]:
    """Dynamic axes as `torch.export` takes them: one entry per positional input of the forward."""
    dynamic = torch.export.Dim.DYNAMIC
    shapes = tuple(dict.fromkeys(dynamic_axes.get(name, {}), dynamic) for name in example)
    kinds = [parameter.kind for parameter in inspect.signature(network.forward).parameters.values()]
    # A forward with `*inputs` takes all of them as one argument.
    return (shapes,) if kinds == [inspect.Parameter.VAR_POSITIONAL] else shapes


def _require_packages() -> None:
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise MissingExtraError.of(package, "edge")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _culprit(network: nn.Module, example: Example) -> str | None:
    """Name of the first sub-module that cannot be exported alone on the values it receives, if one can be told."""
    received: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {}

    def recorder(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(module: nn.Module, args: tuple[object, ...], _: object) -> None:
            tensors = tuple(argument for argument in args if isinstance(argument, Tensor))
            if tensors and len(tensors) == len(args):
                received.setdefault(name, (module, tensors))

        return hook

    handles = [module.register_forward_hook(recorder(name)) for name, module in network.named_modules() if name]
    try:
        with evaluating(network):
            network(*ordered(network, example).values())
    except Exception:  # the reason to tell is the exporters', not this one's
        return None
    finally:
        for handle in handles:
            handle.remove()
    for name, (module, tensors) in received.items():
        inputs = {f"input_{i}": tensor for i, tensor in enumerate(tensors)}
        try:
            wrong = max(onnx_differences(module, torchscript_onnx(module, inputs, {}), (inputs,))) > SCORING_TOLERANCE
        except Exception:  # whatever it is, this module does not export
            wrong = True
        if wrong:
            return f"{name} ({type(module).__name__})"
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' remarks about themselves and about tracing, which the comparison makes superfluous."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _without_graphs():
            for module in (
                r"torch\.onnx",
                r"torch\.jit",
                r"onnxscript",
                r"torch\._dynamo",
                r"copyreg",
                r"torch\.export",
            ):
                warnings.filterwarnings("ignore", module=module)
            warnings.filterwarnings("ignore", category=TracerWarning)
            warnings.filterwarnings("ignore", message=r"You are using the legacy TorchScript-based ONNX export")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _without_graphs() -> Iterator[None]:
    """Keeps the TorchScript exporter from printing the whole graph on stdout where it fails.

    It means to do so only when asked, but tests whether a function is true instead of calling it (seen in torch 2.13),
    and once switched on it stays so.
    """
    switch = "_jit_set_onnx_log_enabled"
    original = getattr(torch._C, switch, None)
    if original is None:
        yield
        return
    original(False)
    setattr(torch._C, switch, lambda enabled: None)
    try:
        yield
    finally:
        setattr(torch._C, switch, original)
