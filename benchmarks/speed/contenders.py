"""Who is timed. A contender turns a piece of work into a function without arguments that does it once.

To add one: write a class with a ``name`` and a ``step`` (and a ``layer``, if it has layers), and add it to CONTENDERS.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

from benchmarks.errors import Failure
from benchmarks.speed.work import Layer, Step, upstream


def first_of(outputs: Any) -> Any:
    """Return a layer's output, or the first of several."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


class Scratch:
    """The NumPy engine of this project."""

    name = "scratch"

    def __init__(self, threads: int) -> None:
        import scratch
        from scratch.kernels import threads as scratch_threads

        scratch_threads.set_num_threads(threads)
        self.engine = scratch

    def layer(self, layer: Layer, dtype: str) -> Callable[[], object]:
        """Return forward and backward of a layer."""
        self.engine.manual_seed(0)
        module = layer.build(self.engine.nn, dtype)
        inputs = (layer.input(dtype),) * layer.places
        with self.engine.no_grad():
            grad_output = upstream(first_of(module(*inputs)).shape, dtype)

        def run() -> None:
            module.zero_grad()
            module(*inputs)
            grads = module.backward(grad_output)
            if layer.places > 1:
                sum(grads)  # PyTorch adds them up as well

        return run

    def step(self, step: Step, dtype: str) -> Callable[[], object]:
        """Return a training step."""
        self.engine.manual_seed(0)
        model = step.build(self.engine.models, dtype).requires_input_grad_(False)  # PyTorch sees that nobody reads it
        criterion, optimizer = (
            self.engine.nn.CrossEntropyLoss(),
            self.engine.optim.Adam(model.parameters(), **step.adam),
        )
        x, y = step.data(dtype)

        def run() -> None:
            criterion(model(x), y)
            optimizer.zero_grad()
            model.backward(criterion.backward())
            optimizer.step()

        return run


class Plain(Scratch):
    """The NumPy engine of this project, running the functions that are there to be read."""

    name = "plain"

    def layer(self, layer: Layer, dtype: str) -> Callable[[], object]:
        """Return forward and backward of a layer."""
        return self._plain(super().layer(layer, dtype))

    def step(self, step: Step, dtype: str) -> Callable[[], object]:
        """Return a training step."""
        return self._plain(super().step(step, dtype))

    def _plain(self, run: Callable[[], object]) -> Callable[[], object]:
        def run_plain() -> None:
            with self.engine.plain():
                run()

        return run_plain


class TorchEager:
    """PyTorch as most people run it."""

    name = "torch"

    def __init__(self, threads: int) -> None:
        import torch

        import torch_ref

        torch.set_num_threads(threads)
        self.torch, self.engine = torch, torch_ref

    def prepare(self, module: object) -> object:
        """Return the module as it is run."""
        return module

    def tensor(self, array: object) -> object:
        """Return an array as a tensor, in this contender's memory layout."""
        return self.torch.from_numpy(array)

    def layer(self, layer: Layer, dtype: str) -> Callable[[], object]:
        """Return forward and backward of a layer."""
        self.engine.manual_seed(0)
        module = self.prepare(layer.build(self.engine.nn, getattr(self.torch, dtype)))
        x = self.tensor(layer.input(dtype)).requires_grad_(not layer.indices)
        inputs = (x,) * layer.places
        grad_output = self.tensor(upstream(tuple(first_of(module(*inputs)).shape), dtype))

        def run() -> None:
            module.zero_grad()
            x.grad = None
            first_of(module(*inputs)).backward(grad_output)

        return run

    def step(self, step: Step, dtype: str) -> Callable[[], object]:
        """Return a training step."""
        self.engine.manual_seed(0)
        model = self.prepare(step.build(self.engine.models, getattr(self.torch, dtype)))
        criterion, optimizer = (
            self.engine.nn.CrossEntropyLoss(),
            self.engine.optim.Adam(model.parameters(), **step.adam),
        )
        x, y = map(self.tensor, step.data(dtype))

        def run() -> None:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return run


class TorchChannelsLast(TorchEager):
    """PyTorch with images and kernels laid out channels-last."""

    name = "torch-channels-last"

    def prepare(self, module: object) -> object:
        """Lay the kernels out channels-last."""
        return module.to(memory_format=self.torch.channels_last)

    def tensor(self, array: object) -> object:
        """Lay images out channels-last."""
        tensor = super().tensor(array)
        return tensor.contiguous(memory_format=self.torch.channels_last) if tensor.ndim == 4 else tensor


class TorchCompile(TorchEager):
    """PyTorch through ``torch.compile``; compiling happens in the warm-up."""

    name = "torch-compile"

    def prepare(self, module: object) -> object:
        """Compile the module."""
        return self.torch.compile(module)


class Jax:
    """JAX under ``jit``: the same networks as functions, gradients by ``jax.value_and_grad``. Steps only."""

    name = "jax"

    def __init__(self, threads: int) -> None:
        from benchmarks.speed import jax_networks

        self.networks = jax_networks

    def step(self, step: Step, dtype: str) -> Callable[[], object]:
        """Return a training step."""
        return self.networks.step(step, dtype)


def require(name: str) -> None:
    """Raise ``Failure`` unless a contender's package is installed."""
    if name == "jax" and importlib.util.find_spec("jax") is None:
        raise Failure("--engine-b jax: JAX is not installed; pip install jax")


CONTENDERS = {cls.name: cls for cls in (Scratch, Plain, TorchEager, TorchChannelsLast, TorchCompile, Jax)}
