r"""Dropout: each number is zeroed with probability p while training, so that no unit can rely on another.

    x, y  any shape           r  the noise, of the same shape           p  probability of dropping

Forward
    F1  r = b / (1 - p),  b drawn independently for each element: 1 with probability 1 - p, else 0
    F2  y = x r           The mean of r is one, so the mean of y is x, and evaluation needs no correction.

Backward
    B1  grad_x = grad_y r     F2: the same noise once more; r does not depend on x

In evaluation, and for p = 0, y = x and nothing is drawn; for p = 1, y = 0 x, and nothing is drawn either. The noise is
drawn in the order in which the input lies in memory, so that the generator's stream is used as PyTorch's is.

Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014, sections 4 and 10
(there the weights are scaled at test time; dividing by 1 - p while training is its equivalent, "inverted" dropout).
PyTorch's counterpart: ``torch.nn.Dropout``. Left out: ``inplace=True``, since an input is never written to.
"""

import numpy as np

from scratch import random
from scratch.checks import check_array, check_grad_output, check_not_inplace
from scratch.kernels import memory
from scratch.nn.module import Module


class Dropout(Module):
    """Zero elements at random while training, and scale the others up; do nothing in evaluation.

    Parameters
    ----------
    p : float
        Probability of an element to be zeroed, from 0 to 1.
    inplace : bool
        False; True is left out, and refused with ``ValueError``.

    Raises
    ------
    ValueError
        If ``p`` is not within [0, 1].

    Examples
    --------
    >>> layer = Dropout(p=0.75)
    >>> layer.draw_noise = lambda x: np.array([4.0, 0.0, 0.0])  # in place of a random one
    >>> layer(np.array([1.0, 2.0, 3.0]))
    array([4., 0., 0.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([20.,  0.,  0.])
    >>> layer.eval()(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: expected p within [0, 1], got {p!r}")
        check_not_inplace(self, inplace)
        self.p = p

    def draw_noise(self, x: np.ndarray) -> np.ndarray:
        """Return the factors for ``x``: 0 or 1 / (1 - p) for each element. Replace it to choose them yourself."""
        noise = np.empty_like(x)
        if self.p == 1:
            noise.fill(0)
        else:
            random.bernoulli_(noise, 1 - self.p)
            noise /= 1 - self.p
        return noise

    @np.errstate(invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        if not self.training or self.p == 0:
            self.save_for_backward(noise=None, shape=x.shape, dtype=x.dtype)
            return x
        noise = self.draw_noise(x)  # F1
        self.save_for_backward(noise=noise, shape=x.shape, dtype=x.dtype)
        return np.multiply(x, noise, out=memory.empty_like(x))  # F2

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the noise of the forward."""
        noise, shape, dtype = self.saved("noise", "shape", "dtype")
        check_grad_output(self, grad_output, shape, dtype)
        if noise is None:
            return grad_output
        return np.multiply(grad_output, noise, out=memory.empty_like(noise))  # B1

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace=False"
