"""What the methods of the distributions share: they are layers of several arrays, which are broadcast together.

A distribution is made from arrays, as in PyTorch, and each of its differentiable methods has a backward:

    policy = Normal(loc, scale)
    logp = policy.log_prob(action)
    grad_action, grad_loc, grad_scale = policy.log_prob_backward(grad_logp)

The caller does what PyTorch's graph would do: pass the gradients of the parameters on to the network that made them,
and add them up if several methods were used. A parameter that was broadcast was used many times; its gradient is the
sum over the copies, in the parameter's own shape.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from scratch import random
from scratch.checks import FLOAT_DTYPES, check_array, check_dtype, name_of
from scratch.nn.layer import Layer

Shape = Sequence[int]


class Method(Layer):
    """A pair of functions of several arrays of one dtype.

    Attributes
    ----------
    names : tuple of str
        What the arrays are called in messages.
    """

    names: ClassVar[tuple[str, ...]]

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless these are float arrays of one dtype that broadcast together."""
        check_all(self, self.names, arrays)
        check_broadcast(self, self.names, arrays)

    def forward(self, *arrays: np.ndarray) -> Any:
        """Check the arrays and call the function."""
        self.check_arrays(*arrays)
        y, *others = self.run(self.functions, *arrays)
        return (y, *others) if others else y


def check_all(owner: object, names: tuple[str, ...], arrays: tuple) -> None:
    """Raise unless all arrays are float arrays of the first one's dtype."""
    check_array(owner, arrays[0], names[0])
    for name, array in zip(names[1:], arrays[1:], strict=True):
        check_dtype(owner, array, arrays[0].dtype, name)


def check_broadcast(owner: object, names: tuple[str, ...], arrays: tuple) -> None:
    """Raise ``ValueError`` unless the arrays broadcast together."""
    try:
        np.broadcast_shapes(*[array.shape for array in arrays])
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"{name_of(owner)}: expected shapes that broadcast together, got {shapes}") from None


def check_positive(owner: object, name: str, array: np.ndarray) -> None:
    """Raise ``ValueError`` unless all of an array is positive."""
    if not (array > 0).all():
        raise ValueError(f"{name_of(owner)}: expected {name} of more than 0, got {array[~(array > 0)][0]}")


def check_either(owner: object, probs: Any, logits: Any) -> tuple[Any, bool]:
    """Return probs or logits, and whether it is probs; raise ``ValueError`` if both were given, or none."""
    if (probs is None) == (logits is None):
        got = "none" if probs is None else "both"
        raise ValueError(f"{name_of(owner)}: expected either probs or logits, got {got}")
    return (logits, False) if probs is None else (probs, True)


def as_arrays(*values: Any) -> Any:
    """Return each number as an array without axes, of the dtype of the first array, or of float32 if there is none.

    Numbers of NumPy keep their own dtype, as an array without axes would. What is neither is returned unchanged.
    """
    dtypes = [value.dtype for value in values if isinstance(value, (np.ndarray, np.floating))]
    dtype = next((one for one in dtypes if one in FLOAT_DTYPES), FLOAT_DTYPES[0])
    of_python = [isinstance(value, (int, float)) and not isinstance(value, np.generic) for value in values]
    made = [
        np.asarray(value, dtype) if is_number else value for value, is_number in zip(values, of_python, strict=True)
    ]
    return tuple(np.asarray(value) if isinstance(value, np.generic) else value for value in made)


def standard_normal(shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Return standard normal numbers, the same that PyTorch would draw."""
    return random.normal_(np.empty(tuple(shape), dtype))


def sum_event(y: np.ndarray, event_dim: int) -> np.ndarray:
    """Return the sum over the last ``event_dim`` axes."""
    return np.asarray(y.sum(axis=tuple(range(-event_dim, 0))))


def spread_event(grad: np.ndarray, shape: Shape, event_dim: int) -> np.ndarray:
    """Undo `sum_event`, of an array whose last axes are those of ``shape``: each term has the sum's gradient."""
    wide = np.expand_dims(grad, tuple(range(-event_dim, 0)))
    return np.broadcast_to(wide, (*grad.shape, *shape[len(shape) - event_dim :]))
