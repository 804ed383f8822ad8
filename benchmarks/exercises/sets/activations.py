"""Curves: the slope as a function of the input, or of the output."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _vanishing() -> tuple[object, list[str]]:
    from scratch.nn.sigmoid import sigmoid, sigmoid_backward

    grad, lines = np.array([1.0]), ["x = 0 before each of them, where the slope is largest:"]
    for depth in range(1, 11):
        grad = sigmoid_backward(grad, sigmoid(np.array([0.0]))[1])
        lines += [f"after {depth:2} sigmoids: {grad[0]:.2e}"] * (depth in (1, 2, 5, 10))
    answer = "abcd"[int(np.argmin(np.abs(np.log10(grad[0]) - np.array([-1, -3, -6, -12]))))]
    return answer, [*lines, "y (1 - y) is at most 1/4, and 4^-10 is a millionth: the vanishing gradient."]


def _dead_unit() -> tuple[object, list[str]]:
    from scratch.nn.linear import linear, linear_backward
    from scratch.nn.relu import relu, relu_backward

    rng = np.random.default_rng(0)
    x, weight, bias = rng.uniform(size=(50, 3)), rng.normal(size=(1, 3)), np.array([-100.0])
    z, saved = linear(x, weight, bias)
    y, saved_by_relu = relu(z)
    _, grad_weight, grad_bias = linear_backward(relu_backward(rng.normal(size=y.shape), saved_by_relu), weight, saved)
    lines = [f"z is between {z.min():.0f} and {z.max():.0f}", f"grad_weight = {grad_weight[0]}"]
    answer = "c" if not grad_weight.any() and not grad_bias.any() else "a"
    return answer, [*lines, f"grad_bias   = {grad_bias}", "No gradient, so no step: the unit is dead, and stays so."]


EXERCISES = (
    Write(
        "leaky_relu",
        "two slopes",
        "LeakyReLU",
        "As ReLU, but for negative inputs the slope is negative_slope, not 0. `positive` says which branch was taken.",
        module="scratch.nn.relu",
        function="leaky_relu",
    ),
    Find(
        "leaky_relu_mistake",
        "units that die all the same",
        "LeakyReLU",
        "Forward leaks, as it should. Still, units die as they do with a plain ReLU.",
        module="scratch.nn.relu",
        function="leaky_relu",
        exhibit="LeakForgotten",
        label="B2",
        wrong="grad_x = grad_y * positive",
    ),
    Explain(
        "dead_unit",
        "what becomes of a dead unit",
        "ReLU",
        "A Linear with one output is followed by a ReLU. The bias is -100, so large that z = x @ weight.T + bias is "
        "negative for all 50 rows of the training set. What becomes of this unit in training?",
        choices=(
            "its weight gets a gradient, its bias gets none",
            "its bias gets a gradient, which brings it back in time",
            "neither gets a gradient, and it stays as it is",
            "the gradients are infinite",
        ),
        compute=_dead_unit,
        hints=("What does ReLU's backward return where z is negative?", "Linear's gradients are sums of grad_z."),
    ),
    Write(
        "sigmoid",
        "a slope that is a function of the output",
        "Sigmoid",
        "Forward saved only y. Write the derivative of 1 / (1 + exp(-x)), then write it in terms of y.",
        module="scratch.nn.sigmoid",
        function="sigmoid",
    ),
    Explain(
        "vanishing",
        "a gradient through ten sigmoids",
        "Sigmoid",
        "A gradient of 1 goes back through ten sigmoids, one after another; each was called at x = 0, where its slope "
        "is largest. About how large is it when it arrives?",
        choices=("0.1", "0.001", "0.000001", "0.000000000001"),
        compute=_vanishing,
        hints=("y = 0.5 at x = 0. What is y (1 - y)?", "That factor, ten times over."),
    ),
    Write(
        "tanh",
        "the same for tanh",
        "Tanh",
        "tanh' = 1 - tanh^2, and tanh is what forward saved.",
        module="scratch.nn.sigmoid",
        function="tanh",
    ),
    Find(
        "tanh_mistake",
        "right near zero",
        "Tanh",
        "Units with negative outputs learn too fast, those with positive ones too slowly.",
        module="scratch.nn.sigmoid",
        function="tanh",
        exhibit="SquareForgotten",
        label="B1",
        wrong="grad_x = grad_y * (1 - y)",
    ),
    Write(
        "silu",
        "x is used twice",
        "SiLU",
        "y = x s(x): x reaches y as a factor, and through the sigmoid s. The two gradients add (the product rule).",
        module="scratch.nn.sigmoid",
        function="silu",
    ),
    Write(
        "elu",
        "three statements back",
        "ELU",
        "Undo F3, then F2: for negative x the gradient goes through the exponential, for positive x it does not. "
        "np.where chooses.",
        module="scratch.nn.relu",
        function="elu",
    ),
)
