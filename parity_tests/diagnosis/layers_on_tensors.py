"""A layer of tensors that record their operations: it has no backward of its own, since theirs undoes it."""

import inspect
import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.find import Found, constructed, method_called
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.tensor_operations import weighing
from parity_tests.diagnosis.tensors import Tensors, is_tensor, way_of


def found(module: types.ModuleType, name: str, args: tuple[list, dict], stage: Stage, file: str) -> Found | None:
    """Return a class of layers on tensors as arrays go through it; None if it is none, or the file has no tensors."""
    cls = getattr(module, name, None)
    if not isinstance(cls, type) or method_called(cls, words.BACKWARD) is not None:
        return None
    kinds = [Tensors(one, stage) for one in vars(module).values() if is_tensor(one)]
    # A class of parameters may derive from that of the tensors.
    kind = min(kinds, key=lambda one: len(one.cls.__mro__), default=None)
    if kind is None or not (kind.takes_upstream or len(weighing(kind.cls)) > 1):
        return None
    layer = constructed(cls, args, stage, file)
    forward = method_called(layer, words.FORWARD)
    if forward is None:
        return None
    on = _OnTensors(forward, kind)
    parameters = list(inspect.signature(forward).parameters.values())
    grad = inspect.Parameter("grad_output", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    front, back = Called(on.forward, forward).taking(parameters), Called(on.backward, kind.cls.backward).taking([grad])
    return Found(name, front, back, owner=layer, module=module)


class _OnTensors:
    def __init__(self, forward: Callable, kind: Tensors) -> None:
        self.run, self.kind, self.way = forward, kind, way_of(kind)

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        """Make tensors of the inputs; return the array of what the layer makes of them."""
        self.inputs = [self.kind.made(x) if x.dtype.kind == "f" else x for x in inputs]
        self.made = self.run(*self.inputs)
        values = self.kind.values(self.made)
        if values is None:
            kind, wanted = type(self.made).__name__, self.kind.cls.__name__
            raise LearnerRaisedError(f"{self.run.__name__}: expected a {wanted}, got {kind}")
        return values

    def backward(self, grad_output: np.ndarray) -> tuple | np.ndarray | None:
        """Run the tensors' backward; return the gradients that it leaves in the inputs."""
        self.kind.undo(self.made, np.asarray(grad_output), self.way)
        grads = tuple(self.kind.gradient(x) if isinstance(x, self.kind.cls) else None for x in self.inputs)
        return grads if len(grads) > 1 else grads[0]
