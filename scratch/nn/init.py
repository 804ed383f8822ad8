r"""Initial values: random, so that no two units stay alike, and of a size at which signals neither fade nor explode.

If all weights started equal, all units of a layer would get the same gradient for ever; so weights are drawn at random.
Their size follows from a variance. For y_o = sum_i W_oi x_i with independent terms of mean 0, where i runs over the
fan_in numbers that reach one output,

    Var(y) = fan_in Var(W) E[x^2]            going forward
    Var(grad_x) = fan_out Var(W) Var(grad_y) going backward: B1b of Linear sums over the fan_out outputs of one input

so a stack of layers keeps its scale only if these factors are about 1; gain^2 makes up for what the activation takes
away (ReLU sends half of the numbers to 0, which halves E[x^2]: gain = sqrt(2)).

    F1  Xavier    std = gain sqrt(2 / (fan_in + fan_out))    a compromise between the two directions
    F2  Kaiming   std = gain / sqrt(fan)                     one direction exactly, fan = fan_in or fan_out
    F3  uniform   U[-c, c) has the variance c^2 / 3, so c = sqrt(3) std

For a convolution's weight (out, in, kh, kw), fan_in = in kh kw and fan_out = out kh kw.

Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, equation 12 (F1);
He et al., "Delving Deep into Rectifiers", 2015, equations 10 and 14 (F2). The bounds are computed in float64 by
PyTorch's steps in PyTorch's order, so that the same seed gives the same bits.

PyTorch's counterpart: ``torch.nn.init``, which has no name for `fan_in_uniform_`. Left out: ``eye_``, ``dirac_``,
``sparse_``. Every other function takes a `Parameter` or an array, writes into it, and returns it. Differs from PyTorch:
`trunc_normal_` refuses a standard deviation that is not above 0.
"""

import math
import warnings
from typing import TypeVar

import numpy as np

from scratch import random
from scratch.dispatch import quiet
from scratch.nn.parameter import Parameter

Target = TypeVar("Target", Parameter, np.ndarray)

GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that makes up for what an activation does to the size of its input.

    Parameters
    ----------
    nonlinearity : str
        An activation's or a layer's name in lower case; ``param`` is the slope of "leaky_relu" (0.01 if None), whose
        gain is sqrt(2 / (1 + slope^2)).

    Raises
    ------
    ValueError
        If the name is unknown, or the slope is not a number.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: expected the slope of leaky_relu to be a number, got {slope!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in GAINS:
        known = ", ".join(sorted((*GAINS, "leaky_relu")))
        raise ValueError(f"calculate_gain: expected one of {known}; got {nonlinearity!r}")
    return GAINS[nonlinearity]


def uniform_(target: Target, a: float = 0.0, b: float = 1.0, generator: random.Generator | None = None) -> Target:
    """Fill with numbers from [a, b)."""
    random.uniform_(_array(target), a, b, generator)
    return target


def normal_(target: Target, mean: float = 0.0, std: float = 1.0, generator: random.Generator | None = None) -> Target:
    """Fill with normally distributed numbers."""
    random.normal_(_array(target), mean, std, generator)
    return target


def constant_(target: Target, val: float) -> Target:
    """Fill with ``val``."""
    _array(target)[...] = val
    return target


def ones_(target: Target) -> Target:
    """Fill with ones."""
    return constant_(target, 1.0)


def zeros_(target: Target) -> Target:
    """Fill with zeros."""
    return constant_(target, 0.0)


def xavier_uniform_(target: Target, gain: float = 1.0, generator: random.Generator | None = None) -> Target:
    """Fill with uniform numbers of F1's variance; ``ValueError`` for fewer than two axes."""
    bound = math.sqrt(3.0) * _xavier_std(target, gain)  # F3
    return uniform_(target, -bound, bound, generator)


def xavier_normal_(target: Target, gain: float = 1.0, generator: random.Generator | None = None) -> Target:
    """Fill with normal numbers of F1's variance; ``ValueError`` for fewer than two axes."""
    return normal_(target, 0.0, _xavier_std(target, gain), generator)


def kaiming_uniform_(
    target: Target,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: random.Generator | None = None,
) -> Target:
    """Fill with uniform numbers of F2's variance.

    Parameters
    ----------
    target : Parameter or numpy.ndarray
        With two axes or more. An empty one is left as it is.
    a : float
        The negative slope of the "leaky_relu" that follows.
    mode : str
        "fan_in" keeps the variance of the forward pass, "fan_out" that of the backward pass.
    nonlinearity : str
        As `calculate_gain` takes it.

    Raises
    ------
    ValueError
        If an option is unknown or ``target`` has fewer than two axes.
    """
    if _array(target).size == 0:
        return target
    bound = math.sqrt(3.0) * _kaiming_std(target, a, mode, nonlinearity)  # F3
    return uniform_(target, -bound, bound, generator)


def kaiming_normal_(
    target: Target,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: random.Generator | None = None,
) -> Target:
    """Fill with normal numbers of F2's variance; parameters and errors as for `kaiming_uniform_`."""
    if _array(target).size == 0:
        return target
    return normal_(target, 0.0, _kaiming_std(target, a, mode, nonlinearity), generator)


def fan_in_uniform_(weight: Parameter, bias: Parameter | None) -> None:
    """Fill a layer's weight, then its bias, from U[-c, c) with c = 1/sqrt(fan_in), as ``torch.nn``'s layers do.

    PyTorch repeats this in each layer. A slope of sqrt(5) makes gain = 1/sqrt(3) in F2, which cancels F3's sqrt(3).
    """
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in, _ = _fans(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
        uniform_(bias, -bound, bound)


def orthogonal_(target: Target, gain: float = 1.0, generator: random.Generator | None = None) -> Target:
    """Fill with ``gain`` times a matrix whose rows, or columns if they are fewer, are orthonormal.

    The axes after the first count as one. A matrix of normal numbers has no preferred direction, so the Q of its QR
    factorization is a uniformly distributed orthogonal matrix, once R's diagonal fixes the signs that the factorization
    leaves open (Mezzadri, "How to generate random matrices from the classical compact groups", 2007; for its use: Saxe
    et al., 2014). The draws are PyTorch's, but the factorization rounds differently, so the result equals PyTorch's up
    to rounding, not bit for bit.

    Raises
    ------
    ValueError
        If ``target`` has fewer than two axes.
    """
    array = _array(target)
    if array.ndim < 2:
        raise ValueError(f"orthogonal_: expected two axes or more, got shape {array.shape}")
    if array.size == 0:
        return target
    normal = random.normal_(np.empty((array.shape[0], array.size // array.shape[0]), array.dtype), generator=generator)
    wide = normal.shape[0] < normal.shape[1]
    q, r = np.linalg.qr(normal.T if wide else normal)
    q = q * np.sign(np.diag(r))
    array[...] = (q.T if wide else q).reshape(array.shape)
    array *= gain
    return target


def trunc_normal_(
    target: Target,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: random.Generator | None = None,
) -> Target:
    """Fill with normally distributed numbers, those outside [a, b] drawn again.

    If too few would be within, uniform numbers from [a, b) are drawn instead, and each is kept with a probability in
    proportion to the density there. The draws are those of PyTorch since 2.14; older releases draw others.

    Raises
    ------
    RuntimeError
        If ``std`` is not above 0, or ``a`` is above ``b``.
    """
    array = _array(target)
    if not std > 0:
        raise RuntimeError(f"trunc_normal_: expected std of more than 0, got {std}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"trunc_normal_: the mean, {mean}, is more than 2 std from [{a}, {b}]; the distribution may be inaccurate",
            stacklevel=2,
        )
    below, above = ((1 + math.erf((bound - mean) / std / math.sqrt(2))) / 2 for bound in (a, b))
    numbers, drawn = np.empty_like(array), np.empty_like(array)
    pending: np.ndarray | np.bool_ = np.True_
    lowest, highest = array.dtype.type(a), array.dtype.type(b)
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    while np.any(pending):
        if above - below > 0.3:
            numbers = np.where(pending, random.normal_(drawn, mean, std, generator), numbers)
            pending = (numbers < lowest) | (numbers > highest)
        else:
            numbers = np.where(pending, random.uniform_(drawn, a, b, generator), numbers)
            log_density = ((drawn - array.dtype.type(mean)) / array.dtype.type(std)) ** 2 * array.dtype.type(-0.5)
            luck = _log(random.uniform_(np.empty_like(drawn), generator=generator))
            pending = pending & (luck > log_density - array.dtype.type(peak))
    array[...] = numbers
    return target


@quiet
def _log(uniform: np.ndarray) -> np.ndarray:
    return np.log(uniform)  # of 0, too


def _array(target: Target) -> np.ndarray:
    return target.data if isinstance(target, Parameter) else target


def _fans(target: Target) -> tuple[int, int]:
    shape = target.shape
    if len(shape) < 2:
        raise ValueError(f"fan in and fan out need two axes or more, got shape {shape}")
    return shape[1] * math.prod(shape[2:]), shape[0] * math.prod(shape[2:])


def _xavier_std(target: Target, gain: float) -> float:
    fan_in, fan_out = _fans(target)
    return gain * math.sqrt(2.0 / (fan_in + fan_out))  # F1


def _kaiming_std(target: Target, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: expected mode 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _fans(target)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)  # F2
