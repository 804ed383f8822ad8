r"""Activations: what a neuron does with its sum, and what that does to the gradient on its way back.

Without a nonlinearity in between, a stack of linear layers is one linear layer. The activation y = f(x) acts on each
number separately, so its backward pass is one product,

    B1  grad_x = grad_y f'(x)

    sigmoid   f(x) = 1 / (1 + exp(-x))                       f'(x) = f(x) (1 - f(x)),   at most 1/4
    tanh      f(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))  f'(x) = 1 - f(x)^2,        at most 1
    ReLU      f(x) = max(x, 0)                               f'(x) = 1 if x > 0, else 0

and the slope f' is all that matters for learning. Given an upstream gradient of ones, a layer's backward returns the
slope itself: the derivatives shown here come from the layers, not from formulas typed in a second time.

Three things follow from the slope, and two more from the values.

Saturation. Where f' is almost 0, a neuron hardly learns, however wrong it is. The table says where each activation's
slope stays below 1%.

Vanishing gradients. The gradient of an early layer is a product with a factor for each later one,

    grad_x_k = W_(k+1)^T (f'(x_(k+1)) grad_x_(k+1))

and a product of twenty factors well below 1 is practically 0. A sigmoid's slope is never above 1/4, and 1/4 to the 20th
power is 1e-12. ReLU's slope of 1 lets the gradient through, but only if the weights are scaled for it: PyTorch's
default draws them with a variance of 1/(3 fan_in), which shrinks a ReLU network's gradient by sqrt(1/6) per layer. With
weights of variance gain^2/fan_in (Xavier and Kaiming), ReLU and tanh keep the gradient's size, and the sigmoid still
loses it. (With the default initialization, the curves of ReLU and tanh are flat and low in the first layers. A weight's
gradient is the product of the gradient from above and of the differences between the points from below, and each layer
shrinks both by the same factor: the gradient on its way back, the differences on their way forward.)

Dying units. A ReLU that is on its flat side for every training point has a gradient of exactly 0. The weights before it
do not move, so it never comes back. A step that is too large pushes units there, and a network that starts with all of
its units there never learns; activations whose slope on the left is small but not 0 find their way out.

Zero-centred outputs. A weight's gradient is the unit's gradient times the weight's input. Where all inputs are
positive, as behind a sigmoid, all weights of a unit move up together or down together for a given row, so the way to a
place that needs both is a zigzag (LeCun et al., Efficient BackProp, 1998, section 4.3). Tanh is centred: tanh(x) = 2
sigmoid(2 x) - 1. The table counts how often all weights of a unit have gradients of one sign: after sigmoids always,
after tanh hardly ever. But after ReLUs it is always, too: being centred is not everything.

Sparsity and speed. Half of ReLU's outputs are exactly 0 at the start, and more after training (Glorot et al., Deep
sparse rectifier neural networks, 2011), and the rest have a slope of 1. Krizhevsky et al. (2012) report that a
convolutional network with ReLU reached a training error of 25% six times as fast as one with tanh. Here, on a small
network and easy data, each at its best learning rate, ReLU comes first, tanh second, and the sigmoid far behind; the
table has the epochs.

In reinforcement learning. Policies and critics that read a handful of numbers often use tanh (PPO in OpenAI Baselines)
or ReLU (SAC); encoders of pixels use ReLU (DQN, dqn_zoo/networks.py); Dreamer's world models began with ELU
(danijar/dreamer, dreamer.py: dense_act) and have SiLU since the third version (danijar/dreamerv3, configs.yaml: act). A
squashed action is a tanh, too: SAC draws from a normal distribution and applies tanh, whose slope enters the
likelihood. Units that fall silent while the targets move are known there as dormant neurons (Sokar et al., 2023).

Takeaways. An activation's slope is what matters for learning. A product of slopes below 1 vanishes; initialize for the
activation. A ReLU that is silent on all data stays silent. Centred outputs help, a slope of 1 helps more. Compare
activations each at its own best learning rate.

Next: `backprop lesson regularization`, what keeps a network from learning the noise.

Read: scratch/nn/sigmoid.py, scratch/nn/relu.py, scratch/nn/gelu.py; scratch/nn/init.py for the gains.
Run:  backprop lesson activations
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.lessons.support import activation_training as training
from benchmarks.lessons.support.activation_training import small_mlp, train
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREEN, GREY, ORANGE, RED, band, engine_key, line, sheet
from benchmarks.tasks import Data

NAMES = ("Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus")
X = np.arange(-1000, 1001) / 100
DEPTH, WIDTH = 20, 64
DEEP = {"Sigmoid": ORANGE, "Tanh": BLUE, "ReLU": GREEN}
STARTS = ("PyTorch's default initialization", "Xavier initialization, with the activation's gain")
RATES = {0.3: BLUE, 2.0: ORANGE, 4.0: RED}
SEEDS = 5
SHIFT = 3.0
REVIVING = {"ReLU": RED, "LeakyReLU": ORANGE, "GELU": BLUE, "SiLU": GREEN}
EPOCHS_KILL, EPOCHS_REVIVE = 5, 25


class Revival(NamedTuple):
    """A network whose first layer is silent at the start: what reached that layer, and how training went."""

    silent: float
    largest_gradient: float
    test_loss: list[float]
    test_accuracy: list[float]


def curve(engine: Engine, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return an activation's values at X and, from a gradient of ones, its slopes."""
    return engine.forward_backward(getattr(engine.nn, name)(), X, np.ones_like(X))


def deep_gradients(engine: Engine, data: Data, name: str, scaled: bool, seed: int) -> list[float]:
    """Return the norm of the loss's gradient with respect to each layer's weights, in a deep untrained MLP."""
    nn = engine.nn
    engine.manual_seed(seed)
    layers = []
    for layer in range(DEPTH):
        fan_in, fan_out = 2 if layer == 0 else WIDTH, 2 if layer == DEPTH - 1 else WIDTH
        linear = nn.Linear(fan_in, fan_out, dtype=engine.dtype)
        if scaled:
            nn.init.xavier_uniform_(linear.weight, gain=nn.init.calculate_gain(name.lower()))
            nn.init.zeros_(linear.bias)
        layers += [linear, getattr(nn, name)()]
    model = nn.Sequential(*layers[:-1])
    engine.loss_backward(model, nn.CrossEntropyLoss(), data.x_train, data.y_train)
    return [float(np.linalg.norm(grad)) for key, grad in engine.grads(model).items() if key.endswith("weight")]


def silent_share(engine: Engine, model: object, x: np.ndarray) -> float:
    """Return the share of the first layer's units whose sum is negative or 0 for every row of ``x``."""
    with engine.no_grad():
        return float((engine.numpy(model[0](engine.asarray(x))) <= 0).all(axis=0).mean())


def killing(engine: Engine, data: Data, lr: float, seed: int) -> list[float]:
    """Train a ReLU network, and return the share of silent units before the first step and after each."""
    engine.manual_seed(seed)
    model = small_mlp(engine, "ReLU")
    shares = [silent_share(engine, model, data.x_train)]
    train(engine, model, data, lr, EPOCHS_KILL, lambda _: shares.append(silent_share(engine, model, data.x_train)))
    return shares


def reviving(engine: Engine, data: Data, name: str, seed: int) -> Revival:
    """Push every unit of the first layer onto its flat side, then train."""
    engine.manual_seed(seed)
    model = small_mlp(engine, name)
    state = engine.state(model)
    engine.load_state(model, {**state, "0.bias": state["0.bias"] - SHIFT})
    silent = silent_share(engine, model, data.x_train)
    engine.loss_backward(model, engine.nn.CrossEntropyLoss(), data.x_train, data.y_train)
    largest = float(np.abs(engine.grads(model)["0.weight"]).max())
    history = train(engine, model, data, 1.0, EPOCHS_REVIVE)
    return Revival(silent, largest, history.test_loss, history.test_accuracy)


def flat(slopes: np.ndarray) -> tuple[str, str]:
    """Say from where on, to the left and to the right, a slope stays below 1%."""
    steep = np.flatnonzero(np.abs(slopes) >= 0.01)
    left = f"x <= {X[steep[0] - 1]:.2f}" if steep[0] > 0 else "nowhere"
    right = f"x >= {X[steep[-1] + 1]:.2f}" if steep[-1] < len(X) - 1 else "nowhere"
    return left, right


def describe(name: str, slopes: np.ndarray) -> tuple[str, ...]:
    """Return an activation's row of the table."""
    top = int(slopes.argmax())
    dead = X[slopes == 0]
    exactly = f"x <= {dead.max():.2f}" if len(dead) else "nowhere"
    return (name, f"{slopes[X == 0].item():.4g}", f"{slopes[top]:.4g}", f"{X[top]:.2f}", *flat(slopes), exactly)


def draw_curves(curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]) -> Figure:
    """Draw every activation and its slope; the shade is where the slope is below 1%."""
    title = "Activations and their slopes, from the layers' own forward and backward"
    figure, every = sheet(2, 4, 4.9, title, sharex=True)
    first = next(iter(curves))
    for axes, name in zip(every.flat, NAMES, strict=True):
        line(axes, X, {engine: curves[engine][name][0] for engine in curves}, BLUE, "f(x)")
        line(axes, X, {engine: curves[engine][name][1] for engine in curves}, ORANGE, "f'(x)")
        steep = np.flatnonzero(np.abs(curves[first][name][1]) >= 0.01)
        for left, right in ((X[0], X[steep[0]]), (X[steep[-1]], X[-1])):
            axes.axvspan(left, right, color="#000000", alpha=0.08, lw=0)
        axes.set(title=name, xlim=(-6, 6), ylim=(-1.3, 2.3), xticks=(-5, 0, 5))
    every[0, 0].legend(loc="upper left")
    every[0, 3].text(0, -0.9, "grey: slope below 1%", ha="center", fontsize=8, color=GREY)
    for axes in every[-1]:
        axes.set_xlabel("x")
    engine_key(figure, list(curves))
    return figure


def draw_vanishing(norms: dict[str, dict[tuple[str, bool], list[float]]]) -> Figure:
    """Draw the gradient's norm against the layer."""
    title = f"The gradient on its way back through {DEPTH} layers of {WIDTH} units"
    figure, (every,) = sheet(1, 2, 3.9, title, sharey=True)
    layers = np.arange(1, DEPTH + 1)
    for scaled, axes in enumerate(every):
        for name, colour in DEEP.items():
            line(axes, layers, {engine: norms[engine][name, bool(scaled)] for engine in norms}, colour, name)
        axes.set(title=STARTS[scaled], xlabel="layer (1 is next to the input)", yscale="log", xticks=(1, 5, 10, 15, 20))
    every[0].set_ylabel("norm of the weights' gradient")
    every[1].legend(loc="lower right")
    engine_key(figure, list(norms))
    return figure


def draw_dying(killed: dict[str, dict[float, np.ndarray]], revived: dict[str, dict[str, Revival]]) -> Figure:
    """Draw how units die, and which activations bring them back."""
    figure, ((left, right),) = sheet(1, 2, 3.9, "Dying units: a ReLU that is silent on all data has no gradient left")
    first = next(iter(killed))
    for lr, colour in RATES.items():
        steps = np.arange(killed[first][lr].shape[1])
        line(left, steps, {name: 100 * killed[name][lr].mean(axis=0) for name in killed}, colour, f"lr {lr:g}")
        band(left, steps, 100 * killed[first][lr], colour)
    left.set(title="Large steps kill ReLU units for good", xlabel="step", ylim=(0, 100))
    left.set_ylabel("silent units of the first layer (%)")
    left.legend(loc="upper right", title=f"mean and range of {SEEDS} seeds", title_fontsize=9, ncols=3)
    for name, colour in REVIVING.items():
        losses = {engine: revived[engine][name].test_loss for engine in revived}
        line(right, np.arange(1, EPOCHS_REVIVE + 1), losses, colour, name)
    right.set(title="All silent at the start: who comes back?", xlabel="epoch", ylabel="test loss", ylim=(0, 0.8))
    right.legend(loc="lower left")
    engine_key(figure, list(killed))
    return figure


def run(board: Blackboard) -> None:
    """Compute all four parts in every engine, and show them."""
    engines = board.engines("float64")
    data = tasks.get("moons").load(board.data_dir)
    curves = {engine.name: {name: curve(engine, name) for name in NAMES} for engine in engines}
    first = engines[0].name
    board.table(
        "Slopes on [-10, 10]",
        ("activation", "slope at 0", "largest slope", "at x =", "below 1% left", "below 1% right", "exactly 0"),
        [describe(name, curves[first][name][1]) for name in NAMES],
    )
    board.figure("activations_slopes", draw_curves(curves))

    starts = [(name, scaled) for name in DEEP for scaled in (False, True)]
    norms = {
        engine.name: {start: deep_gradients(engine, data, *start, board.seed) for start in starts} for engine in engines
    }
    board.table(
        f"Norm of the gradient of the weights, {DEPTH} layers",
        ("activation", "initialization", "layer 1", "layer 10", f"layer {DEPTH}", f"layer 1 / layer {DEPTH}"),
        [
            (name, ("default", "Xavier")[scaled], *(f"{norm[k]:.1e}" for k in (0, 9, -1)), f"{norm[0] / norm[-1]:.1e}")
            for (name, scaled), norm in norms[first].items()
        ],
    )
    board.figure("activations_vanishing", draw_vanishing(norms))

    seeds = range(board.seed, board.seed + SEEDS)
    killed = {
        engine.name: {lr: np.array([killing(engine, data, lr, seed) for seed in seeds]) for lr in RATES}
        for engine in engines
    }
    revived = {engine.name: {name: reviving(engine, data, name, board.seed) for name in REVIVING} for engine in engines}
    board.table(
        f"First layer silent at the start (its biases lowered by {SHIFT:g}), {EPOCHS_REVIVE} epochs at lr 1",
        ("activation", "silent units", "largest gradient of the first layer", "test loss", "test accuracy"),
        [
            (name, f"{r.silent:.0%}", f"{r.largest_gradient:.1e}", *(f"{end[-1]:.3f}" for end in r[2:]))
            for name, r in revived[first].items()
        ],
    )
    board.figure("activations_dying", draw_dying(killed, revived))

    trained = {
        engine.name: {name: training.measure(engine, data, name, board.seed) for name in training.COMPARED}
        for engine in engines
    }
    board.table(
        f"Two hidden layers of {training.WIDTH}: outputs of the first before training, and training at the best lr",
        training.COLUMNS,
        [training.row(name, one) for name, one in trained[first].items()],
    )
    board.figure("activations_training", training.draw(trained))
    board.differences(
        {
            "values": [[curves[engine][name][0] for name in NAMES] for engine in curves],
            "slopes": [[curves[engine][name][1] for name in NAMES] for engine in curves],
            "gradient norms": [list(norms[engine].values()) for engine in norms],
            "shares of silent units": [list(killed[engine].values()) for engine in killed],
            "test losses": [[r.test_loss for r in revived[engine].values()] for engine in revived],
            **{
                f"test losses, {name}, {training.EPOCHS} epochs": [found[name].losses for found in trained.values()]
                for name in training.COMPARED
            },
        }
    )
