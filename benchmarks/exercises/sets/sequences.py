"""A recurrent cell: one step of it, undone, and what goes back through many steps."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _through_time() -> tuple[object, list[str]]:
    from scratch.nn.rnn import rnn, rnn_backward

    one, no_bias = np.ones((1, 1)), np.zeros(1)
    weight_ih, weight_hh = one, 2 * one
    x = np.ones((4, 1, 1))
    y, saved, h_n = rnn(x, 0 * one, weight_ih, weight_hh, no_bias, no_bias, "relu")
    grad_y = np.zeros_like(y)
    grad_y[-1] = 1
    grad_x, *_ = rnn_backward(grad_y, np.zeros_like(h_n), weight_ih, weight_hh, "relu", saved)
    lines = [f"states: {y.ravel()}", f"grad_y: {grad_y.ravel()}", f"grad_x: {grad_x.ravel()}"]
    said = (
        "Each step back multiplies by weight_hh: after T steps by its power. Above 1 it explodes, below 1 it vanishes."
    )
    return float(grad_x[0, 0, 0]), [*lines, said]


EXERCISES = (
    Write(
        "rnn_cell",
        "one step back in time",
        "RNNCell",
        "One step of a recurrent network: the next state h1 is made of the input x and of the state before, h. Two "
        "linear layers are added and go through tanh (or ReLU, as `nonlinearity` says). Backward is given grad_h1, the "
        "gradient of the next state, and returns six gradients. First grad_z: tanh's slope as a function of its output "
        "h1. z is a sum, so grad_a = grad_b = grad_z; then each linear layer is undone as in `linear`.",
        module="scratch.nn.rnn_cell",
        function="rnn_cell",
    ),
    Find(
        "rnn_cell_mistake",
        "a gradient that vanishes too late",
        "RNNCell",
        "Gradients vanish on the way back through time, but later than they should: they are too large where a state "
        "is near 1 or -1.",
        module="scratch.nn.rnn_cell",
        function="rnn_cell",
        exhibit="TanhTwice",
        label="B4",
        wrong=(
            'grad_z = grad_h1 * (1 - np.tanh(h1) ** 2) if nonlinearity == "tanh" else np.where(h1 <= 0, 0, grad_h1)'
        ),
    ),
    Explain(
        "through_time",
        "a gradient through four steps",
        "RNN",
        "An RNN has one unit, a ReLU, no bias, weight_ih = 1 and weight_hh = 2. It reads x = 1, 1, 1, 1 from the state "
        "h_0 = 0. The upstream gradient is 1 for the last output, and 0 for the others. What is the gradient "
        "of the first x?",
        compute=_through_time,
        hints=(
            "All states are positive, so the ReLU's slope is 1 at every step.",
            "By what is a gradient multiplied from h_t to h_(t-1)? How many such steps are there from the last to "
            "the first?",
        ),
    ),
)
