r"""Sequence: backpropagation through time, why its gradients vanish or explode, and the short way around.

A recurrent layer applies one cell at every step. Unrolled, it is a deep network whose layers share their weights:

    h_t = f(x_t, h_(t-1); W)                        t = 1..T

    B_t  grad_h_(t-1) = J_t^T grad_h_t              J_t = dh_t/dh_(t-1): backward goes from the last step to the first
         grad_W += (dh_t/dW)^T grad_h_t             one array, used T times: an addition for each

so the derivative of the last state with respect to the first is a product of T Jacobians,

    dh_T/dh_0 = J_T J_(T-1) ... J_1

and a product of many factors vanishes or explodes unless the factors are close to 1. For an RNN, J_t = diag(1 - h_t^2)
W_hh: the largest singular value of W_hh decides, and how far tanh is from saturation. The first figure shows that
product. One cell starts as PyTorch draws it; three have an orthogonal W_hh times 0.8, 1 and 1.5.

Gates. An LSTM has a second state, c_t = f_t c_(t-1) + i_t g_t, and along it the Jacobian is diag(f_t), apart from the
path through the gates: no matrix, no tanh. Where the forget gate is open (1), the gradient passes unchanged; where it
is 1/2, as with a bias of 0, the gradient is halved at each step, so even a slightly larger bias helps a good deal. A
GRU does the same with one state, h_t = z_t h_(t-1) + (1 - z_t) n_t.

Clipping. An exploding gradient is not a wrong one. It is right at the point where it was taken, and useless a step
further, because the loss has a cliff there. Clipping keeps the direction and bounds the length (Pascanu et al., 2013):

    g <- g min(1, max_norm / |g|)                   |g| over all parameters together

It does nothing against vanishing gradients: there is no direction left to keep. The second figure shows an RNN with
W_hh times 2, trained by gradient descent with and without clipping. Without it the engines part: after the first jump,
rounding decides where the next one lands, so one run may recover and the other diverge for good.

Attention. The path from the last step to the first has T factors because the state carries everything. Attention looks
at all steps at once, y = sum_s p_s v_s: from y to any step there is one factor, however long the sequence is.

The task is the adding problem (Hochreiter and Schmidhuber, 1997). Each step has a number between 0 and 1 and a mark.
Two steps are marked, one in each half, and the answer is the sum of their numbers. Always answering 1 has a mean
squared error of 1/6: a network that stays there has not found the marks.

In reinforcement learning. An agent that sees one frame at a time needs a state of its own. DRQN (Hausknecht and Stone,
2015) puts an LSTM behind DQN's convolutions; A3C's best agent has one, too (Mnih et al., 2016); R2D2 (Kapturowski et
al., 2019) shows that replayed sequences have to begin with a fitting state, and truncates backpropagation through time,
as every implementation does. World models (Ha and Schmidhuber, 2018; Dreamer, Hafner et al., 2020) predict the next
latent state with an LSTM and a GRU: `backprop lesson world-model`. Nearly all of them clip by the norm.

Takeaways. Backpropagation through time is backpropagation; the weights' gradient is a sum over the steps. The product
of the Jacobians decides what can be learned. Gates hold it near 1; an RNN's weights cannot, for long. Clip by the norm
against explosions. Against vanishing, change the path: gates, or attention.

Next: `backprop lesson policy`, a classifier whose labels are its own guesses.

Read: scratch/nn/rnn.py, scratch/nn/lstm.py, scratch/nn/gru.py, scratch/nn/attention.py; scratch/sequence_models.py
Run:  backprop lesson sequence
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, engine_key, line, sheet

HIDDEN, FEATURES = 32, 2
HORIZON = (1, 2, 4, 7, 10, 15, 20, 30, 40, 50, 60)
CELLS = {"RNN": ORANGE, "GRU": BLUE, "LSTM": GREEN}
SCALES = {0.8: GREY, 1.0: PURPLE, 1.5: RED}
FORGET_BIAS = 3.0
LENGTH, BATCH, STEPS, LR, MAX_NORM = 40, 32, 1400, 5e-3, 1.0
SHORT, CLIP_STEPS, CLIP_LR, CLIP_SCALE = 20, 200, 0.05, 2.0
ALWAYS_ONE = 1 / 6


class Training(NamedTuple):
    """The loss and the norm of the gradient, before it was clipped, at each step."""

    losses: np.ndarray
    norms: np.ndarray


def set_weights(engine: Engine, layer: object, scale: float | None, forget_bias: float | None, seed: int) -> None:
    """Give an RNN an orthogonal state-to-state matrix, times ``scale``; open an LSTM's forget gates."""
    state = engine.state(layer)
    if scale is not None:
        square = np.random.default_rng(seed).normal(size=(HIDDEN, HIDDEN))
        state["weight_hh_l0"] = scale * np.linalg.qr(square)[0].astype(state["weight_hh_l0"].dtype)
    if forget_bias is not None:
        state["bias_ih_l0"][HIDDEN : 2 * HIDDEN] = forget_bias
    engine.load_state(layer, state)


def jacobians(engine: Engine, cell: str, seed: int, scale: float | None = None, bias: float | None = None) -> list:
    """Return the largest singular value of d(last state)/d(first state) after each number of steps in HORIZON.

    The batch is one sequence repeated, with the rows of the identity as upstream gradients, so the input gradient has
    the rows of the Jacobian.
    """
    engine.manual_seed(seed)
    layer = getattr(engine.nn, cell)(FEATURES, HIDDEN, dtype=engine.dtype)
    set_weights(engine, layer, scale, bias, seed)
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.normal(size=(HORIZON[-1], 1, FEATURES)), HIDDEN, axis=1)
    first = np.repeat(rng.normal(size=(1, HIDDEN)), HIDDEN, axis=0) / 2
    norms = []
    for steps in HORIZON:
        module = engine.sequence_models.FinalState(layer, engine.asarray(x[:steps]))
        _, jacobian = engine.forward_backward(module, first, np.eye(HIDDEN))
        norms.append(float(np.linalg.norm(jacobian, 2)))
    return norms


def adding(length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of the adding problem: (N, T, 2) and (N, 1)."""
    numbers, marks = rng.random((BATCH, length)), np.zeros((BATCH, length))
    rows, half = np.arange(BATCH), length // 2
    first, second = rng.integers(0, half, BATCH), rng.integers(half, length, BATCH)
    marks[rows, first] = marks[rows, second] = 1
    return np.stack((numbers, marks), axis=2), (numbers[rows, first] + numbers[rows, second])[:, None]


def model_of(engine: Engine, name: str) -> object:
    """Build a reader of sequences."""
    models = engine.sequence_models
    if name == "attention":
        return models.AttentionReader(FEATURES, HIDDEN, 1, dtype=engine.dtype)
    return models.RecurrentReader(name, FEATURES, HIDDEN, 1, dtype=engine.dtype)


def train(
    engine: Engine, model: object, optimizer: object, length: int, steps: int, max_norm: float, seed: int
) -> Training:
    """Train on the adding problem; ``max_norm`` of infinity clips nothing."""
    criterion, rng, losses, norms = engine.nn.MSELoss(), np.random.default_rng(seed), [], []
    for _ in range(steps):
        losses.append(engine.loss_backward(model, criterion, *adding(length, rng)))
        norms.append(float(engine.nn.utils.clip_grad_norm_(model.parameters(), max_norm)))
        optimizer.step()
    return Training(np.array(losses), np.array(norms))


def reading(engine: Engine, name: str, seed: int) -> Training:
    """Train one reader from its own initial values; the LSTM's forget gates start out open."""
    engine.manual_seed(seed)
    model = model_of(engine, name)
    if name == "LSTM":
        set_weights(engine, model.recurrent, None, 1.0, seed)
    return train(engine, model, engine.optim.Adam(model.parameters(), lr=LR), LENGTH, STEPS, MAX_NORM, seed)


def clipping(engine: Engine, max_norm: float, seed: int) -> Training:
    """Train, by gradient descent, an RNN whose matrix makes gradients explode, with or without clipping."""
    engine.manual_seed(seed)
    model = model_of(engine, "RNN")
    set_weights(engine, model.recurrent, CLIP_SCALE, None, seed)
    optimizer = engine.optim.SGD(model.parameters(), lr=CLIP_LR)
    return train(engine, model, optimizer, SHORT, CLIP_STEPS, max_norm, seed)


def smooth(values: np.ndarray, width: int = 25) -> np.ndarray:
    """Return running means."""
    width = min(width, len(values))
    return np.convolve(values, np.ones(width) / width, mode="valid")


def draw_jacobians(found: dict[str, dict[str, list]]) -> Figure:
    """Draw the product of the Jacobians against the number of its factors."""
    figure, (axes,) = sheet(1, 2, 3.9, "What the last state says about the first: the norm of a product of Jacobians")
    steps = np.array(HORIZON)
    matrices = {f"RNN, orthogonal times {scale:g}": colour for scale, colour in SCALES.items()}
    gates = {**CELLS, f"LSTM, forget bias {FORGET_BIAS:g}": PURPLE}
    for one, title, colours in zip(
        axes, ("The matrix decides", "Gates, and the default"), (matrices, gates), strict=True
    ):
        for name, colour in colours.items():
            line(one, steps, {engine: found[engine][name] for engine in found}, colour, name)
        one.set(title=title, xlabel="steps between the two", yscale="log")
        one.legend(loc="lower left", fontsize=8)
    axes[0].set_ylabel("largest singular value")
    engine_key(figure, list(found))
    return figure


def draw_training(read: dict[str, dict[str, Training]], clipped: dict[str, dict[float, Training]]) -> Figure:
    """Draw the adding problem, and what clipping does."""
    figure, (axes,) = sheet(1, 3, 3.9, f"The adding problem over {LENGTH} steps, and what clipping does")
    for name, colour in {**CELLS, "attention": RED}.items():
        losses = {engine: smooth(read[engine][name].losses) for engine in read}
        line(axes[0], np.arange(len(next(iter(losses.values())))), losses, colour, name)
    axes[0].axhline(ALWAYS_ONE, color=GREY, lw=1, ls=":")
    axes[0].set(title="loss", xlabel="step", ylabel="mean squared error, running mean", yscale="log")
    axes[0].legend(loc="lower right", fontsize=8)
    steps = np.arange(CLIP_STEPS)
    for max_norm, colour in ((np.inf, RED), (MAX_NORM, BLUE)):
        name = "not clipped" if np.isinf(max_norm) else f"clipped to {max_norm:g}"
        line(axes[1], steps, {engine: clipped[engine][max_norm].norms for engine in clipped}, colour, name)
        line(axes[2], steps, {engine: clipped[engine][max_norm].losses for engine in clipped}, colour, name)
    axes[1].set(title=f"gradient's norm, RNN times {CLIP_SCALE:g}", xlabel="step", yscale="log")
    axes[2].set(title="and its loss", xlabel="step", yscale="log")
    axes[1].legend(loc="upper right", fontsize=8)
    engine_key(figure, list(read))
    return figure


def run(board: Blackboard) -> None:
    """Measure the Jacobians, train the readers, and clip."""
    engines, seed = board.engines("float64"), board.seed
    found = {}
    for engine in engines:
        found[engine.name] = {
            **{cell: jacobians(engine, cell, seed) for cell in CELLS},
            **{f"RNN, orthogonal times {scale:g}": jacobians(engine, "RNN", seed, scale) for scale in SCALES},
            f"LSTM, forget bias {FORGET_BIAS:g}": jacobians(engine, "LSTM", seed, None, FORGET_BIAS),
        }
    first = engines[0].name
    board.table(
        "Largest singular value of d(last state)/d(first state)",
        ("cell", *(f"{steps} steps" for steps in (1, 10, 30, 60)), "a step, on average"),
        [
            (
                name,
                *(f"{norms[HORIZON.index(steps)]:.1e}" for steps in (1, 10, 30, 60)),
                f"{norms[-1] ** (1 / HORIZON[-1]):.2f}",
            )
            for name, norms in found[first].items()
        ],
    )
    board.figure("sequence_jacobians", draw_jacobians(found))

    names = (*CELLS, "attention")
    read = {engine.name: {name: reading(engine, name, seed) for name in names} for engine in engines}
    clipped = {engine.name: {norm: clipping(engine, norm, seed) for norm in (np.inf, MAX_NORM)} for engine in engines}
    board.table(
        f"The adding problem, {LENGTH} steps: mean squared error; to answer 1 always has {ALWAYS_ONE:.3f}",
        ("reader", *(f"step {k}" for k in (1, STEPS // 4, STEPS // 2, STEPS)), "largest gradient norm"),
        [
            (
                name,
                *(f"{smooth(one.losses)[max(k - 25, 0)]:.4f}" for k in (1, STEPS // 4, STEPS // 2, STEPS)),
                f"{one.norms.max():.2g}",
            )
            for name, one in read[first].items()
        ],
    )
    board.table(
        "An RNN whose matrix makes gradients explode",
        ("gradient", "largest norm", "largest loss", "loss, last 50 steps"),
        [
            (
                "not clipped" if np.isinf(norm) else f"clipped to {norm:g}",
                f"{one.norms.max():.1e}",
                f"{one.losses.max():.2f}",
                f"{one.losses[-50:].mean():.3f}",
            )
            for norm, one in clipped[first].items()
        ],
    )
    board.figure("sequence_training", draw_training(read, clipped))
    board.differences(
        {
            "norms of Jacobians": [list(found[engine].values()) for engine in found],
            "losses, gated cells": [[read[engine][name].losses for name in ("GRU", "LSTM")] for engine in read],
            "losses, attention": [read[engine]["attention"].losses for engine in read],
        }
    )
