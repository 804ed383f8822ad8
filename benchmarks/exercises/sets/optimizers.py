"""Update rules: how a gradient becomes a step."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _first_step() -> tuple[object, list[str]]:
    from scratch import optim
    from scratch.nn import Parameter

    w = Parameter(np.array([1.0, 1.0, 1.0]))
    optimizer = optim.Adam([w], lr=0.25)
    w.grad = np.array([1e-3, 1.0, 1e3])
    optimizer.step()
    lines = ["w      = [1. 1. 1.]", f"g      = {w.grad}", f"w_next = {w.data.round(4)}"]
    return round(float(w.data[2]), 4), [*lines, "m_hat = g and v_hat = g^2 at t = 1: the step is lr sign(g)."]


def _long_valley() -> tuple[object, list[str]]:
    from scratch import optim
    from scratch.nn import Parameter

    w = Parameter(np.array([0.0]))
    optimizer, before, lines = optim.SGD([w], lr=0.1, momentum=0.9), 0.0, []
    for step in range(1, 201):
        w.grad = np.array([1.0])
        before = float(w.data[0])
        optimizer.step()
        lines += [f"step {step:3}: {float(w.data[0]) - before:+.4f}"] * (step in (1, 2, 10, 200))
    return round(abs(float(w.data[0]) - before), 4), [*lines, "g + 0.9 g + 0.81 g + ... = g / (1 - 0.9)"]


EXERCISES = (
    Write(
        "sgd",
        "a step along a running average",
        "SGD",
        "U3 to U5: the momentum buffer, Nesterov's look ahead, the step. At the first step (t = 1), and without "
        "momentum, the buffer is the gradient itself.",
        module="scratch.optim.sgd",
        function="sgd",
        blank="U3 U4 U5",
    ),
    Explain(
        "momentum",
        "how long the steps become",
        "SGD",
        "SGD with lr = 0.1 and momentum = 0.9 meets a gradient of 1 at every step. How long are its steps in the end?",
        compute=_long_valley,
        hints=("b_next = 0.9 b + g. Which b stays the same?", "b = 1 / (1 - 0.9), and a step is lr b."),
    ),
    Find(
        "sgd_mistake",
        "the first steps are too short",
        "SGD",
        "Without dampening, nothing is wrong; with it, training starts slowly.",
        module="scratch.optim.sgd",
        function="sgd",
        exhibit="DampenedAtOnce",
        label="U3",
        wrong="b_next = momentum * b + (1 - dampening) * penalized if momentum != 0 else penalized.copy()",
    ),
    Find(
        "nesterov_mistake",
        "steps that are too long",
        "SGD",
        "Without nesterov, nothing is wrong; with it, steps are a tenth too long in the long run.",
        module="scratch.optim.sgd",
        function="sgd",
        exhibit="NesterovWithoutMu",
        label="U4",
        wrong="direction = penalized + b_next if nesterov else b_next",
    ),
    Write(
        "adam_moments",
        "two running means",
        "Adam",
        "The running means of g and of g^2, and the corrections for their start at 0.",
        module="scratch.optim.adam",
        function="adam",
        blank="U3 U4 U6 U7",
    ),
    Explain(
        "adam_first_step",
        "the length of a first step",
        "Adam",
        "Adam with lr = 0.25 takes its first step from w = [1, 1, 1]; the gradient is [0.001, 1, 1000]. What is the "
        "last element of w afterwards?",
        compute=_first_step,
        hints=("What are m_hat and v_hat at t = 1?", "m_hat / sqrt(v_hat) is g / |g|."),
    ),
    Write(
        "adam",
        "all of Adam",
        "Adam",
        "From the gradient to the step, with L2 regularization, amsgrad and maximize.",
        module="scratch.optim.adam",
        function="adam",
        blank="U",
    ),
    Find(
        "adam_mistake",
        "small gradients, small steps",
        "Adam",
        "At the default eps, numbers with small gradients take much smaller steps than they should.",
        module="scratch.optim.adam",
        function="adam",
        exhibit="EpsUnderTheRoot",
        label="U8",
        wrong="w_next = w - lr * m_hat / np.sqrt(v_hat + eps)",
    ),
    Write(
        "adamw",
        "a decay outside the means",
        "AdamW",
        "AdamW is Adam after one more statement: every weight shrinks by the same factor.",
        module="scratch.optim.adamw",
        function="adamw",
        blank="U1",
    ),
)
