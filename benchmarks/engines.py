"""The two engines behind one interface: NumPy arrays go in and come out, and the names in between are the same.

A task is written once and given an engine. Each engine has its own kind of array (ndarrays here, tensors there), of one
dtype and on one device, both chosen here. The engine by hand has two forms: "scratch" runs its kernels, "plain" the
functions that are there to be read.
"""

from __future__ import annotations

import contextlib
import importlib
from types import ModuleType

import numpy as np

from benchmarks.errors import Failure, UsageError

NAMES = ("scratch", "torch")  # the two that a run of both compares
EVERY = ("scratch", "plain", "torch")
DTYPES = ("float32", "float64")
PRECISIONS = ("fp32", "tf32", "bf16")  # as in torch_ref/scale/fast.py, which is not imported without need
DEVICE = r"auto|cpu|mps|cuda(:[0-9]+)?"  # the names that torch_ref/scale/devices.py takes


class Engine:
    """One engine, with the dtype and the device that it computes in.

    Attributes
    ----------
    name : str
        One of `EVERY`.
    nn, optim, models, sequence_models, world_model, train, actor_critic : module
        The engine's layers, optimizers, networks, training loop and reinforcement learning.
    random : module
        The engine's generator, with ``get_state`` and ``set_state``.
    manual_seed : callable
        Seeds the engine's default generator.
    no_grad : callable
        Returns the context for forward passes that no backward follows.
    dtype_name : str
        "float32" or "float64".
    dtype
        The same, in the form that the engine's constructors take as ``dtype=``.
    device, reason : str
        Where it computes, and why there.
    """

    name: str

    def __init__(self, package: ModuleType, dtype_name: str, dtype: object, device: str, reason: str) -> None:
        self.dtype_name, self.dtype, self.device, self.reason = dtype_name, dtype, device, reason
        self.nn, self.optim, self.models, self.sequence_models, self.world_model, self.train, self.actor_critic = (
            importlib.import_module(f"{package.__name__}.{part}")
            for part in ("nn", "optim", "models", "sequence_models", "world_model", "train", "actor_critic")
        )
        self.random = importlib.import_module(f"{package.__name__}.random")
        self.manual_seed, self.no_grad = package.manual_seed, package.no_grad

    def running(self) -> contextlib.AbstractContextManager:
        """Return the context that the engine computes in.

        Enter it to call modules, optimizers or the training loop directly; the methods below enter it themselves.
        """
        return contextlib.nullcontext()

    def threads(self, processes: int = 1) -> dict[str, int]:
        """Return the thread counts, in each of several processes, that a result's last bits may depend on."""
        raise NotImplementedError

    def asarray(self, array: np.ndarray) -> object:
        """Return a NumPy array as the engine's own kind, floating point in the engine's dtype. May share memory."""
        raise NotImplementedError

    def numpy(self, array: object) -> np.ndarray:
        """Return an array of the engine's own kind as a NumPy array. May share memory."""
        raise NotImplementedError

    def from_numpy(self, array: np.ndarray) -> object:
        """Return a copy of a NumPy array as the engine's own kind, with its dtype kept, on the CPU."""
        raise NotImplementedError

    def place(self, module: object) -> object:
        """Move a module to the engine's device, and return it."""
        raise NotImplementedError

    def device_generator_state(self) -> np.ndarray | None:
        """Return the state of the device's own generator, as bytes; None if it has none."""
        return None

    def set_device_generator_state(self, state: np.ndarray) -> None:
        """Restore what `device_generator_state` returned."""
        raise NotImplementedError

    def state(self, model: object) -> dict[str, np.ndarray]:
        """Return copies of a model's parameters and buffers, by name."""
        return {key: np.array(self.numpy(value)) for key, value in model.state_dict().items()}

    def load_state(self, model: object, state: dict[str, np.ndarray]) -> None:
        """Copy what `state` returned, in this engine or the other, into a model.

        Raises
        ------
        RuntimeError
            If the names or shapes are not the model's.
        """
        raise NotImplementedError

    @np.errstate(all="ignore")  # as in training
    def predict(self, module: object, x: np.ndarray) -> np.ndarray:
        """Return a module's outputs in evaluation mode, NumPy to NumPy."""
        with self.running():
            return self.numpy(self.train.predict(module, self.asarray(x)))

    def forward_backward(self, module: object, x: np.ndarray, *grad_outputs: np.ndarray) -> tuple:
        """Run a module forward and backward in the mode it is in; return its output and the gradient of ``x``.

        A module with several outputs takes a gradient for each of them, and its output is a tuple.
        """
        raise NotImplementedError

    def loss_backward(
        self, model: object, criterion: object, x: np.ndarray | tuple[np.ndarray, ...], *targets: np.ndarray
    ) -> float:
        """Return the loss of a model on a batch, and leave the gradients in the model's parameters.

        A model with several inputs takes a tuple; the loss takes each of the model's outputs.
        """
        raise NotImplementedError

    def grads(self, model: object) -> dict[str, np.ndarray]:
        """Return copies of the gradients that the last backward left in a model's parameters, by name."""
        return {name: self.numpy(parameter.grad).copy() for name, parameter in model.named_parameters()}


class ScratchEngine(Engine):
    """The engine by hand: ndarrays, on the CPU, and the kernels (unless SCRATCH_PLAIN says otherwise)."""

    name = "scratch"

    def __init__(self, dtype: str, device: str) -> None:
        if device not in ("cpu", "auto"):
            raise UsageError(f"the {self.name} engine computes on the CPU; --device {device} is for --engine torch")
        reason = "NumPy runs only on the CPU"
        self._scratch = importlib.import_module("scratch")
        super().__init__(self._scratch, dtype, np.dtype(dtype).type, "cpu", reason)

    def threads(self, processes: int = 1) -> dict[str, int]:
        """Return how many threads share a batch, and how many the BLAS has, if it tells."""
        from threadpoolctl import threadpool_info

        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        own = importlib.import_module("scratch.kernels.threads").get_num_threads()
        return {"own": own, **({"blas": max(blas)} if blas else {})}

    def asarray(self, array: np.ndarray) -> np.ndarray:
        """Return the array, floating point in the engine's dtype."""
        return array.astype(self.dtype, copy=False) if array.dtype.kind == "f" else array

    def numpy(self, array: np.ndarray) -> np.ndarray:
        """Return the array."""
        return array

    def from_numpy(self, array: np.ndarray) -> np.ndarray:
        """Return a copy of the array."""
        return array.copy()

    def place(self, module: object) -> object:
        """Return the module."""
        return module

    def load_state(self, model: object, state: dict[str, np.ndarray]) -> None:
        """Copy the arrays into the model."""
        model.load_state_dict(state)

    def forward_backward(self, module: object, x: np.ndarray, *grad_outputs: np.ndarray) -> tuple:
        """Call the module, then its ``backward``."""
        with self.running():
            output = module(self.asarray(x))
            return output, module.backward(*map(self.asarray, grad_outputs))

    def loss_backward(
        self, model: object, criterion: object, x: np.ndarray | tuple[np.ndarray, ...], *targets: np.ndarray
    ) -> float:
        """Call the loss's ``backward``, then the model's."""
        with self.running():
            outputs = _several(model(*map(self.asarray, _several(x))))
            loss = criterion(*outputs, *map(self.asarray, targets))
            model.zero_grad()
            model.backward(*_several(criterion.backward()))
        return float(loss)


class PlainEngine(ScratchEngine):
    """The engine by hand, running the plain functions that its derivations are written in."""

    name = "plain"

    def running(self) -> contextlib.AbstractContextManager:
        """Return the context in which scratch runs its plain functions."""
        return self._scratch.plain()


class TorchEngine(Engine):
    """PyTorch: tensors, on the device that was asked for, or the best available."""

    name = "torch"

    def __init__(self, dtype: str, device: str) -> None:
        import torch

        from torch_ref.scale import devices

        self._torch = torch
        try:
            device, reason = devices.choose(device, dtype)
        except ValueError as error:
            raise UsageError(f"--device {error}") from None
        except RuntimeError as error:
            raise Failure(f"--device {error}") from None
        super().__init__(importlib.import_module("torch_ref"), dtype, getattr(torch, dtype), device, reason)

    def threads(self, processes: int = 1) -> dict[str, int]:
        """Return PyTorch's thread count."""
        if processes == 1:
            return {"own": self._torch.get_num_threads()}

        from torch_ref.scale import distributed

        return {"own": distributed.threads_of(processes)}

    def asarray(self, array: np.ndarray) -> object:
        """Return the array as a tensor on the device."""
        tensor = self._torch.from_numpy(array)
        return tensor.to(self.device, self.dtype if array.dtype.kind == "f" else None)

    def numpy(self, array: object) -> np.ndarray:
        """Return a tensor's values."""
        return array.detach().cpu().numpy()

    def from_numpy(self, array: np.ndarray) -> object:
        """Return a copy of the array as a tensor."""
        return self._torch.tensor(array)

    def place(self, module: object) -> object:
        """Move the module to the device."""
        return module.to(self.device)

    def device_generator_state(self) -> np.ndarray | None:
        """Return the state of the accelerator's generator; None on the CPU."""
        state = self.random.get_device_state(self.device)
        return None if state is None else state.numpy()

    def set_device_generator_state(self, state: np.ndarray) -> None:
        """Restore the state of the accelerator's generator."""
        self.random.set_device_state(self.device, self.from_numpy(state))

    def load_state(self, model: object, state: dict[str, np.ndarray]) -> None:
        """Copy the arrays into the model."""
        model.load_state_dict({key: self._torch.from_numpy(array) for key, array in state.items()})

    def forward_backward(self, module: object, x: np.ndarray, *grad_outputs: np.ndarray) -> tuple:
        """Leave the backward pass to autograd."""
        x = self.asarray(x).detach().requires_grad_()
        output = module(x)
        outputs = output if isinstance(output, tuple) else (output,)
        self._torch.autograd.backward(outputs, [self.asarray(grad_output) for grad_output in grad_outputs])
        arrays = tuple(self.numpy(array) for array in outputs)
        return arrays if isinstance(output, tuple) else arrays[0], self.numpy(x.grad)

    def loss_backward(
        self, model: object, criterion: object, x: np.ndarray | tuple[np.ndarray, ...], *targets: np.ndarray
    ) -> float:
        """Leave the backward pass to autograd."""
        outputs = _several(model(*map(self.asarray, _several(x))))
        loss = criterion(*outputs, *map(self.asarray, targets))
        model.zero_grad()
        loss.backward()
        return loss.item()


def _several(values: object) -> tuple:
    return values if isinstance(values, tuple) else (values,)


ENGINES = {engine.name: engine for engine in (ScratchEngine, PlainEngine, TorchEngine)}


def get(name: str, dtype: str = "float32", device: str = "cpu") -> Engine:
    """Return an engine by name; the package behind it is imported now. The device "auto" is the best that it can use.

    Raises
    ------
    UsageError
        If there is no engine of this name, or it cannot compute in this dtype or on this kind of device.
    Failure
        If this machine has no such device.
    """
    if name not in EVERY:
        raise UsageError(f"unknown engine {name!r}; choose from {', '.join(EVERY)}")
    if dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}; choose from {', '.join(DTYPES)}")
    return ENGINES[name](dtype, device)


def draw_alike() -> None:
    """Make scratch draw random numbers as the installed PyTorch does, where PyTorch's versions differ.

    Call it before running both engines from one seed: without it dropout's masks would differ with an older PyTorch.
    """
    conventions = importlib.import_module("torch_ref.random").conventions()
    importlib.import_module("scratch.random").set_conventions(conventions)
