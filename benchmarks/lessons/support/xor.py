"""Exclusive or, by one layer and by two: part of the lesson on the perceptron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.boundary import POINTS, SHADES
from benchmarks.figures.style import INK
from benchmarks.lessons.support.drawing import GREY, engine_key, sheet

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
LABELS_OF_CORNERS = np.array([0, 1, 1, 0])
BY_HAND = {
    "0.weight": np.ones((2, 2)),
    "0.bias": np.array([0.0, -1.0]),
    "2.weight": np.array([[0.0, 0.0], [8.0, -16.0]]),
    "2.bias": np.array([4.0, 0.0]),
}
UNITS, SEEDS, STEPS, LR, SOLVED = (2, 8), 10, 200, 0.1, 0.05
SIDE = np.linspace(-0.4, 1.4, 91)


class Answers(NamedTuple):
    """The results on XOR: the losses of one layer, and of two by hidden units (units, seed); maps of the plane."""

    one_layer: float
    one_layer_weights: np.ndarray
    two_layers: np.ndarray
    planes: dict[str, np.ndarray]


def two_layers(engine: Engine, units: int) -> object:
    """Return a network with a hidden layer of ReLU units."""
    nn, dtype = engine.nn, engine.dtype
    return nn.Sequential(nn.Linear(2, units, dtype=dtype), nn.ReLU(), nn.Linear(units, 2, dtype=dtype))


def learn(engine: Engine, model: object) -> float:
    """Train on all four corners in every step, and return the last loss."""
    optimizer, criterion = engine.optim.Adam(model.parameters(), lr=LR), engine.nn.CrossEntropyLoss()
    for _ in range(STEPS):
        engine.loss_backward(model, criterion, CORNERS, LABELS_OF_CORNERS)
        optimizer.step()
    return engine.loss_backward(model, criterion, CORNERS, LABELS_OF_CORNERS)


def plane(engine: Engine, model: object) -> np.ndarray:
    """Return the probability of class 1 around the corners."""
    grid = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)
    probabilities = engine.predict(engine.nn.Softmax(dim=1), engine.predict(model, grid))
    return probabilities[:, 1].reshape(len(SIDE), len(SIDE))


def answer(engine: Engine, seed: int) -> Answers:
    """Train one layer on XOR, then two."""
    engine.manual_seed(seed)
    one = engine.nn.Linear(2, 2, dtype=engine.dtype)
    loss = learn(engine, one)
    losses, models = np.empty((len(UNITS), SEEDS)), {}
    for row, units in enumerate(UNITS):
        for k in range(SEEDS):
            engine.manual_seed(seed + k)
            model = two_layers(engine, units)
            losses[row, k] = learn(engine, model)
            if k == int(losses[row, : k + 1].argmin()):
                models[units] = model
    hand = two_layers(engine, 2)
    engine.load_state(hand, BY_HAND)
    shown = {
        "one layer, trained": one,
        "two layers, by hand": hand,
        f"two, {UNITS[-1]} units, trained": models[UNITS[-1]],
    }
    state = engine.state(one)
    weights = np.append(state["weight"][1] - state["weight"][0], state["bias"][1] - state["bias"][0])
    return Answers(loss, weights, losses, {name: plane(engine, model) for name, model in shown.items()})


def draw(found: dict[str, Answers]) -> Figure:
    """Draw the plane as each network divides it, and the corners as the hidden layer by hand moves them."""
    first = next(iter(found))
    figure, (every,) = sheet(
        1, 4, 3.1, "Exclusive or: a line cannot part the classes, a hidden layer moves the corners"
    )
    for axes, name in zip(every, found[first].planes, strict=False):
        axes.pcolormesh(SIDE, SIDE, found[first].planes[name], cmap=SHADES, vmin=0, vmax=1, rasterized=True)
        if np.ptp(found[first].planes[name]) > 0.1:
            for engine, look in zip(found, ({"linewidths": 4, "alpha": 0.4}, {"linestyles": "dashed"}), strict=False):
                axes.contour(SIDE, SIDE, found[engine].planes[name], levels=[0.5], colors=INK, **look)
        else:
            axes.text(0.5, 0.5, "1/2 everywhere", ha="center", va="center", color=GREY, fontsize=9)
        corners(axes, CORNERS)
        axes.set(title=name, xlabel="$x_1$", xlim=(-0.4, 1.4), ylim=(-0.4, 1.4), xticks=(0, 1), yticks=(0, 1))
        axes.title.set_fontsize(10)
    every[0].set_ylabel("$x_2$")
    hidden = every[-1]
    h = np.maximum(CORNERS @ BY_HAND["0.weight"].T + BY_HAND["0.bias"], 0)
    ends = np.array([0.0, 2.3])
    hidden.plot(ends, (ends - 0.5) / 2, color=INK, linewidth=1.5)
    corners(hidden, h)
    for name, place, offset in (("(0,0)", (0, 0), 9), ("(0,1), (1,0)", (1, 0), -16), ("(1,1)", (2, 1), 9)):
        hidden.annotate(name, place, (0, offset), textcoords="offset points", ha="center", fontsize=8)
    hidden.set(title="its hidden layer's view", xlabel="$h_1$", ylabel="$h_2$", xlim=(-0.4, 2.5), ylim=(-0.4, 1.4))
    hidden.title.set_fontsize(10)
    engine_key(figure, list(found))
    return figure


def corners(axes: Axes, places: np.ndarray) -> None:
    """Draw the four points in the colours of their classes."""
    axes.scatter(*places.T, c=LABELS_OF_CORNERS, s=70, cmap=ListedColormap(POINTS), edgecolors="white", zorder=3)
