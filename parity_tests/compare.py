"""check(): run a layer of each engine on the same numbers, and report where they part.

    >>> import numpy as np, torch
    >>> import scratch.nn as nn
    >>> x = np.random.default_rng(0).normal(size=(5, 3))
    >>> report = check(nn.Linear(3, 2, dtype=np.float64), torch.nn.Linear(3, 2), x)
    >>> report.ok
    True
    >>> report.raise_if_different()

What is compared: the output; the gradients of the inputs and of every parameter for a random upstream gradient; the
buffers after the forward pass; the same gradients after a second backward pass with -1/2 times the upstream gradient,
which a layer that adds has halved. Besides the numbers: shapes, dtypes, and that nobody's array was written to.
How large a difference rounding explains is `parity_tests.budget`'s matter.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

import scratch
from parity_tests import budget
from scratch.nn import Module

SECOND = -0.5


@dataclass
class Quantity:
    """One compared array: what was expected (PyTorch), what came (scratch), and how far apart they are."""

    name: str
    expected: np.ndarray
    got: np.ndarray
    allowed: float = 0.0
    torch_error: float = 0.0
    truth: np.ndarray = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Measure the differences, from PyTorch's float64 result where there is one."""
        reference = self.expected if self.truth is None else self.truth
        self.fault = ""
        self.different = np.zeros(self.expected.shape, bool)
        self.max_abs = self.max_rel = self.max_ulps = 0.0
        self.where: tuple[int, ...] | None = None
        if self.got.shape != self.expected.shape:
            self.fault = f"has shape {self.got.shape}, expected {self.expected.shape}"
        elif self.got.dtype != self.expected.dtype:
            self.fault = f"has dtype {self.got.dtype}, expected {self.expected.dtype}"
        if self.got.shape == self.expected.shape and self.expected.size:
            self._measure(reference)

    def _measure(self, reference: np.ndarray) -> None:
        finite = np.isfinite(self.expected) & np.isfinite(self.got) & np.isfinite(reference)
        same = (self.got == self.expected) | (np.isnan(self.got) & np.isnan(self.expected))
        error = np.zeros(self.expected.shape)
        np.subtract(self.got, reference, out=error, where=finite, casting="unsafe", dtype=np.float64)
        error = np.abs(error)
        self.different = np.where(finite, error > self.allowed, ~same)
        size = np.abs(np.where(finite, reference, 1.0).astype(np.float64))
        kind = self.expected.dtype if self.expected.dtype.kind == "f" else np.dtype(np.float64)
        spacing = np.spacing(np.maximum(size, np.finfo(kind).smallest_normal).astype(kind)).astype(np.float64)
        relative = np.divide(error, size, out=np.where(error > 0, np.inf, 0.0), where=size > 0)
        self.max_abs, self.max_rel, self.max_ulps = error.max(), relative.max(), (error / spacing).max()
        if self.different.any():
            worst = np.where(self.different, np.where(finite, error, np.inf), -1.0)
        else:
            worst = error
        self.where = tuple(int(i) for i in np.unravel_index(worst.argmax(), worst.shape))

    @property
    def ok(self) -> bool:
        """Whether it agrees."""
        return not self.fault and not self.different.any()

    def words(self) -> str:
        """Return what is wrong, in a sentence's worth."""
        if self.fault:
            return f"{self.name} {self.fault}"
        count = int(self.different.sum())
        values = f"expected {self.expected[self.where]:.6g}, got {self.got[self.where]:.6g}"
        verb = "differs" if count == 1 else "differ"
        at = f"the largest at {self.where}: {values}" if self.where else values
        return f"{self.name}: {count} of {self.different.size} elements {verb}, {at}"


@dataclass
class Report:
    """What `check` found: the quantities in the order in which they are computed, and faults that are no numbers.

    Attributes
    ----------
    title : str
        What was compared.
    quantities : list of Quantity
        Every compared array.
    faults : list of str
        Sentences: an argument written to, a gradient missing, keys of the state that do not match.
    ok : bool
        Whether everything agrees.
    """

    title: str
    quantities: list[Quantity] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.faults and all(quantity.ok for quantity in self.quantities)

    def __getitem__(self, name: str) -> Quantity:
        """Return the quantity called ``name``."""
        return next(quantity for quantity in self.quantities if quantity.name == name)

    def raise_if_different(self) -> None:
        """Raise ``AssertionError`` with the printed report unless everything agrees."""
        if not self.ok:
            raise AssertionError(f"\n{self}")

    def words(self) -> str:
        """Say what differs, what first, and what agrees."""
        if self.ok:
            return f"All {len(self.quantities)} quantities agree."
        wrong = [quantity.words() for quantity in self.quantities if not quantity.ok]
        right = [quantity.name for quantity in self.quantities if quantity.ok]
        if wrong and right:
            wrong[0] += f"; {_enumerate(right)} agree{'s' if len(right) == 1 else ''}"
        return "\n".join([*wrong, *self.faults])

    def table(self) -> str:
        """Return a line per quantity."""
        rows = [("", "shape", "max abs", "max rel", "ulps", "allowed", "torch's own", "at", "differ")]
        for q in self.quantities:
            numbers = [f"{value:.1e}" for value in (q.max_abs, q.max_rel, q.max_ulps, q.allowed, q.torch_error)]
            count = int(q.different.sum())
            verdict = q.fault.split(",")[0] if q.fault else f"{count} of {q.different.size}" if count else "-"
            at = "" if q.where is None else str(q.where)
            rows.append((q.name, str(q.expected.shape), *numbers, at, verdict))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)

    def __str__(self) -> str:
        return f"{self.title}\n\n{self.table()}\n\n{self.words()}"


def check(
    scratch_layer: Module,
    torch_layer: Callable,
    *inputs: np.ndarray,
    grad_output: np.ndarray | tuple[np.ndarray, ...] | None = None,
    seed: int = 0,
) -> Report:
    """Compare a scratch layer or loss with its PyTorch counterpart on ``inputs``; change neither.

    Parameters
    ----------
    scratch_layer : Module
        The layer under test, with the state that both are to have. Its dtype and that of ``inputs`` say whether
        float32 or float64 is compared.
    torch_layer : torch.nn.Module or function of tensors
        What it is held against. A copy of it gets the dtype, the mode (train or eval) and the state of
        ``scratch_layer``.
    *inputs : numpy.ndarray
        What both are called with; integer arrays (class indices) get no gradient.
    grad_output : numpy.ndarray, or a tuple of them for several outputs; optional
        The upstream gradient. Without it, a random one drawn from ``seed``.
    seed : int
        Of the upstream gradient, and given to both engines' generators before each forward pass.

    Returns
    -------
    Report
        ``report.ok``, ``report.raise_if_different()``, ``print(report)``.
    """
    layer = copy.deepcopy(scratch_layer)
    dtype = next(x.dtype for x in inputs if np.issubdtype(x.dtype, np.floating))
    report = Report(f"{_title(scratch_layer)} against {_title(torch_layer)}, {dtype}, input {_shapes(inputs)}")
    state = layer.state_dict() if hasattr(layer, "state_dict") else {}
    state = {name: values.copy() for name, values in state.items()}
    reference = _Reference(torch_layer, state, getattr(layer, "training", True), seed)
    if reference.mismatch:
        report.faults.append(reference.mismatch)
        return report

    got, grads = _run_scratch(layer, inputs, grad_output, seed, report.faults)
    count = sum(name.startswith("grad_input") for name in got) // 2
    run = lambda dtype, move=None: reference.run(inputs, grads, count, dtype, move)  # noqa: E731
    expected = run(dtype)
    truth = expected if dtype == np.float64 else run(np.float64)
    moved = {delta: [run(np.float64, (delta, draw)) for draw in range(2)] for delta in budget.DELTAS}
    arrays = [*inputs, *grads, *state.values()]
    largest = max(np.size(values) for values in arrays)
    products = reference.fan(inputs) * np.size(grads[0])

    for name, values in expected.items():
        if values is None or got.get(name) is None:
            if values is not None:
                report.faults.append(f"{name} is missing: expected an array of shape {values.shape}")
            elif got.get(name) is not None:
                report.faults.append(f"{name} was not expected: PyTorch has none")
            continue
        if values.dtype.kind != "f":
            report.quantities.append(Quantity(name, values, np.asarray(got[name])))
            continue
        sensitivity = budget.sensitivity(truth[name], {d: [run[name] for run in runs] for d, runs in moved.items()})
        scale = max(budget.magnitude(truth[name]), sensitivity)
        with np.errstate(invalid="ignore"):
            torch_error = budget.magnitude(values - truth[name]) if dtype != np.float64 else 0.0
        n = budget.terms(values.size, products, largest)
        allowed = budget.allowance(dtype, scale, n, torch_error)
        report.quantities.append(Quantity(name, values, np.asarray(got[name]), allowed, torch_error, truth[name]))
    report.faults += [f"{name} was not expected: PyTorch has none" for name in got if name not in expected]
    return report


def upstream(outputs: list[np.ndarray], seed: int) -> tuple[np.ndarray, ...]:
    """Return random upstream gradients for ``outputs``: away from zero, of both signs, and never all alike."""
    rng = np.random.default_rng([seed, 1])
    shapes = [np.shape(output) for output in outputs]
    draws = [
        np.where(rng.random(shape) < 0.6, rng.uniform(0.5, 2, shape), rng.uniform(-1.5, -0.25, shape))
        for shape in shapes
    ]
    return tuple(draw.astype(output.dtype) for draw, output in zip(draws, outputs, strict=True))


def _run_scratch(
    layer: Module, inputs: tuple, grad_output: object, seed: int, faults: list[str]
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, ...]]:
    """Run forward and two backwards; return the results by name, and the upstream gradients."""
    parameters = dict(layer.named_parameters()) if hasattr(layer, "named_parameters") else {}
    for parameter in parameters.values():
        parameter.grad = None
    scratch.manual_seed(seed)
    watched = {_numbered("input", i, len(inputs)): values for i, values in enumerate(inputs)}
    watched |= {name: parameter.data for name, parameter in parameters.items()}
    before = {name: _snapshot(values) for name, values in watched.items()}

    def notice_writes(during: str) -> None:
        for name, values in watched.items():
            if _snapshot(values) != before[name]:
                faults.append(f"{name} was written to by {during}: it belongs to the caller")
                before[name] = _snapshot(values)

    returned = layer.forward(*inputs)
    notice_writes("forward")
    outputs = list(returned) if isinstance(returned, tuple) else [returned]
    results = {_numbered("output", i, len(outputs)): np.array(values) for i, values in enumerate(outputs)}
    if hasattr(layer, "state_dict"):
        buffers = {name: values for name, values in layer.state_dict().items() if name not in parameters}
        results |= {f"buffer {name}": np.array(values) for name, values in buffers.items()}
    floating = [np.asarray(values) for values in outputs if np.asarray(values).dtype.kind == "f"]
    if grad_output is None:
        grads = upstream(floating, seed)
    else:
        grads = grad_output if isinstance(grad_output, tuple) else (grad_output,)
    for suffix, factor in (("", 1.0), (" (2nd)", SECOND)):
        passed = grads if factor == 1.0 else tuple((np.asarray(g) * np.asarray(g).dtype.type(factor)) for g in grads)
        watched |= {_numbered("output", i, len(outputs)): np.asarray(values) for i, values in enumerate(outputs)}
        watched |= {f"{_numbered('grad_output', i, len(passed))}{suffix}": g for i, g in enumerate(passed)}
        before |= {name: _snapshot(watched[name]) for name in watched if name not in before}
        scalar_loss = len(inputs) > 1 and all(np.ndim(g) == 0 for g in passed)
        backward = layer.backward(*([float(g) for g in passed] if scalar_loss else passed))
        notice_writes("backward")
        grad_inputs = list(backward) if isinstance(backward, tuple) else [backward]
        for i, values in enumerate(grad_inputs):
            name = _numbered("grad_input", i, len(grad_inputs)) + suffix
            results[name] = None if values is None else np.array(values)
            if values is not None:
                watched[name] = values
                before[name] = _snapshot(values)
        for name, parameter in parameters.items():
            results[_grad_name(name) + suffix] = None if parameter.grad is None else np.array(parameter.grad)
    return results, grads


class _Reference:
    """The PyTorch side: the layer, the state it starts from, and runs of it in either dtype."""

    def __init__(self, layer: Callable, state: dict[str, np.ndarray], training: bool, seed: int) -> None:
        self.seed = seed
        self.layer = copy.deepcopy(layer) if isinstance(layer, torch.nn.Module) else layer
        self.mismatch = ""
        self.state = {name: torch.from_numpy(np.array(values)) for name, values in state.items()}
        if isinstance(layer, torch.nn.Module):
            self.layer.train(training)
            # A parameter's first load, in float64, so that both dtypes start from exactly scratch's numbers.
            self.layer.double()
            own = self.layer.state_dict()
            if own.keys() != self.state.keys():
                self.mismatch = f"the states' keys differ: expected {sorted(own)}, got {sorted(self.state)}"
            for name in own.keys() & self.state.keys():
                if own[name].shape != self.state[name].shape:
                    shapes = tuple(own[name].shape), tuple(self.state[name].shape)
                    self.mismatch = f"{name} has shape {shapes[1]}, expected {shapes[0]}"
            if not self.mismatch:
                self.layer.load_state_dict(self.state)

    def run(
        self, inputs: tuple, grads: tuple, count: int, dtype: np.dtype, move: tuple[float, int] | None
    ) -> dict[str, np.ndarray]:
        """Return the results by the names of `_run_scratch`; ``move`` = (delta, draw) moves all that goes in."""
        layer, tensors = self._prepare(inputs, dtype, move, count)
        upstream = [self._tensor(np.asarray(g), dtype, move, 100 + i) for i, g in enumerate(grads)]
        outputs = self._forward(layer, tensors)
        results = {_numbered("output", i, len(outputs)): _numpy(values) for i, values in enumerate(outputs)}
        parameters = dict(layer.named_parameters()) if isinstance(layer, torch.nn.Module) else {}
        if parameters or isinstance(layer, torch.nn.Module):
            buffers = {name: values for name, values in layer.state_dict().items() if name not in parameters}
            results |= {f"buffer {name}": _numpy(values) for name, values in buffers.items()}
        floating = [values for values in outputs if values.is_floating_point()]
        for suffix, factor in (("", 1.0), (" (2nd)", SECOND)):
            for tensor in tensors:
                tensor.grad = None
            torch.autograd.backward(floating, [g * factor for g in upstream], retain_graph=True)
            for i, tensor in enumerate(tensors[:count]):
                results[_numbered("grad_input", i, count) + suffix] = _numpy(tensor.grad)
            for name, parameter in parameters.items():
                results[_grad_name(name) + suffix] = _numpy(parameter.grad)
        return results

    def fan(self, inputs: tuple) -> int:
        """Return how many numbers an element in the middle of the output depends on."""
        layer, tensors = self._prepare(inputs, np.dtype(np.float64), None, len(inputs))
        output = self._forward(layer, tensors)[0]
        if output.numel() == 0:
            return 1
        output.flatten()[output.numel() // 2].backward()
        leaves = [*tensors, *(layer.parameters() if isinstance(layer, torch.nn.Module) else ())]
        return max([1, *(int(leaf.grad.count_nonzero()) for leaf in leaves if leaf.grad is not None)])

    def _prepare(self, inputs: tuple, dtype: np.dtype, move: object, count: int) -> tuple[Callable, list]:
        layer = self.layer
        if isinstance(layer, torch.nn.Module):
            layer = copy.deepcopy(layer).to(_torch_dtype(dtype))
            for i, parameter in enumerate(layer.parameters()):
                parameter.data = self._move(parameter.data, move, 200 + i)
        tensors = [self._tensor(values, dtype, move, i) for i, values in enumerate(inputs)]
        for tensor in tensors[:count]:
            tensor.requires_grad_(tensor.is_floating_point())
        return layer, tensors

    def _forward(self, layer: Callable, tensors: list) -> list:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            returned = layer(*tensors)
        return list(returned) if isinstance(returned, tuple) else [returned]

    def _tensor(self, values: np.ndarray, dtype: np.dtype, move: object, stream: int) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(values, order="C"))
        if tensor.is_floating_point():
            tensor = self._move(tensor.to(_torch_dtype(dtype)), move, stream)
        return tensor

    def _move(self, tensor: torch.Tensor, move: tuple[float, int] | None, stream: int) -> torch.Tensor:
        if move is None:
            return tensor
        delta, draw = move
        chosen = np.random.default_rng([self.seed, draw, stream]).integers(0, 2, tuple(tensor.shape))
        return tensor * (1 - delta * torch.from_numpy(np.asarray(chosen, np.float64)))


def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    return {"float32": torch.float32, "float64": torch.float64}[np.dtype(dtype).name]


def _numpy(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.detach().numpy().copy()


def _snapshot(values: object) -> bytes:
    return np.asarray(values).tobytes()


def _numbered(name: str, index: int, count: int) -> str:
    return name if count == 1 else f"{name}[{index}]"


def _grad_name(parameter: str) -> str:
    prefix, dot, last = parameter.rpartition(".")
    return f"{prefix}{dot}grad_{last}"


def _title(layer: object) -> str:
    return (
        type(layer).__name__ if isinstance(layer, (Module, torch.nn.Module)) else getattr(layer, "__name__", str(layer))
    )


def _shapes(inputs: tuple) -> str:
    return ", ".join(str(x.shape) for x in inputs)


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
