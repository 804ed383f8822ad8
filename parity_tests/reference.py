"""What a layer is held against: PyTorch, or finite differences of its own forward pass.

Both say, for an upstream gradient, what every quantity should be and how much of a difference rounding explains.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from parity_tests import budget
from parity_tests.report import AGAIN
from scratch.gradcheck import compare_elements
from scratch.nn import Module

SECOND = -0.5
"""The second backward gets the first's upstream gradient times this: gradients that add have halved then."""


class Expectation(NamedTuple):
    """A quantity as it should be; the fields are `parity_tests.report.Quantity`'s."""

    name: str
    expected: np.ndarray | None
    allowed: float | np.ndarray = 0.0
    truth: np.ndarray | None = None
    reference_error: float | None = None


class FiniteDifferences:
    """Gradients by the definition of the derivative; no expectation of the output, which nobody else computes."""

    def __init__(self, layer: Module, seed: int) -> None:
        self.layer, self.seed = layer, seed

    def expectations(self, inputs: tuple, grads: tuple, count: int) -> list[Expectation]:
        """Return the gradient of each input and parameter, and what they are after a second backward."""
        found = []
        for name, analytic, numeric, allowed in compare_elements(
            self.layer, *inputs, grad_output=grads[0], seed=self.seed
        ):
            undecided = np.isnan(allowed)
            if analytic.shape == numeric.shape:
                numeric = np.where(undecided, analytic, numeric)
            found.append(Expectation(name, numeric, np.where(undecided, 0.0, allowed)))
        return found + [
            e._replace(name=e.name + AGAIN, expected=e.expected * (SECOND if e.name.startswith("grad_input") else 0.5))
            for e in found
        ]

    def results(self, inputs: tuple, grads: tuple, count: int, state: dict | None = None) -> dict[str, np.ndarray]:
        """Return the first backward's gradients by name, with parameters replaced by ``state``."""
        other = FiniteDifferences(copy.deepcopy(self.layer), self.seed)
        for name, parameter in other.layer.named_parameters():
            parameter.data = np.array((state or {}).get(name, parameter.data))
        return {e.name: e.expected for e in other.expectations(inputs, grads, count)}


class Torch:
    """A PyTorch layer or function, run from the state, the mode and the seed of the layer that is held against it."""

    def __init__(self, layer: Callable, state: dict[str, np.ndarray], training: bool, seed: int, strict: bool) -> None:
        self.is_module = isinstance(layer, torch.nn.Module)
        self.layer = copy.deepcopy(layer).double().train(training) if self.is_module else layer
        self.state, self.seed, self.strict = state, seed, strict
        self.mismatch = ""
        if self.is_module:
            self.mismatch = self._mismatch()
            if not self.mismatch:
                self._load(self.layer, state)

    def expectations(self, inputs: tuple, grads: tuple, count: int) -> list[Expectation]:
        """Return every quantity with its rounding budget (`parity_tests.budget`)."""
        dtype = next(x.dtype for x in inputs if x.dtype.kind == "f")
        truth = self.results(inputs, grads, count)
        expected = truth if dtype == np.float64 else self.results(inputs, grads, count, dtype=dtype)
        moved = {
            delta: [self.results(inputs, grads, count, move=(delta, draw)) for draw in range(2)]
            for delta in budget.DELTAS
        }
        products = self._fan(inputs, count) * truth[next(iter(truth))].size
        largest = max(np.size(values) for values in [*inputs, *truth.values()])

        found = []
        for name, values in expected.items():
            if values is None or values.dtype.kind != "f":
                found.append(Expectation(name, values))
                continue
            exact = truth[name]
            scale = budget.scale(exact, {delta: [run[name] for run in runs] for delta, runs in moved.items()})
            with np.errstate(invalid="ignore"):
                own = None if dtype == np.float64 else budget.magnitude(values - exact)
            n = budget.terms(values.size, products, largest)
            found.append(Expectation(name, values, budget.allowance(dtype, scale, n, own), exact, own))
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
        ``move`` = (delta, draw) moves a random half of all numbers that go in towards zero by the relative delta.
        """
        layer, tensors = self._prepare(inputs, count, state, training, dtype, move)
        for name, value in (options or {}).items():
            setattr(layer, name, value)
        upstream = [self._tensor(grad, dtype, move, 100 + i) for i, grad in enumerate(grads)]
        outputs = self._forward(layer, tensors)
        results = {numbered("output", i, len(outputs)): _numpy(values) for i, values in enumerate(outputs)}
        parameters = dict(layer.named_parameters()) if self.is_module else {}
        if self.is_module:
            buffers = {name: values for name, values in layer.state_dict().items() if name not in parameters}
            results |= {f"buffer {name}": _numpy(buffers[name]) for name in buffers if name in self.state}
        floating = [values for values in outputs if values.is_floating_point()]
        if [tuple(values.shape) for values in floating] != [np.shape(grad) for grad in grads]:
            return results  # the other side's output has another shape: there is no common upstream gradient
        for suffix, factor in (("", 1.0), (AGAIN, SECOND)):
            for tensor in tensors:
                tensor.grad = None
            torch.autograd.backward(floating, [grad * factor for grad in upstream], retain_graph=True)
            for i, tensor in enumerate(tensors[:count]):
                results[numbered("grad_input", i, count) + suffix] = _numpy(tensor.grad)
            for name, parameter in parameters.items():
                results[grad_name(name) + suffix] = _numpy(parameter.grad)
        return results

    def _mismatch(self) -> str:
        own = self.layer.state_dict()
        learned = {name for name, _ in self.layer.named_parameters()}
        missing = [name for name in own if name not in self.state and (self.strict or name in learned)]
        extra = [name for name in self.state if name not in own]
        if missing or extra:
            return f"the states have different keys: missing {missing}, not expected {extra}"
        for name, values in self.state.items():
            if tuple(own[name].shape) != values.shape:
                return f"{name} has shape {values.shape}, expected {tuple(own[name].shape)}"
        return ""

    def _load(self, layer: torch.nn.Module, state: dict[str, np.ndarray]) -> None:
        layer.load_state_dict({name: torch.from_numpy(np.array(state[name])) for name in state}, strict=self.strict)

    def _fan(self, inputs: tuple, count: int) -> int:
        # How many numbers an element in the middle of the output depends on.
        layer, tensors = self._prepare(inputs, count)
        output = self._forward(layer, tensors)[0]
        leaves = [*tensors, *(layer.parameters() if self.is_module else ())]
        if output.numel() and output.requires_grad:
            output.flatten()[output.numel() // 2].backward()
        return max([1, *(int(leaf.grad.count_nonzero()) for leaf in leaves if leaf.grad is not None)])

    def _prepare(
        self,
        inputs: tuple,
        count: int,
        state: dict | None = None,
        training: bool | None = None,
        dtype: type = np.float64,
        move: tuple[float, int] | None = None,
    ) -> tuple[Callable, list[torch.Tensor]]:
        layer = self.layer
        if self.is_module:
            layer = copy.deepcopy(layer)
            if state is not None:
                self._load(layer, {**self.state, **state})
            layer.to(_torch_dtype(dtype)).train(layer.training if training is None else training)
            for i, parameter in enumerate(layer.parameters()):
                parameter.data = self._move(parameter.data, move, 200 + i)
        tensors = [self._tensor(values, dtype, move, i) for i, values in enumerate(inputs)]
        for tensor in tensors[:count]:
            tensor.requires_grad_(tensor.is_floating_point())
        return layer, tensors

    def _forward(self, layer: Callable, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            returned = layer(*tensors)
        return list(returned) if isinstance(returned, tuple) else [returned]

    def _tensor(self, values: np.ndarray, dtype: type, move: tuple | None, stream: int) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(values, order="C"))
        return self._move(tensor.to(_torch_dtype(dtype)), move, stream) if tensor.is_floating_point() else tensor

    def _move(self, tensor: torch.Tensor, move: tuple[float, int] | None, stream: int) -> torch.Tensor:
        if move is None:
            return tensor
        delta, draw = move
        chosen = np.random.default_rng([self.seed, draw, stream]).integers(0, 2, tuple(tensor.shape))
        return tensor * (1 - delta * torch.from_numpy(np.asarray(chosen, np.float64)))


def numbered(name: str, index: int, count: int) -> str:
    """Return ``name`` alone where there is one, ``name[index]`` where there are several."""
    return name if count == 1 else f"{name}[{index}]"


def grad_name(parameter: str) -> str:
    """Return the name of a parameter's gradient: "0.weight" has "0.grad_weight"."""
    prefix, dot, last = parameter.rpartition(".")
    return f"{prefix}{dot}grad_{last}"


def _torch_dtype(dtype: type) -> torch.dtype:
    return getattr(torch, np.dtype(dtype).name)


def _numpy(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.detach().numpy().copy()
