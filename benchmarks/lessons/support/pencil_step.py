"""One training step of a network of two layers, with numbers for a pencil: part of the lesson on the perceptron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import Engine

X = np.array([[1.0, 2.0], [2.0, 1.0]])
LABELS = np.array([1, 0])
WEIGHTS = {
    "0.weight": np.array([[1.0, 0.0], [-1.0, 1.0]]),
    "0.bias": np.zeros(2),
    "2.weight": np.array([[0.5, -0.5], [0.0, 0.0]]),
    "2.bias": np.zeros(2),
}
LR = 1.0


class Step(NamedTuple):
    """A step of gradient descent as an engine took it."""

    loss: float
    grads: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    loss_after: float


class Values(NamedTuple):
    """The values between the input and the loss, and their gradients, in the order of the equations."""

    a: np.ndarray
    h: np.ndarray
    z: np.ndarray
    p: np.ndarray
    losses: np.ndarray
    grad_z: np.ndarray
    grad_h: np.ndarray
    grad_a: np.ndarray


def network(engine: Engine) -> object:
    """Return the network with the weights of the page."""
    nn, dtype = engine.nn, engine.dtype
    model = nn.Sequential(nn.Linear(2, 2, dtype=dtype), nn.ReLU(), nn.Linear(2, 2, dtype=dtype))
    engine.load_state(model, WEIGHTS)
    return model


def take(engine: Engine, reduction: str = "mean", lr: float = LR, optimizer: str = "SGD") -> Step:
    """Take one step."""
    model, criterion = network(engine), engine.nn.CrossEntropyLoss(reduction=reduction)
    chosen = getattr(engine.optim, optimizer)(model.parameters(), lr=lr)
    loss = engine.loss_backward(model, criterion, X, LABELS)
    grads = engine.grads(model)
    chosen.step()
    return Step(loss, grads, engine.state(model), engine.loss_backward(model, criterion, X, LABELS))


def by_pencil() -> Values:
    """Compute the values in between, one line per equation."""
    w_1, b_1, w_2, b_2 = WEIGHTS.values()
    a = X @ w_1.T + b_1
    h = np.maximum(a, 0)
    z = h @ w_2.T + b_2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    losses = -np.log(p[np.arange(len(p)), LABELS])
    grad_z = (p - np.eye(2)[LABELS]) / len(X)
    grad_h = grad_z @ w_2
    return Values(a, h, z, p, losses, grad_z, grad_h, grad_h * (a > 0))


def too_early(engine: Engine) -> np.ndarray | str:
    """Change the second layer's weights before backward has passed it; return the first one's gradient, or an error.

    Backward must multiply by the weights that forward multiplied by. After a change in between, it no longer does.
    """
    model, criterion = network(engine), engine.nn.CrossEntropyLoss()
    new = take(engine).after["2.weight"]
    if engine.name == "torch":
        import torch

        loss = criterion(model(engine.asarray(X)), engine.asarray(LABELS))
        with torch.no_grad():
            model[2].weight.copy_(engine.asarray(new))
        try:
            loss.backward()
        except RuntimeError as error:
            return str(error).partition(":")[0]
    else:
        with engine.running():
            criterion(model(X), LABELS)
            model[2].weight.data[...] = new
            model.backward(criterion.backward())
    return engine.grads(model)["0.weight"]


def conventions(engine: Engine) -> dict[str, np.ndarray]:
    """Return W_2 after one step, with the batch's 1/m in several places."""
    m = len(X)
    return {
        "mean of the losses, lr": take(engine).after["2.weight"],
        "sum of the losses, lr / m": take(engine, "sum", LR / m).after["2.weight"],
        "sum of the losses, lr: m times the step": take(engine, "sum").after["2.weight"],
        "mean, Adam, lr 0.1": take(engine, "mean", 0.1, "Adam").after["2.weight"],
        "sum, Adam, lr 0.1": take(engine, "sum", 0.1, "Adam").after["2.weight"],
    }


def page(step: Step) -> str:
    """Write out the step, number by number: the engine's results beside those of the pencil."""
    values = by_pencil()

    def matrix(array: np.ndarray) -> str:
        return "[" + ", ".join(row(one) for one in array) + "]" if array.ndim == 2 else row(array)

    def row(array: np.ndarray) -> str:
        return "(" + ", ".join(f"{value:.4g}" if abs(value) > 1e-12 else "0" for value in array) + ")"

    g, after = step.grads, step.after
    terms = " + ".join(f"{value:.4f}" for value in values.losses)
    names = {"0.weight": "W_1", "0.bias": "b_1", "2.weight": "W_2", "2.bias": "b_2"}
    updates = [
        f"    {name} <- {matrix(WEIGHTS[key])} - {LR:g} {matrix(g[key])} = {matrix(after[key])}"
        for key, name in names.items()
    ]
    return "\n".join(
        [
            "One training step on two rows; row n of each matrix belongs to row n of the batch",
            f"  x    {matrix(X)}, labels {row(LABELS)}",
            f"  F1   a = x W_1' + b_1 = {matrix(values.a)}",
            f"  F2   h = max(a, 0)    = {matrix(values.h)}",
            f"  F3   z = h W_2' + b_2 = {matrix(values.z)}",
            f"  F4   p = softmax(z)   = {matrix(values.p)}",
            f"  F5   L = -(1/2) sum log p[label] = ({terms}) / 2 = {step.loss:.4f}",
            f"  B4   dL/dz = (p - onehot) / 2 = {matrix(values.grad_z)}",
            f"  B3   dL/dW_2 = (dL/dz)' h = {matrix(g['2.weight'])},  dL/db_2 = its sum over rows = {row(g['2.bias'])}",
            f"       dL/dh = dL/dz W_2 = {matrix(values.grad_h)}",
            f"  B2   dL/da = dL/dh where a > 0 = {matrix(values.grad_a)}",
            f"  B1   dL/dW_1 = (dL/da)' x = {matrix(g['0.weight'])},  dL/db_1 = {row(g['0.bias'])}",
            "  step, every weight at once, each by its gradient at the old weights:",
            *updates,
            f"  the loss after it: {step.loss_after:.4f}",
        ]
    )
