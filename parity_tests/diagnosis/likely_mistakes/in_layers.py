"""The likely mistakes in activations, convolution, normalization and softmax."""

import itertools

import numpy as np

from parity_tests.diagnosis.evidence import Case, Pairs, guess

# Activations.


@guess("grad_input")
def derivative_of_another(case: Case) -> Pairs:
    """Take the derivative of a part of the function, or of another one."""
    x, g = case.inputs[0], case.grads[0]
    if g.ndim and x.shape != g.shape:
        return
    s, t = 1 / (1 + np.exp(-x)), np.tanh(x)
    derivatives = {
        "sigmoid": s * (1 - s),
        "tanh": 1 - t * t,
        "softplus": s,
        "exp": np.exp(x),
        "x^2": 2 * x,
        "ReLU": x > 0,
    }
    for name, derivative in derivatives.items():
        words = f"this is grad_output times the derivative of {name}(x); forward computes something else"
        yield words, derivative * g
        if name in ("sigmoid", "tanh"):
            words = f"times the derivative of {name}({case.names[0] if case.names else 'x'}), which is wrong here"
            yield words, case.expected * derivative
    if sum(values.dtype.kind == "f" for values in case.inputs) == 1:
        yield "this is grad_output times the input; multiply by the derivative", x * g
    if case.output is not None:
        yield "this is grad_output times the output; multiply by the derivative", case.output * g


@guess("grad_parameter")
def made_with_all_of_the_input(case: Case) -> Pairs:
    """Multiply grad_output by the input where the normalized input or its negative part belongs."""
    x, g = case.inputs[0], case.grads[0]
    if x.shape != g.shape:
        return
    rest = "its negative part belongs here" if case.option("eps") is None else "the normalized input belongs here"
    if case.layer is None:
        rest = "forward multiplies the parameter by something else"
    for kept in ((), *((axis,) for axis in range(x.ndim))):
        summed = (g * x).sum(axis=tuple(axis for axis in range(x.ndim) if axis not in kept))
        if summed.size == case.expected.size:
            yield f"computed with the input x; {rest}", summed.reshape(case.expected.shape)


# Convolution.


@guess("grad_parameter")
def taps_elsewhere(case: Case) -> Pairs:
    """Cut the patches for the weight's gradient without the dilation or the stride that forward has."""
    x, layer, positions = case.inputs[0], case.layer, case.grads[0].shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in layer.padding)))
    for name in ("dilation", "stride"):
        steps = {"dilation": layer.dilation, "stride": layer.stride, name: (1, 1)}
        sides = [
            (count - 1) * stride + dilation * (kernel - 1) + 1
            for count, stride, dilation, kernel in zip(
                positions, steps["stride"], steps["dilation"], layer.kernel_size, strict=True
            )
        ]
        cut = padded[:, :, : sides[0], : sides[1]]
        words = f"computed from patches cut as if {name} were 1; the forward pass cuts them with {name}"
        yield words, case.rerun(inputs=(cut,), options={name: (1, 1), "padding": (0, 0)})


# Normalization.


def _normalized(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...], float] | None:
    # x and grad_output * weight in a shape whose statistics run over the given axes, the weight likewise, and eps.
    kind, x, g = type(case.layer).__name__, case.inputs[0].astype(np.float64), case.grads[0].astype(np.float64)
    weight = case.state.get("weight", np.ones(()))
    if kind.startswith("BatchNorm"):
        weight = np.broadcast_to(weight.reshape(-1, *[1] * (x.ndim - 2)), x.shape)
        view, over = x.shape, (0, *range(2, x.ndim))
    elif kind == "LayerNorm":
        weight = np.broadcast_to(weight, x.shape)
        view, over = x.shape, tuple(range(x.ndim - len(case.layer.normalized_shape), x.ndim))
    elif kind == "GroupNorm":
        weight = np.broadcast_to(weight.reshape(-1, *[1] * (x.ndim - 2)), x.shape)
        view, over = (x.shape[0], case.layer.num_groups, -1), (2,)
    else:
        return None
    return x.reshape(view), (g * weight).reshape(view), weight.reshape(view), over, case.layer.eps


@guess("grad_input")
def statistics_taken_for_constants(case: Case) -> Pairs:
    """Take the mean or the variance for a constant, though it depends on the input."""
    if (parts := _normalized(case)) is None:
        return
    x, g, _, over, eps = parts
    mean = lambda values: values.mean(axis=over, keepdims=True)  # noqa: E731
    std = np.sqrt(x.var(axis=over, keepdims=True) + eps)
    x_hat = (x - mean(x)) / std
    full = g - mean(g) - x_hat * mean(g * x_hat)
    for words, gradient in (
        ("the path through the variance is forgotten", (g - mean(g)) / std),
        ("the path through the mean is forgotten", (g - x_hat * mean(g * x_hat)) / std),
        ("the paths through the mean and the variance are forgotten: both depend on x", g / std),
        ("the division by the standard deviation is missing", full),
        ("divided by the variance instead of its root", full / (std * std)),
    ):
        yield words, gradient.reshape(case.expected.shape)
    if "running_var" in case.state:
        running = case.rerun(name="buffer running_var")
        for var in (case.state["running_var"], running):
            root = np.sqrt(var + eps).reshape(-1, *[1] * (x.ndim - 2))
            yield "divided by the running standard deviation; in training it is the batch's", full / root


@guess("output")
def other_variance(case: Case) -> Pairs:
    """Normalize by the unbiased variance, or with eps in another place."""
    if (parts := _normalized(case)) is None:
        return
    x, _, weight, over, eps = parts
    bias = case.rerun(inputs=(np.zeros_like(case.inputs[0]),))
    centred = x - x.mean(axis=over, keepdims=True)
    biased, unbiased = (x.var(axis=over, keepdims=True, ddof=ddof) for ddof in (0, 1))
    for words, std in (
        ("normalized by the unbiased variance; the output needs the biased one, 1/n", np.sqrt(unbiased + eps)),
        ("eps is added to the standard deviation; it belongs under the root", np.sqrt(biased) + eps),
        ("divided by the variance instead of its root", biased + eps),
        ("eps is left out", np.sqrt(biased)),
    ):
        yield words, (weight * centred / std).reshape(case.expected.shape) + bias
    image = case.inputs[0].astype(np.float64)
    weight = weight.reshape(image.shape)
    for count in range(1, image.ndim + 1):
        for axes in itertools.combinations(range(image.ndim), count):
            other = (image - image.mean(axis=axes, keepdims=True)) / np.sqrt(image.var(axis=axes, keepdims=True) + eps)
            words = f"normalized over axes {axes}"
            yield words + (f", not {over}" if x.shape == image.shape else " of the input"), weight * other + bias
    if x.shape != image.shape:
        far = image.reshape(len(image), -1, x.shape[1], *image.shape[2:])
        axes = (1, *range(3, far.ndim))
        other = (far - far.mean(axis=axes, keepdims=True)) / np.sqrt(far.var(axis=axes, keepdims=True) + eps)
        words = "the groups are interleaved; a group consists of adjacent channels"
        yield words, weight * other.reshape(image.shape) + bias


@guess("buffer")
def running(case: Case) -> Pairs:
    """Update the running statistics in another way."""
    old, momentum = case.state[case.name.removeprefix("buffer ")], case.option("momentum")
    yield "not updated in training", old
    if not momentum or old.dtype.kind != "f":
        return
    new = (case.expected - (1 - momentum) * old) / momentum
    yield "replaced by the batch's statistics; momentum is not applied", new
    words = "momentum on the wrong side: in PyTorch momentum is the weight of the new value"
    yield words, momentum * old + (1 - momentum) * new
    n = case.inputs[0].size // old.size
    words = "computed from the biased variance; the running variance is the unbiased one, n/(n-1)"
    yield words, (1 - momentum) * old + momentum * new * (n - 1) / n


@guess("grad_input")
def root_mean_square_taken_for_constant(case: Case) -> Pairs:
    """Take the root mean square for a constant, though it depends on the input."""
    x, g, weight = case.inputs[0], case.grads[0], case.state.get("weight", np.ones(()))
    eps = case.option("eps") or np.finfo(x.dtype).eps
    for axes in (tuple(range(x.ndim - count, x.ndim)) for count in range(1, x.ndim + 1)):
        root = np.sqrt((x * x).mean(axis=axes, keepdims=True) + eps)
        yield "the path through the root mean square is forgotten: it depends on x", g * weight / root


# Embedding.


@guess("grad_parameter")
def rows_looked_up_by_indices(case: Case) -> Pairs:
    """Lose the repetitions of an index, average over them, or let the padding learn."""
    x, g, weight = case.inputs[0], case.grads[0], case.parameter
    if x.dtype.kind not in "iu" or g.shape != (*x.shape, *weight.shape[1:]):
        return
    last, total = np.zeros_like(case.expected), np.zeros_like(case.expected)
    last[x] = g
    np.add.at(total, x, g)
    padding = case.option("padding_idx")
    if padding is not None:
        yield f"row {padding}, the padding row, gets a gradient; it is a constant", total.copy()
        last[padding] = total[padding] = 0
    words = "an index that occurs several times counts once; add every occurrence: np.add.at(grad, x, grad_output)"
    yield words, last
    counts = np.maximum(np.bincount(x.ravel(), minlength=len(weight)), 1)
    yield "averaged over the occurrences of an index; add them", total / counts[:, None]


# Softmax.


@guess("grad_input")
def softmax(case: Case) -> Pairs:
    """Use only the diagonal of softmax's Jacobian, or forget to subtract the target from the probabilities."""
    x, g = case.inputs[0].astype(np.float64), case.grads[0]
    for axis in range(x.ndim):
        exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
        y = exponentials / exponentials.sum(axis=axis, keepdims=True)
        if g.shape == x.shape:
            yield "only the diagonal of softmax's Jacobian, y (1 - y) g; it is y (g - sum(y g))", y * (1 - y) * g
            yield "y g without the sum: softmax's gradient is y (g - sum(y g))", y * g
            words = "g - y without the sum: log-softmax's gradient is g - softmax(x) sum(g)"
            yield words, g - y
            for other in range(x.ndim):
                words = f"summed over axis {other}; the probabilities sum to one over axis {axis}"
                if other != axis:
                    yield words, y * (g - (y * g).sum(axis=other, keepdims=True))
                    yield words, g - y * g.sum(axis=other, keepdims=True)
            yield "g (1 - y): log-softmax's gradient is g - softmax(x) sum(g)", g * (1 - y)
        elif g.ndim == 0:
            for rows in (1, x.shape[0]):
                yield "the target is not subtracted from the probabilities: p - onehot(target)", y * g / rows


@guess("grad_input")
def prediction_minus_truth(case: Case) -> Pairs:
    """Take softmax - onehot(target) for cross-entropy's gradient where its options ask for more."""
    x, target = case.inputs[0].astype(np.float64), case.inputs[1]
    left_out = ["the classes' weights"] if case.option("weight") is not None else []
    left_out += ["label_smoothing"] if case.option("label_smoothing") else []
    ignored = target == case.option("ignore_index")
    left_out += ["ignore_index"] if np.any(ignored) else []
    if not left_out:
        return  # the same is said of any loss
    e = np.exp(x - x.max(axis=1, keepdims=True))
    bare = e / e.sum(axis=1, keepdims=True) - (target[:, None] == np.arange(x.shape[1]))
    bare[ignored] = case.got[ignored]  # there is no truth to subtract: anything may stand there
    also = ", the mean's 1/N" if case.option("reduction") == "mean" else ""
    yield f"softmax(x) - onehot(target) alone: left out are {', '.join(left_out)}, grad_output{also}", bare
    yield f"softmax(x) - onehot(target) alone: left out are {', '.join(left_out)}, grad_output", bare / len(x)


@guess("output")
def normalized_over_other_axes(case: Case) -> Pairs:
    """Divide by the sum over other axes than the one over which the probabilities sum to one."""
    x = case.inputs[0].astype(np.float64)
    if x.shape != case.expected.shape or not x.ndim:
        return
    e = np.exp(x - x.max())
    right = [axis for axis in range(x.ndim) if np.allclose(case.expected.sum(axis=axis), 1)]
    for count in range(1, x.ndim + 1):
        for axes in itertools.combinations(range(x.ndim), count):
            over = "all axes" if count == x.ndim and x.ndim > 1 else f"axis {axes[0]}" if count == 1 else f"axes {axes}"
            if right and axes != (right[0],):
                yield f"divided by the sum over {over}; sum over axis {right[0]}", e / e.sum(axis=axes, keepdims=True)
