"""Cells of the lesson on the graph."""

# %%
import numpy as np
import torch

import scratch.nn
from scratch.tape import Tape

# %% [markdown]
# One expression on the tape, and in PyTorch's graph.


# %%
def expression(x, w, b, t):
    """Return the lesson's loss; ``a`` is used twice."""
    a = w * x + b
    return (a + a**2 - t) ** 2


given = {"x": 2.0, "w": 3.0, "b": -4.0}
tape = Tape()
values = {name: tape.watch(np.array(number)) for name, number in given.items()}
loss = expression(**values, t=4.0)
grads = tape.gradients(loss, 1.0)
print("tape   ", float(loss.data), {name: float(grads[value]) for name, value in values.items()})

tensors = {name: torch.tensor(number, requires_grad=True) for name, number in given.items()}
loss = expression(**tensors, t=4.0)
loss.backward()
print("PyTorch", loss.item(), {name: tensor.grad.item() for name, tensor in tensors.items()})
print("its last node:", loss.grad_fn.name(), "->", [node.name() for node, _ in loss.grad_fn.next_functions])

# %% [markdown]
# Gradients accumulate: two backward passes without `zero_grad` give twice the gradient.

# %%
layer, x = scratch.nn.Linear(3, 2), np.ones((4, 3), np.float32)
for attempt in ("first", "second, without zero_grad"):
    layer.backward(np.ones_like(layer(x)))
    print(attempt, layer.bias.grad)
layer.zero_grad()
layer.backward(np.ones_like(layer(x)))
print("after zero_grad", layer.bias.grad)
