"""The references that a layer is compared with: PyTorch, or finite differences of its own forward pass.

Given an upstream gradient, each says what every quantity should be and how large a difference rounding explains.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from parity_tests.harness import budget
from parity_tests.harness.budget import NOTHING, Budget
from parity_tests.harness.lazy_torch import torch
from parity_tests.harness.report import AGAIN
from scratch import random
from scratch.gradcheck import STEP, compare_elements
from scratch.nn import Module

SECOND = -0.5
"""The second backward gets the first one's upstream gradient times this, so gradients that accumulate are halved."""


SECONDS = 10.0
"""The most time that one report spends on finite differences to look for likely mistakes."""


class Expectation(NamedTuple):
    """A quantity as it should be; the fields are `parity_tests.harness.report.Quantity`'s."""

    name: str
    expected: np.ndarray | None
    budget: Budget = NOTHING
    truth: np.ndarray | None = None
    reference_error: float | None = None
    undecided: np.ndarray | None = None
    whole: tuple[int, ...] | None = None


WORK = 2e8
"""The most numbers, elements times all numbers of a layer, for which an array is compared element by element."""


class FiniteDifferences:
    """Gradients by the definition of the derivative; none for the output, which nothing else computes."""

    def __init__(self, layer: Module, seed: int) -> None:
        self.layer, self.seed = layer, seed
        self._jacobians: dict[tuple, np.ndarray] = {}
        self._spent = 0.0

    def expectations(self, inputs: tuple, grads: tuple, count: int) -> list[Expectation]:
        """Return the gradient of each input and parameter, and what they are after a second backward."""
        shapes = {numbered("grad_input", i, count): x.shape for i, x in enumerate(inputs[:count])}
        shapes |= {grad_name(name): parameter.data.shape for name, parameter in self.layer.named_parameters()}
        found = []
        for name, analytic, numeric, allowed in compare_elements(
            self.layer, *inputs, grad_output=grads, seed=self.seed, work=WORK
        ):
            whole = shapes[name] if numeric.shape != shapes[name] else None
            undecided = np.isnan(allowed)
            if analytic.shape == numeric.shape:
                numeric = np.where(undecided, analytic, numeric)
            budgeted = Budget(np.where(undecided, 0.0, allowed))
            found.append(Expectation(name, numeric, budgeted, undecided=undecided, whole=whole))
        return found + [
            e._replace(
                name=e.name + AGAIN, expected=e.expected * (SECOND if e.name.startswith("grad_input") else 1 + SECOND)
            )
            for e in found
        ]

    def results(
        self, inputs: tuple, grads: tuple, count: int, state: dict | None = None, name: str = ""
    ) -> dict[str, np.ndarray]:
        """Return the first backward's gradient called ``name``, with parameters replaced by ``state``.

        The Jacobian is kept, so another upstream gradient costs only a product.
        """
        key = (
            name,
            tuple(x.tobytes() for x in inputs),
            tuple((n, np.asarray(v).tobytes()) for n, v in (state or {}).items()),
        )
        if key not in self._jacobians:
            if self._spent > SECONDS:
                raise TimeoutError("enough was tried")
            started = time.monotonic()
            self._jacobians[key] = self._jacobian(inputs, state or {}, name, count)
            self._spent += time.monotonic() - started
        jacobian = self._jacobians[key]
        upstream = np.concatenate([np.ravel(grad) for grad in grads])
        return {name: (jacobian @ upstream).reshape(jacobian.shape[:-1])}

    def _jacobian(self, inputs: tuple, state: dict, name: str, count: int) -> np.ndarray:
        layer, inputs = copy.deepcopy(self.layer), [np.array(x) for x in inputs]
        parameters = dict(layer.named_parameters())
        for parameter_name, parameter in parameters.items():
            parameter.data = np.array(state.get(parameter_name, parameter.data))
        arrays = {numbered("grad_input", i, count): x for i, x in enumerate(inputs)}
        arrays |= {grad_name(n): p.data for n, p in parameters.items()}
        values = arrays[name.removesuffix(AGAIN)]

        def forward() -> np.ndarray:
            random.manual_seed(self.seed)
            made = layer.forward(*inputs)
            outputs = [np.asarray(y) for y in (made if isinstance(made, tuple) else (made,))]
            return np.concatenate([y.ravel() for y in outputs if y.dtype.kind == "f"])

        rows = np.zeros((*values.shape, forward().size))
        for index in np.ndindex(values.shape):
            start, slopes = values[index], []
            for step in (STEP, STEP / 2):
                values[index] = start + step
                ahead = forward()
                values[index] = start - step
                slopes.append((ahead - forward()) / (2 * step))
            values[index] = start
            rows[index] = (4 * slopes[1] - slopes[0]) / 3
        return rows


class Torch:
    """A PyTorch layer or function, run with the state, the mode and the seed of the layer that is compared with it."""

    def __init__(self, layer: Callable, state: dict[str, np.ndarray], training: bool, seed: int, strict: bool) -> None:
        self.is_module = isinstance(layer, torch.nn.Module)
        self.layer = copy.deepcopy(layer).double().train(training) if self.is_module else layer
        self.seed = seed
        self.mismatch = self._mismatch(state, strict) if self.is_module else ""
        # What every run starts from, in float64 and the buffers' own integer types.
        self.start: dict[str, torch.Tensor] = {}
        if self.is_module and not self.mismatch:
            self.start = {name: tensor.detach().clone() for name, tensor in self._own(self.layer)}
            self.start |= {name: torch.from_numpy(np.array(values)) for name, values in state.items()}
        self.compared_buffers = [name for name in state if name in self.start]
        self._chosen: dict[tuple, torch.Tensor] = {}

    def expectations(self, inputs: tuple, grads: tuple, count: int) -> list[Expectation]:
        """Return every quantity with its rounding budget (`parity_tests.harness.budget`)."""
        dtype = compared_dtype(inputs, (*self.start.values(), *grads))
        truth = self.results(inputs, grads, count)
        expected = truth if dtype == np.float64 else self.results(inputs, grads, count, dtype=dtype)
        movements = budget.Movements(lambda delta, draw: self.results(inputs, grads, count, move=(delta, draw)))
        largest = max(np.size(values) for values in [*inputs, *truth.values()])

        @functools.cache
        def products() -> int:
            return self._fan(inputs, count) * truth[next(iter(truth))].size

        found = []
        for name, values in expected.items():
            if values is None or values.dtype.kind != "f":
                found.append(Expectation(name, values))
                continue
            exact = truth[name]
            with np.errstate(invalid="ignore"):
                own = None if dtype == np.float64 else budget.magnitude(values - exact)
            once = name.removesuffix(AGAIN)
            factor = abs(SECOND) if once != name else 1.0  # as large for gradients that were added: 1 + SECOND is 1/2

            def scale_and_n(once: str = once, factor: float = factor) -> tuple[float, int]:
                n = budget.terms(truth[once].size, products(), largest)
                return factor * movements.scale(once, truth[once]), n

            found.append(
                Expectation(name, values, budget.derived(dtype, factor * truth[once], own, scale_and_n), exact, own)
            )
        return found

    def results(
        self,
        inputs: tuple,
        grads: tuple,
        count: int,
        state: dict | None = None,
        training: bool | None = None,
        options: dict | None = None,
        dtype: type = np.float64,
        move: tuple[float, int] | None = None,
    ) -> dict[str, np.ndarray | None]:
        """Run forward and both backwards; return every quantity by name.

        ``count`` inputs get a gradient. ``state``, ``training`` and ``options`` (attributes) replace the layer's;
        ``move`` = (delta, draw) moves a random half of the numbers that go in towards zero by the relative delta, and
        skips the second backward.
        """
        layer = self.layer
        if self.is_module and (options or training is not None):
            layer = copy.deepcopy(layer).train(layer.training if training is None else training)
            for name, value in (options or {}).items():
                setattr(layer, name, value)
        tensors = self._prepare(layer, inputs, count, state, dtype, move)
        upstream = [self._tensor(grad, dtype, move, f"grad_output {i}") for i, grad in enumerate(grads)]
        outputs = self._forward(layer, tensors)
        results = {numbered("output", i, len(outputs)): _numpy(values) for i, values in enumerate(outputs)}
        parameters = dict(layer.named_parameters()) if self.is_module else {}
        own = dict(self._own(layer))
        results |= {f"buffer {name}": _numpy(own[name]) for name in self.compared_buffers if name not in parameters}
        floating = [values for values in outputs if values.is_floating_point()]
        if [tuple(values.shape) for values in floating] != [np.shape(grad) for grad in grads]:
            return results  # the other side's output has another shape: there is no common upstream gradient
        for suffix, factor in (("", 1.0), (AGAIN, SECOND))[: 1 if move else 2]:
            for tensor in tensors:
                tensor.grad = None
            torch.autograd.backward(floating, [grad * factor for grad in upstream], retain_graph=True)
            for i, tensor in enumerate(tensors[:count]):
                results[numbered("grad_input", i, count) + suffix] = _numpy(tensor.grad)
            for name, parameter in parameters.items():
                results[grad_name(name) + suffix] = _numpy(parameter.grad)
        return results

    def _mismatch(self, state: dict[str, np.ndarray], strict: bool) -> str:
        own = self.layer.state_dict()
        learned = {name for name, _ in self.layer.named_parameters()}
        missing = [name for name in own if name not in state and (strict or name in learned)]
        extra = [name for name in state if name not in own]
        if missing or extra:
            return f"the states have different keys: missing {missing}, not expected {extra}"
        for name, values in state.items():
            if tuple(own[name].shape) != values.shape:
                return f"{name} has shape {values.shape}, expected {tuple(own[name].shape)}"
        return ""

    def _own(self, layer: Callable) -> Iterator[tuple[str, torch.Tensor]]:
        if self.is_module:
            yield from layer.named_parameters()
            yield from layer.named_buffers()

    def _fan(self, inputs: tuple, count: int) -> int:
        # How many numbers an element in the middle of the output depends on.
        tensors = self._prepare(self.layer, inputs, count)
        output = self._forward(self.layer, tensors)[0]
        leaves = [*tensors, *(self.layer.parameters() if self.is_module else ())]
        if output.numel() and output.requires_grad:
            output.flatten()[output.numel() // 2].backward()
        return max([1, *(int(leaf.grad.count_nonzero()) for leaf in leaves if leaf.grad is not None)])

    def _prepare(
        self,
        layer: Callable,
        inputs: tuple,
        count: int,
        state: dict | None = None,
        dtype: type = np.float64,
        move: tuple[float, int] | None = None,
    ) -> list[torch.Tensor]:
        # Put the layer back to its start, and return the inputs as leaves.
        for name, tensor in self._own(layer):
            values = self.start[name] if name not in (state or {}) else torch.from_numpy(np.array(state[name]))
            if values.is_floating_point():
                values = values.to(_torch_dtype(dtype))
            tensor.data = self._move(values, move, name) if tensor.requires_grad else values.clone()
            tensor.grad = None
        tensors = [self._tensor(values, dtype, move, f"input {i}") for i, values in enumerate(inputs)]
        for tensor in tensors[:count]:
            tensor.requires_grad_(tensor.is_floating_point())
        return tensors

    def _forward(self, layer: Callable, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        # torch.manual_seed would record a traceback on each call, which takes longer than a layer.
        generator = torch.default_generator
        before = generator.get_state()
        generator.manual_seed(self.seed)
        try:
            returned = layer(*tensors)
        finally:
            generator.set_state(before)
        return list(returned) if isinstance(returned, tuple) else [returned]

    def _tensor(self, values: np.ndarray, dtype: type, move: tuple | None, name: str) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(values, order="C"))
        return self._move(tensor.to(_torch_dtype(dtype)), move, name) if tensor.is_floating_point() else tensor

    def _move(self, tensor: torch.Tensor, move: tuple[float, int] | None, name: str) -> torch.Tensor:
        if move is None:
            return tensor.clone()
        delta, draw = move
        if (name, draw) not in self._chosen:
            rng = np.random.default_rng([self.seed, draw, len(self._chosen)])
            self._chosen[name, draw] = torch.from_numpy(rng.integers(0, 2, tuple(tensor.shape)).astype(np.float64))
        return tensor * (1 - delta * self._chosen[name, draw])


def compared_dtype(inputs: tuple, state: Iterable) -> np.dtype:
    """Return the dtype that a layer computes in: that of its first floating input, else of its own numbers."""
    dtypes = [np.asarray(values).dtype for values in (*inputs, *state)]
    return next((dtype for dtype in dtypes if dtype.kind == "f"), np.dtype(np.float64))


def numbered(name: str, index: int, count: int) -> str:
    """Return ``name`` alone where there is one, ``name[index]`` where there are several."""
    return name if count == 1 else f"{name}[{index}]"


def grad_name(parameter: str) -> str:
    """Return the name of a parameter's gradient: "0.weight" has "0.grad_weight"."""
    prefix, dot, last = parameter.rpartition(".")
    return f"{prefix}{dot}grad_{last}"


def _torch_dtype(dtype: type) -> torch.dtype:
    return torch.float64 if dtype == np.float64 else torch.float32


def _numpy(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.detach().numpy().copy()
