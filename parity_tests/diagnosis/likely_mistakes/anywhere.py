"""The likely mistakes in any layer: in backward's use of its argument, in axes, weights and options."""

import itertools
import math

import numpy as np

from parity_tests.diagnosis.evidence import EVERYTHING, GRADIENTS, Case, Pairs, guess

# What backward does with its argument.


ON_PURPOSE = "on purpose? A surrogate gradient is not the derivative, so it cannot be checked this way"


@guess(*EVERYTHING)
def sign(case: Case) -> Pairs:
    """Lose a minus."""
    is_identity = case.expected.shape == case.grads[0].shape and np.allclose(case.expected, case.grads[0], rtol=1e-6)
    yield "the sign is flipped" + f" (a gradient reversal layer, {ON_PURPOSE})" * is_identity, -case.expected


@guess("grad_input")
def straight_through(case: Case) -> Pairs:
    """Give a gradient where forward has none: it is piecewise constant."""
    if not case.expected.any():
        yield f"forward's derivative is zero everywhere (a straight-through estimator, {ON_PURPOSE})", case.got


@guess("grad_parameter")
def conjugated(case: Case) -> Pairs:
    """Return the conjugate of a complex gradient."""
    if case.parts:
        yield (
            "dL/dRe - i dL/dIm, as JAX has it, the conjugate of what is expected: a step of gradient descent needs "
            "dL/dRe + i dL/dIm",
            case.expected * [1, -1],
        )


@guess("grad_input")
def grad_output_misused(case: Case) -> Pairs:
    """Pass the upstream gradient on unchanged, or multiply it in twice."""
    if case.expected.any():
        yield "grad_output is passed on unchanged; multiply it by the layer's derivative", case.grads[0]
    if case.expected.shape == case.grads[0].shape:
        yield "grad_output is multiplied in twice", case.expected * case.grads[0]


@guess(*GRADIENTS)
def grad_output_ignored(case: Case) -> Pairs:
    """Return the derivative itself: right for an upstream gradient of ones only."""
    ones = tuple(np.ones_like(grad) for grad in case.grads)
    yield (
        "grad_output is ignored: this is the gradient for an upstream gradient of ones; multiply by it",
        case.rerun(grads=ones),
    )


@guess("grad_input")
def derivative_elsewhere(case: Case) -> Pairs:
    """Mix up the input and the output inside the derivative."""
    x, g = case.inputs[0], case.grads[0]
    if x.shape != g.shape:
        return
    yield "y (1 - y) is computed from the input x instead of the output y", x * (1 - x) * g
    yield "1 - y^2 is computed from the input x instead of the output y", (1 - x * x) * g
    yield (
        "the derivative is taken at the output; save and use the input",
        case.rerun(inputs=(case.output, *case.inputs[1:])),
    )


# Axes.


@guess(*EVERYTHING)
def axes(case: Case) -> Pairs:
    """Transpose, reverse, shift or refill the array."""
    expected, shape = case.expected, case.got.shape
    for order in itertools.permutations(range(expected.ndim)):
        if order != tuple(range(expected.ndim)) and expected.ndim <= 4:
            yield f"transposed: its axes are in the order {order}", expected.transpose(order)
    if sum(n > 1 for n in expected.shape) >= 2 and expected.size == math.prod(shape):  # a column is not transposed
        for turned in (expected.T, expected.swapaxes(0, 1)):
            if turned.shape != shape:
                yield "filled in the wrong order: reshaped where it should be transposed", turned.reshape(shape)
    for count in range(1, expected.ndim + 1):
        for some in itertools.combinations(range(expected.ndim), count):
            yield f"reversed along axes {some}", np.flip(expected, some)
    for axis, step in itertools.product(range(max(0, expected.ndim - 2), expected.ndim), (-1, 1)):
        if expected.shape[axis] < 3:
            continue
        shifted = np.roll(expected, step, axis)
        edge = [slice(None)] * expected.ndim
        edge[axis] = 0 if step == 1 else -1
        shifted[tuple(edge)] = case.got[tuple(edge)]
        yield f"shifted by {step} along axis {axis}: an offset of one in the padding or the window", shifted


@guess(*EVERYTHING)
def shape(case: Case) -> Pairs:
    """Return the right numbers in the wrong shape: unsummed, uncropped, or with an axis too many."""
    got, expected = case.got, case.expected
    if got.shape == expected.shape:
        return
    if got.size == expected.size:
        words = f"the right numbers in the wrong shape: {got.shape} instead of {expected.shape}"
        yield words, expected.reshape(got.shape)
    if got.ndim == expected.ndim and all(a >= b for a, b in zip(got.shape, expected.shape, strict=True)):
        margins = [(a - b) // 2 for a, b in zip(got.shape, expected.shape, strict=True)]
        inside = tuple(slice(m, m + b) for m, b in zip(margins, expected.shape, strict=True))
        padded = got.copy()
        padded[inside] = expected
        yield "the padding is not cut off: the right gradient is inside", padded
    for count in range(1, got.ndim + 1):
        for over in itertools.combinations(range(got.ndim), count):
            if got.sum(axis=over).shape == expected.shape and np.allclose(got.sum(axis=over), expected):
                yield f"not summed over axes {over}: a broadcast becomes a sum", got


# Weights.


@guess("output", "grad_input")
def weights(case: Case) -> Pairs:
    """Use a flipped weight, or one that is not flipped."""
    for name, weight in case.state.items():
        if weight.dtype.kind != "f":
            continue
        space = tuple(range(2, weight.ndim))
        if space:
            words = f"{name} is flipped: the kernel must be flipped in backward and nowhere else"
            yield words, case.rerun(state={name: np.flip(weight, space)})
            for axis in space:
                yield f"{name} is flipped along axis {axis} only", case.rerun(state={name: np.flip(weight, axis)})
            yield f"the two axes of the kernel {name} are swapped", case.rerun(state={name: weight.swapaxes(-1, -2)})
        if weight.ndim == 4 and weight.shape[0] == weight.shape[1]:
            summed = np.eye(len(weight))[:, :, None, None] * weight.sum(axis=1, keepdims=True)
            words = "added at the output channel's index; it belongs at the input channel's, the kernel's second axis"
            yield words, case.rerun(state={name: summed})
        if weight.ndim >= 2 and weight.shape[0] == weight.shape[1]:
            yield f"{name} is transposed once too often, or not at all", case.rerun(state={name: weight.swapaxes(0, 1)})
        if weight.ndim == 1 and name.endswith(("bias", "running_mean")):
            yield f"{name} is left out", case.rerun(state={name: np.zeros_like(weight)})
            yield f"{name} is subtracted instead of added", case.rerun(state={name: -weight})
        else:
            yield f"{name} is left out", case.rerun(state={name: np.ones_like(weight)})


@guess("grad_input")
def other_input_left_out(case: Case) -> Pairs:
    """Forget a factor that is an argument of forward, as functions get their weights."""
    for index, (name, values) in enumerate(zip(case.names, case.inputs, strict=False)):
        if index and values.dtype.kind == "f" and not case.name.startswith(f"grad_input[{index}]"):
            ones = (*case.inputs[:index], np.ones_like(values), *case.inputs[index + 1 :])
            yield f"{name} is left out", case.rerun(inputs=ones)


# Options.

OPTIONS = {
    "negative_slope": [0.0, 1.0],
    "alpha": [0.0, 1.0],
    "beta": [1.0],
    "threshold": [0.0],
    "approximate": ["none", "tanh"],
    "stride": [1],
    "dilation": [1],
    "ceil_mode": [False, True],
    "count_include_pad": [False, True],
    "divisor_override": [None],
    "padding_mode": ["zeros"],
    "label_smoothing": [0.0],
    "ignore_index": [-100],
    "weight": [None],
    "pos_weight": [None],
    "reduction": ["sum", "mean"],
    "delta": [1.0],
}


@guess(*EVERYTHING)
def option_ignored(case: Case) -> Pairs:
    """Ignore one of the layer's options."""
    for name, values in OPTIONS.items():
        if name == "weight" and "weight" in dict(case.layer.named_parameters()):
            continue
        for value in values:
            if hasattr(case.layer, name) and getattr(case.layer, name) is not value:
                try:
                    yield f"as if {name} were {value!r}", case.rerun(options={name: value})
                except (RuntimeError, ValueError, TypeError, KeyError):
                    continue  # a combination that the layer does not take, or that changes the output's shape


@guess(*EVERYTHING)
def other_mode(case: Case) -> Pairs:
    """Confuse training and evaluation."""
    for training, words in ((True, "training mode in evaluation"), (False, "evaluation mode in training")):
        if training != case.option("training"):
            yield f"this is what {words} gives: check self.training", case.rerun(training=training)
