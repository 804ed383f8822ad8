"""The memory that waits for backward, in both engines: part of the lesson on the graph."""

from __future__ import annotations

import weakref
from collections import Counter

import numpy as np

import scratch
from benchmarks.engines import Engine

LAYERS, UNITS, BATCH = 5, 64, 128


def make_network(engine: Engine) -> list:
    """Return the layers of a network, linear ones and ReLUs in turn."""
    engine.manual_seed(0)
    pairs = [(engine.nn.Linear(UNITS, UNITS, dtype=engine.dtype), engine.nn.ReLU()) for _ in range(LAYERS)]
    return [layer for pair in pairs for layer in pair]


def kept_by_scratch(layers: list, x: np.ndarray, grad: np.ndarray) -> tuple[list[int], str]:
    """Return the bytes kept after each layer's forward, then after each backward; and how a second one is refused."""

    def kept() -> int:
        arrays = {}
        for layer in layers:
            try:
                arrays |= {id(one): one.nbytes for one in layer.record().saved}
            except RuntimeError:  # nothing: not called yet, or used up
                continue
        return sum(arrays.values())

    sizes = []
    for layer in layers:
        x = layer(x)
        sizes.append(kept())
    if not sizes[-1]:
        return sizes, ""
    for layer in reversed(layers):
        grad = layer.backward(grad)
        sizes.append(kept())
    try:
        layers[-1].backward(grad)
    except RuntimeError as error:
        return sizes, str(error)
    return sizes, "no refusal"


def kept_by_torch(layers: list, x: object, grad: object) -> tuple[list[int], str]:
    """Return the same for PyTorch, where hooks report what the graph saves; parameters do not count."""
    import torch

    own = {parameter.untyped_storage().data_ptr() for layer in layers for parameter in layer.parameters()}
    alive: Counter[tuple[int, int]] = Counter()

    class Held:
        """A tensor that a node has saved; counted until the node lets it go."""

        def __init__(self, tensor: object) -> None:
            self.tensor = tensor
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                key = storage.data_ptr(), storage.nbytes()
                alive[key] += 1
                weakref.finalize(self, alive.subtract, [key])

    def kept() -> int:
        return sum(size for (_, size), count in alive.items() if count > 0)

    sizes = []
    x.requires_grad_(torch.is_grad_enabled())
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        values = [x]
        for layer in layers:
            values.append(layer(values[-1]))
            sizes.append(kept())
        if not sizes[-1]:
            return sizes, ""
        # A value's hook runs once its gradient is there: when the layer that reads it has done its backward.
        for value in values[:-1]:
            value.register_hook(lambda grad: sizes.append(kept()))
        values[-1].backward(grad)
        try:
            values[-1].backward(grad)
        except RuntimeError as error:
            return sizes, str(error).partition(". ")[0]
    return sizes, "no refusal"


def kept(engine: Engine, seed: int) -> tuple[list[int], list[int], str]:
    """Return the bytes kept with gradients, and under no_grad, and the message that refuses a second backward."""
    import contextlib

    rng = np.random.default_rng(seed)
    x, grad = rng.normal(size=(BATCH, UNITS)), rng.normal(size=(BATCH, UNITS))
    measure = kept_by_torch if engine.name == "torch" else kept_by_scratch
    no_grad = scratch.no_grad
    if engine.name == "torch":
        import torch

        no_grad = torch.no_grad
    found = []
    for context in (contextlib.nullcontext, no_grad):
        with context():
            found.append(measure(make_network(engine), engine.asarray(x.copy()), engine.asarray(grad)))
    return found[0][0], found[1][0], found[0][1]
