r"""Dropout and Dropout2d: each number, or each channel, is zeroed with probability p while training.

So no unit can rely on another.

    x, y    (...)  input, output
    draw    (...)  drawn for each element: 1 with probability 1 - p, else 0
    p              probability that an element is dropped

Dropout2d draws for each channel of each image: its draw is (N, C, 1, 1), and broadcasts.

dropout, in training
    F1  factor = draw / (1 - p)                 (...)   the mean of factor is 1, so that of y is x; 0 for p = 1
    F2  y = x factor                            (...)
    B2  grad_x = grad_y factor                  (...)   F2: a product, times the other factor, which does not depend
                                                        on x: the same elements are dropped, those kept are scaled alike

In evaluation, and for p = 0, y = x and nothing is drawn; the mean is right already, so no correction is needed. For
p = 1, y = 0 x, and nothing is drawn either. Elements are drawn in the order in which PyTorch's tensor would lie in
memory, so that the same seed gives the same mask: in the input's memory order, but for images (N, C, H, W) in the order
of the axes, because PyTorch stores a convolution's output that way. If the caller's own input is channels-last, the
mask differs from PyTorch's.

Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014, sections 4 and 10
(there the weights are scaled at test time; dividing by 1 - p while training, "inverted" dropout, is equivalent).
PyTorch's counterparts: ``torch.nn.Dropout``, ``Dropout2d``. ``inplace=True`` is accepted but has no effect: an input is
never written to.
"""

import warnings

import numpy as np

from scratch import random
from scratch.checks import check_number, name_of
from scratch.dispatch import Pair
from scratch.nn.layer import Layer
from scratch.nn.linear import identity, identity_backward


def dropout(x: np.ndarray, draw: np.ndarray, p: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where ``draw`` is 1, scaled up, and 0 where it is 0."""
    factor = draw / (1 - p) if p < 1 else draw  # F1 (...)
    y = x * factor  # F2 (...)
    return y, (factor,)


def dropout_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `dropout`."""
    (factor,) = saved
    grad_x = grad_y * factor  # B2 (...)
    return grad_x


class Dropout(Layer):
    """Zero elements at random while training, and scale the others up; do nothing in evaluation. Any shape.

    Parameters
    ----------
    p : float
        Probability that an element is zeroed, from 0 to 1.
    inplace : bool
        Has no effect: an input is never written to.

    Raises
    ------
    ValueError
        If ``p`` is not within [0, 1].

    Examples
    --------
    >>> layer = Dropout(p=0.75)
    >>> layer.draw = lambda x: np.array([1.0, 0.0, 0.0])  # instead of a random one
    >>> layer(np.array([1.0, 2.0, 3.0]))
    array([4., 0., 0.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([20.,  0.,  0.])
    >>> layer.eval()(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """

    functions = dropout, dropout_backward
    functions_in_evaluation = identity, identity_backward
    passes_through = True

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_number(self, "p", p)
        if not 0 <= p <= 1:
            raise ValueError(f"{name_of(self)}: expected p within [0, 1], got {p!r}")
        self.p, self.inplace = p, inplace

    def draw(self, x: np.ndarray) -> np.ndarray:
        """Return 1 for each element of ``x`` to keep and 0 for each to drop. Replace it to choose the mask."""
        draw = self.room(x)
        if self.p == 1:
            draw.fill(0)
            return draw
        return random.bernoulli_(draw, 1 - self.p)

    def room(self, x: np.ndarray) -> np.ndarray:
        """Return an empty array for the draw, laid out in the order in which it is filled."""
        # A convolution's output is channels-last in memory here, but (N, C, H, W) in PyTorch, whose order is used.
        return np.empty_like(x, order="C" if x.ndim == 4 else "K")

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair for training, with a draw for ``x``, or the pair for evaluation."""
        if not self.training or self.p == 0:
            return self.functions_in_evaluation, ()
        return self.functions, (self.draw(x), self.p)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout2d(Dropout):
    """Zero whole channels of images at random while training, and scale the others up; do nothing in evaluation.

    Neighbouring pixels of a channel are nearly alike, so zeroing single pixels removes little; zeroing a channel does.

    Parameters
    ----------
    p : float
        Probability that a channel is zeroed, from 0 to 1.
    inplace : bool
        Has no effect: an input is never written to.

    Raises
    ------
    ValueError
        If ``p`` is not within [0, 1].
    RuntimeError
        If the input has fewer than two axes. The first two are treated as batch and channels, with a warning unless
        there are four, as in PyTorch.

    Examples
    --------
    >>> layer = Dropout2d(p=0.75)
    >>> layer.draw = lambda x: np.array([[[[1.0]], [[0.0]]]])  # instead of a random one
    >>> layer(np.array([[[[1.0, 2.0]], [[3.0, 4.0]]]]))
    array([[[[4., 8.]],
    <BLANKLINE>
            [[0., 0.]]]])
    """

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has channels; warn if it is not a batch of images."""
        if x.ndim < 2:
            raise RuntimeError(f"Dropout2d: expected input of shape (N, C, H, W), got {x.shape}")
        if x.ndim != 4:
            warnings.warn(
                f"Dropout2d: expected input of shape (N, C, H, W), got {x.shape}; treating its first two axes as "
                "batch and channels. For other inputs use Dropout",
                stacklevel=5,
            )

    def room(self, x: np.ndarray) -> np.ndarray:
        """Return an array with a number for each channel."""
        return np.empty((*x.shape[:2], *(1,) * (x.ndim - 2)), x.dtype)
