r"""Multilayer perceptron: why one layer is not enough, and one whole training step, number by number.

A layer is many neurons that read the same input. Each row of W is one neuron's weights, and phi is the activation:

    y = phi(w'x + b)                                       one neuron
    f(x) = W_L phi( ... phi(W_1 x + b_1) ... ) + b_L       a multilayer perceptron of L layers

One layer cannot do XOR. Its answer depends only on w'x + b, so a straight line separates the classes. XOR needs b < 0
at (0,0), w_1 + b > 0 at (1,0), w_2 + b > 0 at (0,1), and w_1 + w_2 + b < 0 at (1,1). The two in the middle add up to
w_1 + w_2 + 2b > 0, the other two to w_1 + w_2 + 2b < 0. No numbers satisfy both, and gradient descent ends at weights
of 0 and a loss of log 2: it says "one half" everywhere. Two ReLU units are enough. h_1 = max(x_1 + x_2, 0) and h_2 =
max(x_1 + x_2 - 1, 0) move (0,1) and (1,0) to the same place, and then a line separates the classes (Goodfellow, Bengio
and Courville, Deep Learning, 2016, section 6.1). That such weights exist does not mean that training finds them: with
two hidden units it often gets stuck, with eight it rarely does. The lesson counts how often.

Softmax and cross-entropy. The last layer's outputs z are logits. Softmax turns them into probabilities, and the loss of
a row is the negative logarithm of the right class's probability, in nats:

    p_k = exp(z_k) / sum_j exp(z_j),      L = -log p_label,      dL/dz = p - onehot(label)

With z = (log 3, 0) the exponentials are 3 and 1, so p = (3/4, 1/4). If the first class is right, the loss is log 4/3 =
0.288 and the gradient (-1/4, 1/4); if the second is right, log 4 = 1.386 and (3/4, -3/4). The step that the lesson
writes out takes two rows through two layers in the same way: forward F1 to F5, backward B4 to B1, update.

Why gradients are zeroed. Backward ADDS to .grad. Without zero_grad the second step would move along the sum of two
gradients, and the first of them was taken at weights that have changed since.

The order within a step. Forward, zero_grad, backward, step; zero_grad may stand anywhere but between backward and step.
All gradients are taken at the old weights, and only then does any weight move: dL/dh = dL/dz W_2 needs the W_2 that
forward multiplied by. The lesson changes W_2 too early. Our engine then computes a wrong gradient for the first layer;
PyTorch counts the changes made in place, and refuses.

The 1/m. The loss is the mean over the m rows of the batch, so a 1/m is in every gradient. Textbooks put it into the
loss, or into dW = (1/m) dZ'H; PyTorch puts it into the loss (reduction="mean") and so into the upstream gradient. It
may stand in any of these places, but only once. Leave it out (reduction="sum"), and plain gradient descent takes a step
m times as large, as if the learning rate were m lr; Adam divides the gradient by its own size and takes the same step
as before.

Minibatches. The gradient of B rows drawn at random is on average that of the whole set, and its noise falls as
1/sqrt(B): half the noise costs four times the work. Small batches pay because a step need not be exact.

Training, validation, test. The training loss says how well the network has learned its training rows. The validation
loss, on rows that it has not learned from, says when to stop. Once it has been used to choose, it is no longer an
honest estimate; for that there is a test set, looked at once. On 100 points of the two moons, the training loss keeps
falling, while the other two turn and rise.

The scale of the input. A weight's gradient is its input times something, so an input that is 30 times as large has a
gradient 30 times and a curvature 900 times as large (see the lesson on the neuron). The largest learning rate that this
direction can take is too small for the others. The cure is to subtract the mean and divide by the standard deviation of
the training set.

Why PyTorch is slower on small networks. A call costs microseconds before any arithmetic is done: choosing the kernel
for the dtype and device, writing a node of the graph, waking threads. A step of a small network is a hundred calls,
each on an array that takes less time than that. Our engine needs no graph, because backward is written by hand. From
some width on the matrix products take nearly all the time, and the two engines are equally fast.

Cross-entropy is a policy's negative log-likelihood. Let z be a policy's logits in a state, and the label the action
that was taken. Then the loss is -log pi(a | s), and summed over an episode it is -log of the probability that the
policy takes just these actions. Training a classifier makes the labels likely; behaviour cloning makes an expert's
actions likely; policy gradient makes those actions likely that turned out well (see the lesson on the policy).

In reinforcement learning. Where the state is a handful of numbers, this network is the agent: PPO's policy and value
are two hidden layers of 64 tanh units each (OpenAI Baselines, common/models.py: mlp), SAC's were published with 256
ReLU units (Haarnoja et al., 2018, appendix D). PPO's observations are scaled by running means and deviations
(common/vec_env/vec_normalize.py), pixels divided by 255 (dqn_zoo/networks.py). A critic's targets come from itself, so
there is no fixed test set: agents are judged by the return of episodes played after training.

Takeaways. A hidden layer moves the points so that a line can separate them. The gradient of softmax and cross-entropy
is what was predicted minus what is true. Gradients are taken at the old weights, then all weights move. The 1/m belongs
in one place. A batch's noise falls as 1/sqrt(B). Choose by validation, report the test.

Next: `backprop lesson graph`, how autograd finds the way back through any expression.

Read: scratch/nn/linear.py, scratch/nn/cross_entropy.py, scratch/models.py (MLP), scratch/train.py (take_step).
Run:  backprop lesson mlp
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.figures.boundary import POINTS, SHADES
from benchmarks.figures.style import INK, LABELS
from benchmarks.lessons.support import batches, pencil_step, xor
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREEN, ORANGE, engine_key, line, picture, sheet
from benchmarks.tasks import Data

TRAIN, VALIDATION, EPOCHS, BATCH, LR = 100, 500, 150, 20, 3e-3
SETS = {"training": BLUE, "validation": ORANGE, "test": GREEN}
ACROSS, UP = np.linspace(-1.9, 2.9, 120), np.linspace(-1.5, 2.0, 90)
PENCIL_LOGITS = np.log([[3.0, 1.0], [3.0, 1.0]])
EPISODE = 6


class Learned(NamedTuple):
    """A network on the two moons: its three losses after every epoch, its test accuracy, and its map of the plane."""

    losses: dict[str, np.ndarray]
    accuracy: float
    plane: np.ndarray


def learn(engine: Engine, data: Data, seed: int) -> Learned:
    """Train an MLP on a few points, with the losses of all three sets after every epoch."""
    held_out = slice(TRAIN, TRAIN + VALIDATION)
    arrays = {
        "training": (data.x_train[:TRAIN], data.y_train[:TRAIN]),
        "validation": (data.x_train[held_out], data.y_train[held_out]),
        "test": (data.x_test, data.y_test),
    }
    named = {name: (engine.asarray(x), engine.asarray(y)) for name, (x, y) in arrays.items()}
    engine.manual_seed(seed)
    model, criterion = engine.models.MLP(dtype=engine.dtype), engine.nn.CrossEntropyLoss()
    losses: dict[str, list[float]] = {name: [] for name in SETS}

    def measure(_: object) -> None:
        for name, kept in losses.items():
            kept.append(engine.train.evaluate(model, criterion, named[name]).loss)

    history = engine.train.fit(
        model,
        criterion,
        engine.optim.Adam(model.parameters(), lr=LR),
        named["training"],
        named["test"],
        epochs=EPOCHS,
        batch_size=BATCH,
        on_epoch=measure,
    )
    grid = np.stack(np.meshgrid(ACROSS, UP), axis=-1).reshape(-1, 2)
    probabilities = engine.predict(engine.nn.Softmax(dim=1), engine.predict(model, grid))
    plane = probabilities[:, 1].reshape(len(UP), len(ACROSS))
    return Learned({name: np.array(kept) for name, kept in losses.items()}, history.test_accuracy[-1], plane)


def pencil(engine: Engine) -> tuple[list[float], np.ndarray]:
    """Return the losses of two rows with logits (log 3, 0), one labelled 0 and one 1, and the gradient of their sum.

    A Linear whose input is 0 returns its bias, so the bias is the logits, and its gradient is theirs.
    """
    criterion = engine.nn.CrossEntropyLoss(reduction="sum")
    losses, grads = [], []
    for logits, label in zip(PENCIL_LOGITS, (0, 1), strict=True):
        model = engine.nn.Linear(1, 2, dtype=engine.dtype)
        engine.load_state(model, {"weight": np.zeros((2, 1)), "bias": logits})
        losses.append(engine.loss_backward(model, criterion, np.zeros((1, 1)), np.array([label])))
        grads.append(engine.grads(model)["bias"])
    return losses, np.array(grads)


def likelihood(engine: Engine, seed: int) -> tuple[float, float]:
    """Return the summed cross-entropy of an episode's actions, and -log of the product of their probabilities."""
    rng = np.random.default_rng(seed)
    states, actions = rng.normal(size=(EPISODE, 2)), rng.integers(0, 2, size=EPISODE)
    engine.manual_seed(seed)
    policy = engine.models.MLP(dtype=engine.dtype)
    loss = engine.loss_backward(policy, engine.nn.CrossEntropyLoss(reduction="sum"), states, actions)
    probabilities = engine.predict(engine.nn.Softmax(dim=1), engine.predict(policy, states))
    return loss, float(-np.log(probabilities[np.arange(EPISODE), actions].prod()))


def draw(learned: dict[str, Learned], data: Data) -> Figure:
    """Draw the three losses, and the decision boundary of each engine."""
    title = f"Two moons: {TRAIN} points to learn from, {VALIDATION} to choose by, {len(data.x_test)} to test with"
    figure, (every,) = sheet(1, 1 + len(learned), 3.7, title)
    epochs = np.arange(1, EPOCHS + 1)
    for name, colour in SETS.items():
        line(every[0], epochs, {engine: one.losses[name] for engine, one in learned.items()}, colour, name)
    best = int(next(iter(learned.values())).losses["validation"].argmin()) + 1
    every[0].axvline(best, color=INK, lw=0.8, ls=":")
    every[0].annotate("stop here", (best, 0.02), (4, 0), textcoords="offset points", fontsize=9)
    every[0].set(title="Loss after each epoch", xlabel="epoch", ylim=(0, 0.7))
    every[0].legend(loc="upper right")
    for axes, (name, one) in zip(every[1:], learned.items(), strict=True):
        extent = (ACROSS[0], ACROSS[-1], UP[0], UP[-1])
        look = {"origin": "lower", "extent": extent, "cmap": SHADES, "vmin": 0, "vmax": 1, "aspect": "auto"}
        picture(axes, one.plane, f"{LABELS[name]}: {one.accuracy:.1%} of test", **look)
        axes.contour(ACROSS, UP, one.plane, levels=[0.5], colors=INK, linewidths=1.5)
        x, y = data.x_train[:TRAIN], data.y_train[:TRAIN]
        axes.scatter(*x.T, c=y, s=14, cmap=ListedColormap(POINTS), edgecolors="white", linewidths=0.5)
        axes.set(xlim=extent[:2], ylim=extent[2:])
    engine_key(figure, list(learned))
    return figure


def show_xor(board: Blackboard, engines: list[Engine]) -> dict[str, xor.Answers]:
    """Put XOR on the board."""
    found = {engine.name: xor.answer(engine, board.seed) for engine in engines}
    rows = [("one layer", "none", *(f"{one.one_layer:.4f}, log 2 = {np.log(2):.4f}" for one in found.values()))]
    for row, units in enumerate(xor.UNITS):
        solved = [f"{(one.two_layers[row] < xor.SOLVED).sum()} of {xor.SEEDS} seeds solve it" for one in found.values()]
        rows.append(("two layers", units, *solved))
    board.table("Exclusive or, after training", ("network", "hidden units", *found), rows)
    board.figure("mlp_xor", xor.draw(found))
    return found


def show_step(board: Blackboard, engines: list[Engine]) -> dict[str, pencil_step.Step]:
    """Put softmax with a pencil on the board, then one whole training step, and what goes wrong in another order."""
    losses, grads = pencil(engines[0])
    rows = [
        (f"label {k}", "(0.75, 0.25)", f"{losses[k]:.4f}", f"({grads[k][0]:.2f}, {grads[k][1]:.2f})") for k in (0, 1)
    ]
    board.table("Logits (log 3, 0)", ("row", "softmax", "cross-entropy", "gradient of the logits"), rows)
    steps = {engine.name: pencil_step.take(engine) for engine in engines}
    board.write(pencil_step.page(steps[engines[0].name]))
    rows = []
    for engine in engines:
        wrong = pencil_step.too_early(engine)
        shown = wrong if isinstance(wrong, str) else f"{wrong[0, 1]:.4f}, without an error"
        rows.append((engine.name, f"{steps[engine.name].grads['0.weight'][0, 1]:.4f}", shown))
    board.table("dL/dW_1, row 0, column 1", ("engine", "in the right order", "W_2 changed too early"), rows)
    board.table(
        "Where the 1/m may go: W_2 after the step, its first row",
        ("the loss, the learning rate", *steps),
        [
            (name, *("(" + ", ".join(f"{value:.4f}" for value in found[name][0]) + ")" for found in every))
            for every in [[pencil_step.conventions(engine) for engine in engines]]
            for name in every[0]
        ],
    )
    return steps


def show_batches(board: Blackboard, engines: list[Engine], data: Data) -> tuple[dict, dict]:
    """Put on the board the effects of batch size, input scale and width."""
    noises = {engine.name: batches.noise(engine, data, board.seed) for engine in engines}
    first = noises[engines[0].name]
    board.table(
        f"Gradients of {batches.DRAWS} random batches against that of all {len(data.x_train)} points",
        ("batch size B", "|g_B - g| / |g|", "times sqrt(B)", "share that points uphill"),
        [
            (size, f"{spread:.2f}", f"{spread * size**0.5:.1f}", f"{uphill:.0%}")
            for size, spread, uphill in zip(batches.SIZES, *first, strict=True)
        ],
    )
    scalings = {engine.name: batches.scaling(engine, data, board.seed) for engine in engines}
    board.table(
        f"Training loss after {batches.STEPS} steps of gradient descent",
        ("inputs", *(f"lr {lr:g}" for lr in batches.RATES)),
        [
            (how, *(f"{loss:.3f}" for loss in row))
            for how, row in zip(batches.SCALES, scalings[engines[0].name], strict=True)
        ],
    )
    seconds = batches.step_seconds(board.engines(), data)
    board.table(
        "Milliseconds a step, batch 64",
        ("hidden units in each layer, float32", *seconds),
        [(width, *(f"{1e3 * taken[k]:.2f}" for taken in seconds.values())) for k, width in enumerate(batches.WIDTHS)],
    )
    board.figure("mlp_steps", batches.draw(noises, scalings, seconds))
    return noises, scalings


def run(board: Blackboard) -> None:
    """XOR, one step by hand, what a step depends on, and the two moons with three sets."""
    engines = board.engines("float64")
    data = tasks.get("moons").load(board.data_dir)
    found = show_xor(board, engines)
    steps = show_step(board, engines)
    noises, scalings = show_batches(board, engines, data)

    learned = {engine.name: learn(engine, data, board.seed) for engine in engines}
    one = learned[engines[0].name]
    best = int(one.losses["validation"].argmin())
    board.table(
        f"Two moons, {TRAIN} training points",
        ("loss", f"after epoch {best + 1}, chosen by validation", f"after epoch {EPOCHS}"),
        [(name, f"{losses[best]:.4f}", f"{losses[-1]:.4f}") for name, losses in one.losses.items()],
    )
    board.figure("mlp_moons", draw(learned, data))

    sums = {engine.name: likelihood(engine, board.seed) for engine in engines}
    board.table(
        f"A policy's episode of {EPISODE} actions",
        ("engine", "sum of the cross-entropies", "-log of the product of pi(a | s)"),
        [(name, *(f"{value:.6f}" for value in pair)) for name, pair in sums.items()],
    )
    board.differences(
        {
            "XOR by one layer: loss": [[answers.one_layer] for answers in found.values()],
            "XOR by two layers: losses": [answers.two_layers for answers in found.values()],
            "the step's gradients": [np.concatenate([g.ravel() for g in s.grads.values()]) for s in steps.values()],
            "the step's new weights": [np.concatenate([w.ravel() for w in s.after.values()]) for s in steps.values()],
            "gradient noise": [measured.spread for measured in noises.values()],
            "losses by scale and learning rate": list(scalings.values()),
            **{f"two moons, {name} loss": [one.losses[name] for one in learned.values()] for name in SETS},
            "episodes": list(sums.values()),
        }
    )
