"""The likely mistakes in adding up, over the batch, over windows or over two passes, and in the factor of a mean."""

import math

import numpy as np

from parity_tests.diagnosis.evidence import EVERYTHING, GRADIENTS, Case, Pairs, guess
from parity_tests.harness.reference import SECOND


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


@guess("grad_parameter")
def penalty(case: Case) -> Pairs:
    """Add the gradient of a penalty on the weights that forward has not."""
    weight = case.parameter
    if weight is None or weight.shape != case.got.shape or weight.size < 2 or _constant_ratio(case):
        return
    upstream = case.grads[0].item() if np.ndim(case.grads[0]) == 0 else 1.0  # of a loss
    for words, norm, own in (("the weights", "L2", weight), ("the weights' signs", "L1", np.sign(weight))):
        factor = np.vdot(own, case.got - case.expected) / max(np.vdot(own, own), np.finfo(own.dtype).tiny)
        yield (
            (
                f"{factor / upstream:.6g} times {words} is added: the gradient of an {norm} penalty, beyond what "
                "forward returns; leave it to the loss that has it, or to the optimizer's weight_decay"
            ),
            case.expected + factor * own,
        )


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
    both = np.stack([g.ravel(), case.expected.ravel()]) if g.shape == case.expected.shape else np.eye(2)
    if np.linalg.matrix_rank(both, tol=1e-6 * np.linalg.norm(both)) < 2:
        return  # a factor explains it
    yield "grad_output itself is missing from it: the skip connection, y = x + f(x), is forgotten", case.expected - g
    yield "grad_output itself is added to it; forward has no such path", case.expected + g


@guess(*EVERYTHING)
def scaled(case: Case) -> Pairs:
    """Average where a sum belongs, or the reverse."""
    if not _constant_ratio(case):
        return
    other = case.another()
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
    scale = "a scale of 1/sqrt(4) {}, 4 being the number of input features; or " * (_dot_products(case) == 4)
    if other is None or _ratio(other, 0.5):
        why = f"{scale.format('too many')}a factor of 2 is lost" + " (the derivative of a square?)" * (not scale)
        yield f"half of what it should be: {why}", case.expected / 2
    if other is None or _ratio(other, 2):
        why = f"{scale.format('is missing')}a factor of 2 too many" + ", or a path counted twice" * (not scale)
        yield f"twice what it should be: {why}", case.expected * 2
    p = case.option("p")
    if isinstance(p, float) and 0 < p < 1:
        if case.option("training"):
            yield f"dropout's factor 1/(1-p) is missing, p = {p}", case.expected * (1 - p)
            yield f"dropout's factor 1/(1-p) is applied twice, p = {p}", case.expected / (1 - p)
        else:
            yield f"dropout's factor 1/(1-p) is applied in evaluation, p = {p}", case.expected / (1 - p)


@guess("grad_input")
def bare_loss(case: Case) -> Pairs:
    """Return a loss's derivative for one example, or one element, alone."""
    if case.grads[0].ndim:
        return
    derivative = case.rerun(grads=(np.ones_like(case.grads[0]), *case.grads[1:]))
    counts = _counts(case)
    for count in sorted(set(counts.values()) - {1}):
        names = " or ".join(words for words, one in counts.items() if one == count)
        yield f"grad_output is ignored, and so is the mean's 1/{count}, {names}", derivative * count


def _dot_products(case: Case) -> int:
    # The length of the vectors whose dot products attention scales: 0 without two inputs of such vectors.
    sides = {x.shape[-1] if x.ndim > 1 else 0 for x in case.inputs[:2] if x.dtype.kind == "f"}
    return sides.pop() if len(case.inputs) > 1 and len(sides) == 1 else 0


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
    if x.ndim <= 3 or _dot_products(case):
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
