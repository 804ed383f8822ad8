r"""RMSprop: each number's gradient is divided by the running root mean square of its own gradients.

    w  the parameters                          lr     learning rate     lambda  weight_decay
    g  their gradient                          alpha  how much of v and m stays at each step
    v  square_avg, running mean of g^2         mu     momentum          eps     keeps the division finite
    b  momentum_buffer                         t      number of the step, from 1
    m  grad_avg, running mean of g

Every array has the shape of w, and every operation is elementwise.

    U1  slope = g                                        (...)   -g to maximize: going up L is going down -L
    U2  penalized = slope + lambda w                     (...)   L2: the gradient of lambda/2 |w|^2 joins the loss's
    U3  v_next = alpha v + (1 - alpha) penalized^2       (...)
    U4  m_next = 0                                       (...)   centered: m + (1 - alpha) (penalized - m)
    U5  root = sqrt(v_next)                              (...)
    U6  spread = root                                    (...)   centered: sqrt((root - m_next) (root + m_next))
    U7  scaled = penalized / (spread + eps)              (...)
    U8  b_next = mu b + scaled                           (...)   scaled itself where mu = 0
    U9  w_next = w - lr b_next                           (...)

(Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012; centered, and with momentum: Graves,
"Generating Sequences With Recurrent Neural Networks", 2013, equations 38 to 41.)

Unlike Adam, RMSprop does not take out the bias of v towards its start at 0. The first step is
lr g / (sqrt(1 - alpha) |g|): with alpha = 0.99 that is ten times lr, whatever |g| is. With a constant gradient the
steps then shrink to lr.

The position of eps decides what happens to small gradients. Outside the root, as here and in PyTorch, it affects
gradients of about eps = 1e-8 and less. Under the root, sqrt(v + eps), as in TensorFlow and in Graves' paper, it affects
gradients of about sqrt(eps) = 1e-4 and less: a gradient of 1e-6 takes steps of lr/100 there, and of lr here. The same
eps makes two different optimizers.

With ``centered``, U6 is the standard deviation. Its radicand is v_next - m_next^2, written as a product because the
square of m_next may overflow, and infinity minus infinity is NaN. On paper a variance is never negative. But where a
gradient has stayed the same for so long that the variance is only rounding error, it can be, and then the step is NaN,
as in PyTorch.

PyTorch's counterpart: ``torch.optim.RMSprop``.
"""

import numpy as np

from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_each


def rmsprop(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    b: np.ndarray,
    m: np.ndarray,
    t: int,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return w, v, b and m after step ``t``; b is read only with momentum, and m only if centered."""
    slope = -g if maximize else g  # U1 (...)
    penalized = slope + weight_decay * w if weight_decay != 0 else slope  # U2 (...)
    v_next = alpha * v + (1 - alpha) * penalized**2  # U3 (...)
    m_next = m + (1 - alpha) * (penalized - m) if centered else np.zeros(())  # U4 (...)
    root = np.sqrt(v_next)  # U5 (...)
    spread = np.sqrt((root - m_next) * (root + m_next)) if centered else root  # U6 (...)
    scaled = penalized / (spread + eps)  # U7 (...)
    b_next = momentum * b + scaled if momentum != 0 else scaled  # U8 (...)
    w_next = w - lr * b_next  # U9 (...)
    return w_next, v_next, b_next, m_next


class RMSprop(Optimizer):
    """RMSprop, optionally with momentum, and with the variance in place of the mean square.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        Learning rate: about how far each number moves in a step.
    alpha : float
        How much of the running means is kept at each step.
    eps : float
        Added to the denominator, outside the root.
    weight_decay, momentum : float
        The options above.
    centered : bool
        Whether to divide by the gradient's standard deviation instead of its root mean square.
    maximize : bool
        Whether to go up the gradient instead of down.

    Raises
    ------
    TypeError
        If an option is not a number, or not a bool where one is expected.
    ValueError
        If an option is out of its domain.

    Examples
    --------
    >>> from scratch.nn import Parameter
    >>> w = Parameter(np.array([1.0, 1.0]))
    >>> optimizer = RMSprop([w], lr=0.25, alpha=0.75)
    >>> w.grad = np.array([1e-3, -1e3])
    >>> optimizer.step()
    >>> w.data.round(4)
    array([0.5, 1.5])
    """

    rule = rmsprop
    state_names = "square_avg", "momentum_buffer", "grad_avg"
    optional_names = "momentum_buffer", "grad_avg"

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        numbers = "lr", "momentum", "alpha", "eps", "weight_decay"
        return check_each(self, options, numbers, ("centered", "maximize"))

    def kept(self, options: dict) -> tuple[str | None, ...]:
        """Return the names of the mean square, of the buffer with momentum, and of the mean if centered."""
        square_avg, momentum_buffer, grad_avg = self.state_names
        return (
            square_avg,
            momentum_buffer if options["momentum"] != 0 else None,
            grad_avg if options["centered"] else None,
        )
