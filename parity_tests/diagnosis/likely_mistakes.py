"""The likely mistakes in any layer, each as the array that it would have produced.

`parity_tests.diagnosis.diagnose` tries them all, and those of `likely_mistakes_in_layers`. To add one: yield a sentence
and an array. A sentence says what was done and what to do, to somebody who sees nothing else.
"""

import itertools
import math

import numpy as np

from parity_tests.diagnosis.evidence import Case, Pairs, guess
from parity_tests.harness.reference import SECOND

GRADIENTS = ("grad_input", "grad_parameter")
EVERYTHING = ("output", *GRADIENTS, "buffer")


# Accumulating and summing.


@guess("again")
def overwritten(case: Case) -> Pairs:
    """Use = where += belongs, or += where = belongs."""
    if case.kind == "grad_parameter":
        yield "overwritten by the second backward; it has to be added: grad += ...", SECOND * case.first
        yield "the second backward left it as it was", case.first
    if case.kind == "grad_input":
        yield "kept from the first backward and added to; it has to be recomputed from zero", (1 + SECOND) * case.first
        yield "the second backward returned the first one's", case.first


@guess("grad_parameter")
def summed_too_far(case: Case) -> Pairs:
    """Sum a bias's gradient over its own axis, too."""
    if case.expected.size > 1:
        total = np.full_like(case.expected, case.expected.sum())
        yield "summed over all axes, including its own: each element is the sum of all", total


@guess(*GRADIENTS)
def some_of_the_batch(case: Case) -> Pairs:
    """Lose all but one example: by assigning in a loop over the batch, or by indexing once too often."""
    length = case.grads[0].shape[0]
    for words, index in (("first", 0), ("last", length - 1)):
        kept = np.zeros_like(case.grads[0])
        kept[index] = case.grads[0][index]
        yield (
            f"only the {words} example of the batch counts; sum over all of them",
            case.rerun(grads=(kept, *case.grads[1:])),
        )


@guess("grad_input")
def path_round_the_layer(case: Case) -> Pairs:
    """Forget the other branch of a sum, or add one."""
    g = case.grads[0]
    if g.shape == case.expected.shape and np.linalg.matrix_rank(np.stack([g.ravel(), case.expected.ravel()])) < 2:
        return
    yield "grad_output itself is missing from it: the skip connection, y = x + f(x), is forgotten", case.expected - g
    yield "grad_output itself is added to it; forward has no such path", case.expected + g


@guess(*EVERYTHING)
def scaled(case: Case) -> Pairs:
    """Average where a sum belongs, or the reverse."""
    other = case.another()
    if not _constant_ratio(case):
        return
    for root, times, said in (
        (False, False, "divided by {}, {}: averaged instead of summed, or 1/{} applied twice"),
        (False, True, "times {}, {}: a missing 1/{}, summed instead of averaged"),
        (True, True, "times the root of {}, {}: a scale of 1/sqrt({}) is missing"),
        (True, False, "divided by the root of {}, {}: a scale of 1/sqrt({}) too many"),
    ):
        for factor in (1, 2, 0.5, 4):
            found: dict[int, list[str]] = {}
            for words, count in _counts(case).items():
                if (
                    count > 1
                    and _fits(case, words, factor, root, times)
                    and (other is None or _fits(other, words, factor, root, times))
                ):
                    found.setdefault(count, []).append(words)
            for count, names in found.items():
                value = math.sqrt(count) if root else count
                varied = other is None or any(_counts(other).get(one) != count for one in names)
                if not varied and (value == 2 or factor != 1):
                    continue  # a constant; a factor of 2 has its own sentence
                extra = "" if factor == 1 else f", and times {factor:g}"
                extra += "" if varied else f" (or a constant {value:.4g}: it is the same at another batch size)"
                sentence = said.format(count, " or ".join(names), count) + extra
                yield sentence, case.expected * factor * (value if times else 1 / value)
    if other is None or _ratio(other, 0.5):
        yield "half of what it should be: a factor of 2 is lost (the derivative of a square?)", case.expected / 2
    if other is None or _ratio(other, 2):
        yield "twice what it should be: a factor of 2 too many, or a path counted twice", case.expected * 2
    p = case.option("p")
    if isinstance(p, float) and 0 < p < 1:
        if case.option("training"):
            yield f"dropout's factor 1/(1-p) is missing, p = {p}", case.expected * (1 - p)
            yield f"dropout's factor 1/(1-p) is applied twice, p = {p}", case.expected / (1 - p)
        else:
            yield f"dropout's factor 1/(1-p) is applied in evaluation, p = {p}", case.expected / (1 - p)


def _constant_ratio(case: Case) -> bool:
    got, expected = case.got, case.expected
    if got.shape != expected.shape or not np.any(expected):
        return False
    ratio = (got * expected).sum() / (expected * expected).sum()
    return bool(np.abs(got - ratio * expected).max() <= 1e-3 * np.abs(got).max())


def _ratio(case: Case, wanted: float) -> bool:
    close = 1e-4 if case.got.dtype == np.float32 else 1e-7
    return case.got.shape == case.expected.shape and bool(
        np.abs(case.got - wanted * case.expected).max(initial=0) <= close * np.abs(case.got).max(initial=0)
    )


def _fits(case: Case, words: str, factor: float, root: bool, times: bool) -> bool:
    count = _counts(case).get(words)
    if count is None:
        return False
    value = math.sqrt(count) if root else count
    return _ratio(case, factor * (value if times else 1 / value))


def _counts(case: Case) -> dict[str, int]:
    # The counts that a mean could be divided by.
    x, y = case.inputs[0], case.grads[0]
    if case.columns:
        x, y = x.T, y.T
    counts = {"the batch size": x.shape[0] if x.ndim else 1}
    if y.ndim == 0:
        y = x
    positions = math.prod(y.shape[2:])
    if positions > 1:
        counts["the number of positions in a channel"] = positions
        counts["the batch size times the positions"] = y.shape[0] * positions
    counts["the number of classes or channels"] = y.shape[1] if y.ndim > 1 else 1
    counts["the number of all elements"] = y.size
    if x.ndim <= 3:
        counts["the number of input features"] = x.shape[-1] if x.ndim else 1
    kernel = case.option("kernel_size")
    if kernel is not None:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        counts["the side of the kernel"], counts["the area of the kernel"] = sides[0], math.prod(sides)
    return counts


@guess("grad_input")
def windows(case: Case) -> Pairs:
    """Assign where windows overlap, so that one of them wins."""
    y = case.grads[0]
    positions = list(np.ndindex(y.shape[2:]))
    if y.ndim < 3 or len(positions) > 256:
        return
    last = np.zeros_like(case.expected)
    for position in positions:
        kept = np.zeros_like(y)
        kept[(..., *position)] = y[(..., *position)]
        part = case.rerun(grads=(kept, *case.grads[1:]))
        last = np.where(part != 0, part, last)
    yield "where windows overlap, the last one overwrites the others; add: +=", last


# What backward does with its argument.


@guess(*EVERYTHING)
def sign(case: Case) -> Pairs:
    """Lose a minus."""
    yield "the sign is flipped", -case.expected


@guess("grad_input")
def grad_output_misused(case: Case) -> Pairs:
    """Pass the upstream gradient on unchanged, or multiply it in twice."""
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
