r"""One neuron learns a line.

A neuron with one input computes a weighted sum, and learning is nothing but one update, repeated. Here the numbers are
so small that you can redo every one of them with a pencil: four points on the line t = 2x + 1, a neuron that starts at
w = 0, b = 0, and plain gradient descent.

    F1  y_n = w x_n + b                     the neuron's answer for point n
    F2  e_n = y_n - t_n                     its error
    F3  L   = (1/N) sum_n e_n^2             the loss: the mean of the squared errors

    B3  dL/de_n = (2/N) e_n                 a square's slope is twice its base
    B2  dL/dy_n = dL/de_n                   t_n is a constant
    B1  dL/dw = sum_n dL/dy_n x_n           w meets x_n in every point: the points' shares add
        dL/db = sum_n dL/dy_n               b is added in every point

    step    w <- w - lr dL/dw,   b <- b - lr dL/db

How large may the learning rate lr be? The loss is a bowl. Its curvature is the matrix of second derivatives

    H = (2/N) [[sum_n x_n^2, sum_n x_n], [sum_n x_n, N]]  =  [[3, 1], [1, 2]]   for x = -1, 0, 1, 2

Along a direction of curvature k a step multiplies the distance to the minimum by 1 - lr k. The curvatures are H's
eigenvalues, (5 +- sqrt(5))/2 = 3.62 and 1.38. Beyond lr = 2/3.62 = 0.553 the first factor is below -1, and each step
overshoots further than the last. The best lr makes both factors equally small: 2/(3.62 + 1.38) = 0.4, where they are
-0.447 and 0.447.

In reinforcement learning. A linear critic is this neuron: features of a state go in, the expected return comes out, and
the update moves the value towards the return that was seen. Temporal-difference learning is the same update with a
target that contains the neuron's own next guess. A learning rate that is too large overshoots there in the same way.

Takeaways. Learning is one update, repeated. The gradient of a weight is the error times its input, summed over the
points. Curvature limits the learning rate: above 2 divided by the largest curvature, steps grow.

Next: `backprop lesson mlp`, many neurons in layers.

Read: scratch/nn/linear.py, scratch/nn/loss.py (MSELoss), scratch/optim/sgd.py.
Run:  backprop lesson neuron
"""

from __future__ import annotations

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.style import INK
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREEN, GREY, ORANGE, RED, engine_key, line, sheet

X = np.array([[-1.0], [0.0], [1.0], [2.0]])
T = 2 * X + 1
LR = 0.1
STEPS = 40
BY_HAND = 3
RATES = {0.02: GREY, 0.1: ORANGE, 0.4: GREEN, 0.54: BLUE, 0.57: RED}
LOSS_FLOOR = 1e-9
LEVELS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
GRID_W, GRID_B = np.linspace(-1, 4, 61), np.linspace(-1.4, 3, 61)


class Trail(NamedTuple):
    """The path of gradient descent: one entry per step, from before the step was taken."""

    weight: np.ndarray
    bias: np.ndarray
    loss: np.ndarray
    grad_weight: np.ndarray
    grad_bias: np.ndarray


def descend(engine: Engine, lr: float, steps: int = STEPS) -> Trail:
    """Train the neuron, one update after another."""
    neuron, criterion = engine.nn.Linear(1, 1, dtype=engine.dtype), engine.nn.MSELoss()
    engine.load_state(neuron, {"weight": np.zeros((1, 1)), "bias": np.zeros(1)})
    optimizer = engine.optim.SGD(neuron.parameters(), lr=lr)
    rows = []
    for _ in range(steps):
        state = engine.state(neuron)
        loss = engine.loss_backward(neuron, criterion, X, T)
        grads = engine.grads(neuron)
        rows.append((state["weight"].item(), state["bias"].item(), loss, grads["weight"].item(), grads["bias"].item()))
        optimizer.step()
    return Trail(*np.array(rows).T)


def surface(engine: Engine) -> np.ndarray:
    """Return the loss of every neuron of the grid, of shape (bias, weight)."""
    neuron, criterion = engine.nn.Linear(1, 1, dtype=engine.dtype), engine.nn.MSELoss()
    losses = np.empty((len(GRID_B), len(GRID_W)))
    for row, bias in enumerate(GRID_B):
        for column, weight in enumerate(GRID_W):
            engine.load_state(neuron, {"weight": np.array([[weight]]), "bias": np.array([bias])})
            losses[row, column] = engine.numpy(criterion(neuron(engine.asarray(X)), engine.asarray(T)))
    return losses


def by_hand(trail: Trail, step: int) -> str:
    """Write out one update, number by number."""
    w, b, grad_w, grad_b = (column[step] for column in (trail.weight, trail.bias, trail.grad_weight, trail.grad_bias))
    x, t = X[:, 0], T[:, 0]
    y = w * x + b
    error = y - t

    def row(values: np.ndarray) -> str:
        return "  ".join(f"{value:8.4g}" for value in values)

    squares, products = (" + ".join(f"{value:.6g}" for value in terms) for terms in (error**2, error * x))
    return "\n".join(
        [
            f"Step {step + 1}, from w = {w:.4g}, b = {b:.4g}",
            f"  x                 {row(x)}",
            f"  t                 {row(t)}",
            f"  F1  y = w x + b   {row(y)}",
            f"  F2  e = y - t     {row(error)}",
            f"  F3  L = ({squares}) / 4 = {trail.loss[step]:.6g}",
            f"  B1  dL/dw = (2/4) ({products}) = {grad_w:.6g}".replace("+ -", "- "),
            f"      dL/db = (2/4) ({' + '.join(f'{e:.4g}' for e in error)}) = {grad_b:.6g}".replace("+ -", "- "),
            f"      w <- {w:.4g} - {LR} * {grad_w:.6g} = {trail.weight[step + 1]:.6g}",
            f"      b <- {b:.4g} - {LR} * {grad_b:.6g} = {trail.bias[step + 1]:.6g}",
        ]
    )


def draw(trails: dict[str, dict[float, Trail]], bowls: dict[str, np.ndarray]) -> Figure:
    """Draw the line as it moves, the way down the loss surface, and the loss for several learning rates."""
    figure, ((line_axes, bowl_axes, loss_axes),) = sheet(1, 3, 3.7, "One neuron learns the line t = 2x + 1")
    first = next(iter(trails))
    trail, shown = trails[first][LR], (0, 1, 2, 3, 5, 10, 20, STEPS - 1)
    shades = matplotlib.colormaps["viridis_r"](np.linspace(0.1, 1, len(shown)))
    ends = np.array([-1.5, 2.5])
    for step, shade in zip(shown, shades, strict=True):
        line_axes.plot(ends, trail.weight[step] * ends + trail.bias[step], color=shade, lw=1.8, label=f"{step}")
    line_axes.plot(X, T, "o", color=RED, ms=7, zorder=3)
    line_axes.set(title=f"The line after some steps, lr {LR}", xlabel="x", ylabel="y", ylim=(-2.6, 6))
    line_axes.legend(title="steps", fontsize=8, title_fontsize=8, ncols=2, loc="upper left", handlelength=1.2)

    bowl_axes.contourf(
        GRID_W, GRID_B, bowls[first], levels=(1e-9, *LEVELS, 1e3), cmap="bone_r", norm=LogNorm(0.01, 3e3)
    )
    bowl_axes.contour(GRID_W, GRID_B, bowls[first], levels=LEVELS, colors="white", linewidths=0.8)
    line(bowl_axes, trail.weight, {name: trails[name][LR].bias for name in trails}, RATES[LR])
    for step, shade in zip(shown, shades, strict=True):
        bowl_axes.plot(trail.weight[step], trail.bias[step], "o", color=shade, ms=6, mec="white", mew=0.7, zorder=3)
    bowl_axes.plot(2, 1, "*", color="white", ms=12, mec=INK, zorder=4)
    bowl_axes.grid(False)
    bowl_axes.set(title="The way down the loss surface", xlabel="w", ylabel="b")

    for lr, colour in RATES.items():
        line(loss_axes, np.arange(STEPS), {name: trails[name][lr].loss for name in trails}, colour)
        losses = trails[first][lr].loss
        end = np.flatnonzero(losses > LOSS_FLOOR)[-1]
        loss_axes.annotate(f"lr {lr}", (end, losses[end]), (5, 0), textcoords="offset points", color=colour, fontsize=9)
    loss_axes.set(title="The step can be too large", xlabel="step", ylabel="loss", yscale="log")
    loss_axes.set(xlim=(-1, 1.3 * STEPS), ylim=(LOSS_FLOOR, 1e4))
    engine_key(figure, list(trails))
    return figure


def run(board: Blackboard) -> None:
    """Train the neuron, write out its first updates, and draw its way down."""
    engines = board.engines("float64")
    trails = {engine.name: {lr: descend(engine, lr) for lr in RATES} for engine in engines}
    bowls = {engine.name: surface(engine) for engine in engines}
    trail = trails[engines[0].name][LR]
    board.write(f"The first {BY_HAND} updates, as the {engines[0].name} engine made them, lr = {LR}:")
    for step in range(BY_HAND):
        board.write(by_hand(trail, step))
    board.table(
        f"The neuron learns t = 2x + 1 (lr = {LR})",
        ("before step", "w", "b", "loss", "dL/dw", "dL/db"),
        [(step + 1, *(f"{column[step]:.6f}" for column in trail)) for step in (0, 1, 2, 3, 4, 9, 19, STEPS - 1)],
    )
    board.differences(
        {
            **{f"lr {lr}: every w, b, loss and gradient": [trails[name][lr] for name in trails] for lr in RATES},
            "the loss surface": list(bowls.values()),
        }
    )
    board.figure("neuron", draw(trails, bowls))
