"""check(): run a layer in both engines on the same numbers, and report where they differ.

    >>> import torch
    >>> import scratch.nn as nn
    >>> x = np.random.default_rng(0).normal(size=(5, 3))
    >>> report = check(nn.Linear(3, 2, dtype=np.float64), torch.nn.Linear(3, 2), x)
    >>> report.ok
    True
    >>> report.raise_if_different()

What is compared: the output; the buffers after the forward pass; the gradients of the input and of every parameter for
a random upstream gradient; the same gradients after a second backward with the upstream gradient times -1/2, which
halves gradients that accumulate, but not gradients that overwrite. It also compares shapes and dtypes, and checks that
nobody's array was written to. `parity_tests.harness.budget` derives how large a difference rounding explains.
"""

import copy
from collections.abc import Callable

import numpy as np

import scratch
from parity_tests.diagnosis.diagnose import Suspects
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.read import of_anything
from parity_tests.diagnosis.reading.tell import tell
from parity_tests.harness.reference import SECOND, FiniteDifferences, Torch, compared_dtype, grad_name, numbered
from parity_tests.harness.report import AGAIN, Quantity, Report
from scratch.nn import Module, Parameter


def check(
    scratch_layer: object,
    torch_layer: Callable | None,
    *inputs: np.ndarray,
    grad_output: np.ndarray | tuple[np.ndarray, ...] | None = None,
    seed: int = 0,
    strict: bool = True,
) -> Report:
    """Compare a scratch layer or loss with its PyTorch counterpart on ``inputs``; change neither.

    Parameters
    ----------
    scratch_layer : Module, or any object
        The layer under test, with the state and the mode (train or eval) that both are to have. An object of a plain
        class, or a pair of functions, is read as ``backprop check`` reads it (`parity_tests.diagnosis.reading`).
    torch_layer : torch.nn.Module, function of tensors, or None
        What it is compared with; a copy of it gets the state and the mode. None means finite differences of
        ``scratch_layer``'s own forward pass. They find wrong gradients but not a wrong output, and decide nothing at a
        kink: where all of a gradient is at kinks, the report is not ``ok`` and says so.
    *inputs : numpy.ndarray
        What both are called with. The dtype that is compared is that of the first floating-point input, or, where there
        is none (an embedding's indices), that of the layer's numbers. Integer arrays get no gradient. With several
        inputs and a scalar output it is a loss, and its backward gets a float.
    grad_output : numpy.ndarray, or a tuple of them for several outputs
        The upstream gradient; random by default.
    seed : int
        The upstream gradient's seed; both engines' generators are set to it before each forward pass.
    strict : bool
        Whether a buffer that PyTorch has and ``scratch_layer`` lacks is an error.

    Returns
    -------
    Report
        ``report.ok``, ``report.raise_if_different()``, ``print(report)``; arrays under
        ``report["grad_weight"].got`` and ``.expected``.
    """
    if not isinstance(scratch_layer, Module | Learner):
        scratch_layer = of_anything(scratch_layer, torch_layer, inputs, seed)
    if isinstance(scratch_layer, Learner):
        scratch_layer.forget()
    layer = copy.deepcopy(scratch_layer)
    against = "finite differences" if torch_layer is None else _name(torch_layer)
    shapes = ", ".join(str(x.shape) for x in inputs)
    state = {name: np.array(values) for name, values in layer.state_dict().items()}
    dtype = compared_dtype(inputs, state.values())
    report = Report(f"{_name(scratch_layer)} against {against}: {dtype}, input {shapes}")
    if torch_layer is None or getattr(layer, "unmatched", None):
        reference = FiniteDifferences(scratch_layer, seed)
    else:
        reference = Torch(torch_layer, state, layer.training, seed, strict)
        if reference.mismatch:
            report.faults.append(reference.mismatch)
            return report

    got, grads, count = run(layer, inputs, grad_output, seed, report.faults)
    without = _without_gradient(layer, count)
    for name, expected, *budget in _expectations(reference, layer, inputs, grads, count):
        found = got.get(name)
        if name.removesuffix(AGAIN) in without:
            continue
        if expected is not None and found is not None:
            report.quantities.append(Quantity(name, expected, found, *budget))
        elif expected is not None:
            report.faults.append(f"{name} is missing: expected an array of shape {expected.shape}, got None")
        elif found is not None:
            report.faults.append(f"{name} was not expected: PyTorch has none")
    report.suspects = Suspects(scratch_layer, got, reference, inputs, grads, count, state, torch_layer)
    if isinstance(layer, Learner):
        tell(layer, report)
    return report


def _expectations(
    reference: Torch | FiniteDifferences, layer: Module | Learner, inputs: tuple, grads: tuple, count: int
) -> list:
    found = reference.expectations(inputs, grads, count)
    names = [name for name, _ in layer.named_parameters()]
    if isinstance(reference, Torch) and not reference.is_module and names:
        # A PyTorch function has no parameters, so those of the layer are compared with finite differences.
        wanted = {grad_name(name) for name in names}
        own = FiniteDifferences(layer, reference.seed).expectations(inputs, grads, count)
        found += [e for e in own if e.name.removesuffix(AGAIN) in wanted]
    return found


def _without_gradient(layer: Module | Learner, count: int) -> set[str]:
    if not isinstance(layer, Learner):
        return set()
    return {numbered("grad_input", i, count) for i in layer.without_gradient if i < count}


def upstream(outputs: list[np.ndarray], seed: int) -> tuple[np.ndarray, ...]:
    """Return random upstream gradients for ``outputs``: away from zero, of both signs, no two alike."""
    rng = np.random.default_rng([seed, 1])
    grads = []
    for output in outputs:
        values = np.where(rng.random(output.shape) < 0.6, rng.uniform(0.5, 2, output.shape), -1.0)
        grads.append(np.asarray(values * rng.uniform(0.25, 1, output.shape), output.dtype))
    return tuple(grads)


class _Watch:
    """Arrays that nobody may write to, with the contents they had when first seen."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self.seen: dict[str, tuple[Callable[[], np.ndarray], bytes]] = {}

    def add(self, name: str, values: np.ndarray) -> None:
        """Remember an array."""
        self.seen[name] = lambda: values, np.asarray(values).tobytes()

    def add_parameter(self, name: str, parameter: Parameter) -> None:
        """Remember a parameter's values, wherever they may be kept later."""
        self.seen[name] = lambda: parameter.data, parameter.data.tobytes()

    def look(self, during: str) -> None:
        """Report each array that has changed, once."""
        for name, (values, before) in list(self.seen.items()):
            if np.asarray(values()).tobytes() != before:
                self.faults.append(f"{name} was written to by {during}")
                del self.seen[name]


def run(
    layer: Module, inputs: tuple, grad_output: object, seed: int, faults: list[str]
) -> tuple[dict[str, np.ndarray | None], tuple[np.ndarray, ...], int]:
    """Run forward and both backwards; return every quantity, the upstream gradients, the number of input gradients."""
    parameters = dict(layer.named_parameters())
    watch = _Watch(faults)
    inputs = tuple(np.array(values, order="K") for values in inputs)
    for i, values in enumerate(inputs):
        watch.add(numbered("input", i, len(inputs)), values)
    for name, parameter in parameters.items():
        parameter.grad = None
        watch.add_parameter(name, parameter)

    scratch.manual_seed(seed)
    returned = layer.forward(*inputs)
    watch.look("forward")
    outputs = returned if isinstance(returned, tuple) else (returned,)
    if all(np.asarray(values).dtype.kind != "f" for values in outputs):
        faults.append(f"forward returned no floating-point array but {type(returned).__name__}")
        return {}, (), 1
    results = {numbered("output", i, len(outputs)): np.array(values) for i, values in enumerate(outputs)}
    buffers = {name: values for name, values in layer.state_dict().items() if name not in parameters}
    results |= {f"buffer {name}": np.array(values) for name, values in buffers.items()}
    for i, values in enumerate(outputs):
        watch.add(numbered("output", i, len(outputs)), values)

    floating = [np.asarray(values) for values in outputs if np.asarray(values).dtype.kind == "f"]
    if grad_output is None:
        grads = upstream(floating, seed)
    else:
        grads = grad_output if isinstance(grad_output, tuple) else (np.asarray(grad_output),)
    loss = len(inputs) > 1 and all(grad.ndim == 0 for grad in grads)
    for suffix, factor in (("", 1), (AGAIN, SECOND)):
        passed = grads if factor == 1 else tuple(np.asarray(grad * grad.dtype.type(factor)) for grad in grads)
        for i, grad in enumerate(passed):
            watch.add(numbered("grad_output", i, len(passed)), grad)
        with scratch.retain_graph():
            backward = layer.backward(*([float(grad) for grad in passed] if loss else passed))
        watch.look("backward")
        grad_inputs = backward if isinstance(backward, tuple) else (backward,)
        if len(grad_inputs) > len(inputs):
            extra = f"backward returned {len(grad_inputs)} values for {len(inputs)} input{'s' * (len(inputs) > 1)}"
            faults += [extra] * (suffix == "")
            grad_inputs = grad_inputs[: len(inputs)]
        for i, values in enumerate(grad_inputs):
            name = numbered("grad_input", i, len(grad_inputs)) + suffix
            results[name] = None if values is None else np.array(values)
            watch.add(name, values)
        for name, parameter in parameters.items():
            results[grad_name(name) + suffix] = None if parameter.grad is None else np.array(parameter.grad)
    return results, grads, len(grad_inputs)


def _name(layer: object) -> str:
    return getattr(layer, "title", None) or getattr(layer, "__name__", None) or type(layer).__name__
