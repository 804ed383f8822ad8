"""A layer that somebody else wrote, wrapped so that `parity_tests.check` can run it.

Expected of it: ``forward(*inputs)``, ``backward(grad_output)``, and parameters as attributes, in either of two forms:

    self.weight     any object with ``.data`` and ``.grad``
    self.W          an array, its gradient in self.dW, self.grad_W or self.W_grad

Under other names than PyTorch's, parameters are matched by what the names mean, then by shape; `Learner.notes` says
what was matched with what.
"""

from collections.abc import Callable, Iterator

import numpy as np

ALIASES = {
    "weight": ("w", "weights", "kernel", "kernels", "filters", "gamma", "scale"),
    "bias": ("b", "biases", "beta", "shift"),
}


class Handle:
    """A parameter of the learner's layer under our names: ``data`` and ``grad`` of whatever holds it."""

    def __init__(self, owner: object, path: str, data_name: str, grad_names: tuple[str, ...]) -> None:
        self.owner, self.path, self.data_name, self.grad_names = owner, path, data_name, grad_names
        self.transposed = False

    @property
    def data(self) -> np.ndarray:
        """The values, in PyTorch's order of axes."""
        values = getattr(self.owner, self.data_name)
        return values.T if self.transposed else values

    @data.setter
    def data(self, values: np.ndarray) -> None:
        setattr(self.owner, self.data_name, values.T if self.transposed else values)

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient, in PyTorch's order of axes."""
        for name in self.grad_names:
            grad = getattr(self.owner, name, None)
            if grad is not None:
                return np.asarray(grad).T if self.transposed else np.asarray(grad)
        return None

    @grad.setter
    def grad(self, none: None) -> None:
        # A layer that starts from zeros gets zeros back: it may use += without checking.
        for name in self.grad_names:
            if isinstance(getattr(self.owner, name, None), np.ndarray):
                values = getattr(self.owner, self.data_name)
                setattr(self.owner, name, np.zeros_like(values))


class Learner:
    """Somebody's layer with the methods that `check` calls.

    Parameters
    ----------
    layer : object
        The layer.
    parameters, buffers : dict of str to tuple of int
        PyTorch's by name, with their shapes; empty where there is no counterpart.
    dtype : numpy dtype
        What its parameters are converted to.
    """

    def __init__(self, layer: object, parameters: dict[str, tuple], buffers: dict[str, tuple], dtype: str) -> None:
        self.layer = layer
        self.title = getattr(layer, "title", type(layer).__name__)
        self.training = bool(getattr(layer, "training", True))
        self.notes: list[str] = []
        handles = list(_parameters(layer, "", parameters))
        for handle in handles:
            handle.data = np.array(handle.data, dtype)
        self.handles = _match(handles, parameters, self.notes)
        self.buffers = [
            name for name in buffers if np.shape(getattr(layer, name, "")) == buffers[name] and hasattr(layer, name)
        ]
        for name in self.buffers:
            setattr(layer, name, np.array(getattr(layer, name), dtype if "running" in name else None))

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        """Run the layer's forward."""
        return self.layer.forward(*inputs)

    def backward(self, *grad_outputs: np.ndarray) -> np.ndarray:
        """Run the layer's backward."""
        return self.layer.backward(*grad_outputs)

    def named_parameters(self) -> Iterator[tuple[str, Handle]]:
        """Yield the parameters under PyTorch's names, or under their own where none matched."""
        yield from self.handles.items()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the parameters' arrays and the buffers' that the layer has."""
        state = {name: handle.data for name, handle in self.handles.items()}
        return state | {name: getattr(self.layer, name) for name in self.buffers}


class Functions:
    """A pair of functions as a layer: ``forward(*inputs)`` and ``backward(grad_output, *inputs)``."""

    def __init__(self, forward: Callable, backward: Callable) -> None:
        self.forward_function, self.backward_function = forward, backward
        self.title = forward.__name__
        self.inputs: tuple[np.ndarray, ...] = ()

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        """Call the first function."""
        self.inputs = inputs
        return self.forward_function(*inputs)

    def backward(self, grad_output: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """Call the second: one gradient, or one for each of the inputs."""
        return self.backward_function(grad_output, *self.inputs)


def _parameters(layer: object, prefix: str, expected: dict[str, tuple]) -> Iterator[Handle]:
    for name, value in list(vars(layer).items()):
        path = prefix + name
        if isinstance(getattr(value, "data", None), np.ndarray) and hasattr(value, "grad"):
            yield Handle(value, path, "data", ("grad",))
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            grads = (f"d{name}", f"grad_{name}", f"{name}_grad", f"d_{name}")
            if any(hasattr(layer, grad) for grad in grads) or _meaning(path) in expected:
                yield Handle(layer, path, name, grads)
        elif hasattr(value, "forward") and hasattr(value, "backward") and hasattr(value, "__dict__"):
            yield from _parameters(value, f"{path}.", expected)


def _match(handles: list[Handle], expected: dict[str, tuple], notes: list[str]) -> dict[str, Handle]:
    shapes = dict(expected)
    left, found = list(handles), {}
    rules = (
        lambda handle, name: handle.path == name,
        lambda handle, name: _meaning(handle.path) == name and handle.data.shape == shapes[name],
        lambda handle, name: handle.data.shape == shapes[name],
        lambda handle, name: len(shapes[name]) == 2 and handle.data.shape == shapes[name][::-1],
        lambda handle, name: _meaning(handle.path) == name,
    )
    for rule in rules:
        for name in expected:
            handle = next((handle for handle in left if name not in found and rule(handle, name)), None)
            if handle is not None:
                found[name] = handle
                left.remove(handle)
                if handle.path != name:
                    notes.append(f"{handle.path} is taken for {name}")
                if rule is rules[3]:
                    handle.transposed = True
                    notes[-1] += f", transposed: PyTorch's is {shapes[name]}"
    return {name: found[name] for name in expected if name in found} | {handle.path: handle for handle in left}


def _meaning(path: str) -> str:
    prefix, dot, last = path.rpartition(".")
    known = next((name for name, others in ALIASES.items() if last.lower() in others), last)
    return f"{prefix}{dot}{known}"
