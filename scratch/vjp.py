r"""Vector-Jacobian products: the table of rules by which `scratch.tape` goes back through NumPy's operations.

    rule(g, y, *arguments) -> the gradient of one argument of y = f(*arguments), given g = dL/dy

`RULES` has a tuple for each operation, with a rule for each argument, or None where there is none. Most rules are one
line, because two things are done in one place for all of them:

    broadcasting    An operand that was stretched was used many times, so its gradient is the sum over the copies:
                    `unbroadcast`.
    rearranging     reshape, transpose, indexing, padding, where, ... copy numbers to other places. Let the operation
                    rearrange the place numbers 1, 2, 3, ..., and its result says where each element came from; the
                    gradient goes back there. What is copied twice is used twice, so its gradients add: `moves`.

Kinks and ties. abs has the slope 0 at 0. max and min send all of the gradient to the first of equal elements, as max
pooling does; PyTorch's amax divides it among them. At a tie maximum and minimum have the slope from the left in each
operand, that is 0 and 1: so ReLU as maximum(0, x) has the slope 0 at 0, as in PyTorch. Where two arrays are equal,
PyTorch's maximum and minimum give one half to each. clip passes the gradient at its limits, as PyTorch's clamp does.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np


class NotFollowedError(Exception):
    """An operation whose gradient the tape does not know, or one that takes a value off it."""


def unbroadcast(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo a broadcast from ``shape``: sum over the axes that it added or stretched."""
    added = grad.ndim - len(shape)
    stretched = [added + axis for axis, side in enumerate(shape) if side == 1 and grad.shape[added + axis] != 1]
    return grad.sum(axis=(*range(added), *stretched)).reshape(shape)


def moves(function: Callable, *places: int) -> tuple:
    """Return the rules of a function that only copies elements of its arguments at ``places`` (by default, the first).

    The element numbered k > 0 comes from place k of the operand; 0 is a constant, or comes from another operand.
    """
    places = places or (0,)

    def rule(place: int, g: np.ndarray, y: np.ndarray, *args: Any, **options: Any) -> np.ndarray:
        x = args[place]
        numbered = [np.zeros(np.shape(one), int) if k in places else one for k, one in enumerate(args)]
        numbered[place] = np.empty_like(x, int)  # in memory as x is, which matters for order="K"
        numbered[place][...] = np.arange(1, x.size + 1).reshape(x.shape)
        numbers = function(*numbered, **options)
        return np.bincount(numbers.ravel(), g.ravel(), x.size + 1)[1:].reshape(x.shape)

    return tuple(functools.partial(rule, place) if place in places else None for place in range(max(places) + 1))


def item(x: np.ndarray, index: Any) -> np.ndarray:
    """Return x[index]."""
    return x[index]


def with_item(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    """Return ``x`` as it is after x[index] = value."""
    x = x.copy()
    x[index] = value
    return x


def cast(x: np.ndarray, dtype: Any) -> np.ndarray:
    """Return ``x`` in another dtype."""
    return x.astype(dtype)


def _pad_numbers(x: np.ndarray, pad_width: Any, mode: Any = "constant", **options: Any) -> np.ndarray:
    """Return np.pad of the place numbers; what constant padding adds comes from no place, and is 0."""
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or options.keys() - {"constant_values"}:
        raise NotFollowedError(f"pad: the tape knows no gradient for mode {mode!r} with {options}")
    return np.pad(x, pad_width, mode)


def _spread(g: np.ndarray, x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    """Return the gradient of each term of a sum over some axes: the sum's own gradient for all."""
    return np.broadcast_to(g if keepdims or axis is None else np.expand_dims(g, axis), x.shape)


def _extreme(argument: Callable) -> Callable:
    """Return the rule of max or min, where ``argument`` is np.argmax or np.argmin: it finds the first of equals."""

    def rule(
        g: Any, y: Any, x: np.ndarray, axis: Any = None, *, keepdims: bool = False, initial: Any = None
    ) -> np.ndarray:
        if x.size == 0:
            return np.zeros(x.shape)
        reduced = np.arange(x.ndim)[slice(None) if axis is None else np.atleast_1d(axis)]
        order = [*(k for k in range(x.ndim) if k not in reduced), *reduced]
        moved = x.transpose(order)
        rows = moved.reshape(*moved.shape[: x.ndim - len(reduced)], -1)
        first = np.arange(rows.shape[-1]) == argument(rows, axis=-1)[..., None]
        first = first.reshape(moved.shape).transpose(np.argsort(order))
        is_initial = x != _spread(y, x, axis, keepdims) if initial is not None else False
        return np.where(first & ~np.asarray(is_initial & ~np.isnan(x)), _spread(g, x, axis, keepdims), 0)

    return rule


def _prod(g: Any, y: Any, x: np.ndarray, axis: Any = None, *, keepdims: bool = False) -> np.ndarray:
    zero = x == 0
    zeros, factors = zero.sum(axis, keepdims=True), np.where(zero, 1, x)
    others = factors.prod(axis, keepdims=True) / factors  # the product of the others, if there are no zeros among them
    return _spread(g, x, axis, keepdims) * np.where(zeros - zero == 0, others, 0)


def _var(g: Any, y: Any, x: np.ndarray, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> np.ndarray:
    count = np.divide(x.size, y.size) - ddof
    return _spread(g, x, axis, keepdims) * 2 * (x - x.mean(axis, keepdims=True)) / count


def _std(g: Any, y: Any, x: np.ndarray, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> np.ndarray:
    return _var(g / (2 * y), y, x, axis, ddof=ddof, keepdims=keepdims)


def _cumsum(g: np.ndarray, y: Any, x: np.ndarray, axis: int | None = None) -> np.ndarray:
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis).reshape(x.shape)


def _clip(g: np.ndarray, y: Any, x: np.ndarray, a_min: Any = None, a_max: Any = None) -> np.ndarray:
    inside = np.ones(x.shape, bool) if a_min is None else x >= a_min
    return np.where(inside if a_max is None else inside & (x <= a_max), g, 0)


def _matrices(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three as stacks of matrices: a vector is a row on the left, and a column on the right."""
    g = g if a.ndim > 1 else np.expand_dims(g, -1 if b.ndim == 1 else -2)
    g = g if b.ndim > 1 else np.expand_dims(g, -1)
    return g, a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None]


def _matmul_left(g: np.ndarray, y: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    g, _, matrices = _matrices(g, a, b)
    grad = g @ matrices.swapaxes(-1, -2)
    return grad if a.ndim > 1 else grad[..., 0, :]


def _matmul_right(g: np.ndarray, y: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    g, matrices, _ = _matrices(g, a, b)
    grad = matrices.swapaxes(-1, -2) @ g
    return grad if b.ndim > 1 else grad[..., 0]


def _dot_left(g: np.ndarray, y: Any, a: Any, b: Any) -> np.ndarray:
    """Sum over b's axes other than the last but one, which a's last is summed with; a number multiplies."""
    if not np.ndim(a) or not np.ndim(b):
        return g * b
    first = np.moveaxis(b, -2, 0) if np.ndim(b) > 1 else b
    return np.tensordot(g, first, (range(np.ndim(a) - 1, g.ndim), range(1, first.ndim)))


def _dot_right(g: np.ndarray, y: Any, a: Any, b: Any) -> np.ndarray:
    if not np.ndim(a) or not np.ndim(b):
        return g * a
    rows = range(np.ndim(a) - 1)
    first = np.tensordot(a, g, (rows, rows))
    return np.moveaxis(first, 0, -2) if np.ndim(b) > 1 else first


def _einsum(
    place: int, g: np.ndarray, y: Any, subscripts: str, *operands: np.ndarray, optimize: Any = False
) -> np.ndarray:
    """Sum g times the other operands over all letters that this operand does not have."""
    letters, arrow, output = subscripts.replace(" ", "").partition("->")
    output = output if arrow else "".join(sorted(c for c in set(letters) - {","} if letters.count(c) == 1))
    others = letters.split(",")
    mine = others.pop(place)
    if len(set(mine)) < len(mine) or "." in subscripts:
        raise NotFollowedError(f"einsum: the tape knows no gradient for {subscripts!r}")
    kept = "".join(c for c in mine if c in output + "".join(others))
    factors = [one for k, one in enumerate(operands) if k != place]
    grad = np.einsum(f"{','.join([output, *others])}->{kept}", g, *factors)
    alone = tuple(axis for axis, c in enumerate(mine) if c not in kept)
    return np.broadcast_to(np.expand_dims(grad, alone), operands[place].shape)


def _power_of_base(g: np.ndarray, y: Any, a: Any, b: Any) -> np.ndarray:
    return np.where(np.equal(b, 0), 0, g * b * a ** np.where(np.equal(b, 0), 1, np.subtract(b, 1)))


def _split(x: Any, sections: Any, axis: int = 0) -> list:
    numbers = np.split(np.arange(x.shape[axis]), sections)
    return [np.moveaxis(np.moveaxis(x, axis, 0)[one[0] : one[-1] + 1 if len(one) else 0], 0, axis) for one in numbers]


def _append(a: Any, values: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.concatenate([np.ravel(a), np.ravel(values)])
    return np.concatenate([a, values], axis=axis)


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes = [*range(np.ndim(a) - axes, np.ndim(a))], [*range(axes)]
    summed = [[axis % np.ndim(x) for axis in np.atleast_1d(own)] for x, own in zip((a, b), axes, strict=True)]
    kept = [[axis for axis in range(np.ndim(x)) if axis not in own] for x, own in zip((a, b), summed, strict=True)]
    shape = [x.shape[axis] for x, own in zip((a, b), kept, strict=True) for axis in own]
    length = math.prod([np.shape(a)[axis] for axis in summed[0]])
    rows = np.reshape(np.transpose(a, kept[0] + summed[0]), (-1, length))
    columns = np.reshape(np.transpose(b, summed[1] + kept[1]), (length, -1))
    return np.reshape(rows @ columns, shape)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2) or (ord == 2 and (np.ndim(x) if axis is None else np.size(axis)) != 1):
        raise NotFollowedError(f"numpy.linalg.norm: the tape knows the root of the sum of squares, not ord={ord!r}")
    if axis is not None:
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    numbers = np.ravel(x, order="K")  # as NumPy does: a sum in another order may differ in the last bit
    root = np.sqrt(numbers @ numbers)
    return np.reshape(root, (1,) * np.ndim(x)) if keepdims else root


RULES: dict[Callable, tuple] = {
    # elementwise, of one operand
    np.negative: (lambda g, y, x: -g,),
    np.positive: (lambda g, y, x: g,),
    np.exp: (lambda g, y, x: g * y,),
    np.expm1: (lambda g, y, x: g * (y + 1),),
    np.log: (lambda g, y, x: g / x,),
    np.log1p: (lambda g, y, x: g / (1 + x),),
    np.log2: (lambda g, y, x: g / (x * np.log(2)),),
    np.log10: (lambda g, y, x: g / (x * np.log(10)),),
    np.sqrt: (lambda g, y, x: g / (2 * y),),
    np.square: (lambda g, y, x: g * 2 * x,),
    np.reciprocal: (lambda g, y, x: -g * y * y,),
    np.tanh: (lambda g, y, x: g * (1 - y * y),),
    np.arctanh: (lambda g, y, x: g / (1 - x * x),),
    np.sin: (lambda g, y, x: g * np.cos(x),),
    np.cos: (lambda g, y, x: -g * np.sin(x),),
    np.absolute: (lambda g, y, x: g * np.sign(x),),
    np.clip: (_clip,),
    cast: (lambda g, y, x, dtype: g,),
    # elementwise, of two operands
    np.add: (lambda g, y, a, b: g, lambda g, y, a, b: g),
    np.subtract: (lambda g, y, a, b: g, lambda g, y, a, b: -g),
    np.multiply: (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    np.divide: (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
    np.power: (_power_of_base, lambda g, y, a, b: g * y * np.log(a)),
    np.maximum: (lambda g, y, a, b: np.where(a <= b, 0, g), lambda g, y, a, b: np.where(b <= a, 0, g)),
    np.minimum: (lambda g, y, a, b: np.where(a > b, 0, g), lambda g, y, a, b: np.where(b > a, 0, g)),
    np.logaddexp: (lambda g, y, a, b: g * np.exp(a - y), lambda g, y, a, b: g * np.exp(b - y)),
    # sums of products
    np.matmul: (_matmul_left, _matmul_right),
    np.dot: (_dot_left, _dot_right),
    np.einsum: (None, *(functools.partial(_einsum, place) for place in range(4))),
    # reductions
    np.sum: (lambda g, y, x, axis=None, *, keepdims=False: _spread(g, x, axis, keepdims),),
    np.nansum: (lambda g, y, x, axis=None, *, keepdims=False: np.where(np.isnan(x), 0, _spread(g, x, axis, keepdims)),),
    np.mean: (lambda g, y, x, axis=None, *, keepdims=False: _spread(g, x, axis, keepdims) * np.divide(y.size, x.size),),
    np.var: (_var,),
    np.std: (_std,),
    np.prod: (_prod,),
    np.cumsum: (_cumsum,),
    **dict.fromkeys((np.max, np.amax), (_extreme(np.argmax),)),
    **dict.fromkeys((np.min, np.amin), (_extreme(np.argmin),)),
    # joining: a list of gradients, one for each array of the list
    np.concatenate: (lambda g, y, xs, axis=0: np.split(g, np.cumsum([x.shape[axis] for x in xs])[:-1], axis),),
    np.stack: (lambda g, y, xs, axis=0: list(np.moveaxis(g, axis, 0)),),
    # rearranging
    item: moves(item),
    with_item: moves(with_item, 0, 2),
    np.where: moves(np.where, 1, 2),
    np.pad: moves(_pad_numbers),
    **{
        function: moves(function)
        for function in (
            *(np.reshape, np.ravel, np.squeeze, np.expand_dims, np.atleast_1d, np.atleast_2d, np.copy),
            *(np.transpose, np.swapaxes, np.moveaxis, np.flip, np.roll, np.diagonal, np.tril, np.triu),
            *(
                np.broadcast_to,
                np.repeat,
                np.tile,
                np.take,
                np.take_along_axis,
                np.lib.stride_tricks.sliding_window_view,
            ),
        )
    },
}

COMPOSED: dict[Callable, Callable] = {
    np.tensordot: _tensordot,
    np.linalg.norm: _norm,
    np.outer: lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, -1),
    np.split: _split,
    np.array_split: _split,
    np.append: _append,
    np.vstack: lambda xs: np.concatenate([np.atleast_2d(x) for x in xs]),
    np.hstack: lambda xs: np.concatenate(xs, axis=0 if np.ndim(xs[0]) == 1 else 1),
}

# Step functions, comparisons and queries: their slope is 0 wherever they have one, so their results are constants.
WITHOUT_GRADIENT: set[Callable] = {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal, np.any, np.all, np.count_nonzero),
    *(np.sign, np.floor, np.ceil, np.rint, np.round, np.floor_divide),
    *(np.argmax, np.argmin, np.argsort, np.nonzero, np.shape, np.ndim, np.size, np.result_type),
}

# New arrays whose numbers do not come from their argument; they may be written to.
FRESH: set[Callable] = {np.zeros_like, np.ones_like, np.full_like, np.empty_like}
