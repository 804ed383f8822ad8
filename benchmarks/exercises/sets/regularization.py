"""Dropout, softmax, and losses."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _mean_of_dropout() -> tuple[object, list[str]]:
    from scratch.nn.dropout import dropout

    p, rng = 0.75, np.random.default_rng(0)
    draw = (rng.random(100_000) < 1 - p).astype(float)
    y, _ = dropout(np.ones_like(draw), draw, p)
    lines = [f"p = {p}, 100,000 ones: the values of y are {sorted(set(y.tolist()))}, their mean is {y.mean():.3f}"]
    return float(y.max()), [*lines, "1 / (1 - p) makes up for what is dropped, so that evaluation needs no correction."]


def _softmax_of_ones() -> tuple[object, list[str]]:
    from scratch.nn.softmax import softmax, softmax_backward

    x = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]])
    y, saved = softmax(x)
    ones, random = np.ones_like(y), np.array([[0.5, -1.0, 2.0], [1.0, 0.3, -0.7]])
    grads = [softmax_backward(grad_y, saved) for grad_y in (ones, random)]
    lines = [f"grad_y of ones:  largest |grad_x| = {np.abs(grads[0]).max():.1e}"]
    lines += [f"random grad_y:   largest |grad_x| = {np.abs(grads[1]).max():.2f}"]
    answer = "b" if np.abs(grads[0]).max() < 1e-12 else "a"
    return answer, [*lines, "Ones ask for the gradient of the sum of the outputs, which is 1 whatever x is."]


def _sum_of_a_row() -> tuple[object, list[str]]:
    from scratch.nn.cross_entropy import cross_entropy, cross_entropy_backward

    x, target, weight = np.array([[2.0, -1.0, 0.3, 4.0]]), np.array([2]), np.ones(4)
    _, saved = cross_entropy(x, target, weight, -100, 0.0, "mean")
    grad_x = cross_entropy_backward(1.0, weight, 0.0, "mean", saved)
    p = np.exp(x) / np.exp(x).sum()
    lines = [
        f"softmax(x) = {p.round(4)[0]}",
        f"grad_x     = {grad_x.round(4)[0]}, whose sum is {abs(grad_x.sum()):.0f}",
    ]
    return abs(round(float(grad_x.sum()), 9)), [*lines, "The prediction minus the truth: two rows that sum to 1."]


EXERCISES = (
    Explain(
        "dropout_scale",
        "what is left of an input",
        "Dropout",
        "Dropout with p = 0.75 is in training mode, and x is all ones. What is the value of an element that is not "
        "dropped?",
        compute=_mean_of_dropout,
        hints=("The mean of y is to be that of x.", "A quarter of the elements is left; they must make up for all."),
    ),
    Write(
        "dropout",
        "a mask, drawn once",
        "Dropout",
        "Forward and backward. `draw` is 1 where an element is kept and 0 where it is dropped; p is the probability of "
        "being dropped, and may be 1. Backward uses the factor that forward saved: nothing is drawn again.",
        module="scratch.nn.dropout",
        function="dropout",
        blank="F1 F2 B",
    ),
    Find(
        "dropout_mistake",
        "layers before it learn slowly",
        "Dropout",
        "The outputs are right, and the same elements are dropped in both passes.",
        module="scratch.nn.dropout",
        function="dropout",
        exhibit="BackwardNotScaledUp",
        label="B2",
        wrong="grad_x = grad_y * (factor > 0)",
    ),
    Write(
        "softmax_forward",
        "no overflow",
        "Softmax",
        "Write the forward so that scores of 10,000 do no harm: np.exp(10000) is infinite. initial=-np.inf lets a row "
        "of no scores have a maximum, too.",
        module="scratch.nn.softmax",
        function="softmax",
        blank="F1 F2 F3 F4 F5",
    ),
    Explain(
        "softmax_of_ones",
        "a test with ones",
        "Softmax",
        "Many tests send an upstream gradient of ones: y.sum().backward(). What is softmax's grad_x then?",
        choices=("the diagonal of the Jacobian", "0 everywhere", "y (1 - y)", "1 everywhere"),
        compute=_softmax_of_ones,
        hints=("Ones are the gradient of L = y.sum(). How does that L depend on x?",),
    ),
    Find(
        "softmax_mistake",
        "the others are not lowered enough",
        "Softmax",
        "It trains, slowly. Every output depends on every input of its row.",
        module="scratch.nn.softmax",
        function="softmax",
        exhibit="SoftmaxsDiagonal",
        label="B5",
        wrong="grad_t = -grad_y * e / t**2",
    ),
    Write(
        "log_softmax",
        "a logarithm of a sum",
        "LogSoftmax",
        "y = z - log(t) with t = sum exp(z): z reaches y directly and through t. t was broadcast along the row.",
        module="scratch.nn.softmax",
        function="log_softmax",
    ),
    Find(
        "mse_mistake",
        "half the learning rate",
        "MSELoss",
        "Training works, and hardly anybody notices.",
        module="scratch.nn.loss",
        function="mse_loss",
        exhibit="TwoForgotten",
        label="B2",
        wrong="grad_d = d * grad_losses",
    ),
    Write(
        "smooth_l1",
        "a parabola that continues as a line",
        "SmoothL1Loss",
        "Within beta the slope is that of the parabola, beyond it is -1 or 1. np.clip says both at once.",
        module="scratch.nn.loss",
        function="smooth_l1_loss",
        blank="B3 B1",
    ),
    Explain(
        "sum_of_a_row",
        "the gradient of the logits",
        "CrossEntropyLoss",
        "A row of four logits has the target 2. What is the sum of the row's gradient, whatever the logits are?",
        compute=_sum_of_a_row,
        hints=("Raise all logits by the same amount: what becomes of the loss?", "softmax(x) - onehot(target)"),
    ),
    Write(
        "cross_entropy_whole",
        "all of cross-entropy",
        "CrossEntropyLoss",
        "Now from the loss on: the reduction, the two terms of label smoothing (spread is 0.0 where there is none), "
        "rows that are ignored, class weights. `reduce_backward(grad_y, reduction, total)` undoes F11.",
        module="scratch.nn.cross_entropy",
        function="cross_entropy",
    ),
    Find(
        "nll_mistake",
        "a weight that backward ignores",
        "NLLLoss",
        "The loss says that the rare class counts for more, but the network is not told.",
        module="scratch.nn.nll",
        function="nll_loss",
        exhibit="WeightForgottenInBackward",
        label="B5",
        wrong="grad_picked = -grad_losses",
    ),
)
