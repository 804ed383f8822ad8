r"""RAdam: Adam that divides by v only once v is worth something, and then at first with care: a warm-up by formula.

    w  the parameters                     lr            learning rate     lambda  weight_decay
    g  their gradient                     beta1, beta2  betas             eps     keeps the division finite
    m  exp_avg, running mean of g         t             number of the step, from 1
    v  exp_avg_sq, running mean of g^2    n             how many gradients v is worth; n_max in the long run

m and v have the shape of w, and every operation on them is elementwise.

    U1   slope = g                                      (...)   -g to maximize: going up L is going down -L
    U2   shrunk = w                                     (...)   decoupled decay: w (1 - lr lambda), as in AdamW
    U3   penalized = slope + lambda w                   (...)   L2; slope itself where the decay is decoupled
    U4   m_next = m + (1 - beta1) (penalized - m)       (...)   = beta1 m + (1 - beta1) penalized
    U5   v_next = beta2 v + (1 - beta2) penalized^2     (...)
    U6   m_hat = m_next / (1 - beta1^t)                 (...)   m starts at 0: this takes out the bias towards it
    U7   n_max = 2 / (1 - beta2) - 1                    ()
    U8   n = n_max - 2 t beta2^t / (1 - beta2^t)        ()
    U9   share = sqrt((n - 4) (n - 2) n_max             ()      1 where n is 5 or less
                      / ((n_max - 4) (n_max - 2) n))
    U10  scale = share sqrt(1 - beta2^t)                (...)   likewise: there the step does not depend on v
                 / (sqrt(v_next) + eps)
    U11  w_next = shrunk - lr m_hat scale               (...)

(Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020, algorithm 2.)

Why. In its first steps Adam divides by a v made of a handful of gradients. Now and then all of them are small by
chance, and the step is far too long; a learning rate that grows from 0 is the usual remedy. RAdam asks how reliable v
is. A mean of n gradients' squares, with weights that are all the same, has a mean age of (n + 1) / 2. U8 is the n for
which the weights of v, beta2^0, beta2^1, ..., beta2^(t - 1), have that mean age. At the first step n = 1; with the
default of beta2, n is a little below t for a long time; and it approaches n_max, which is 1999. For gradients
that are normal with variance 1, that of 1 / sqrt(v) is about n / (2 (n - 2) (n - 4)), and there is none where n is 4 or
less. U9 is the root of this variance at n_max over that at n, so that lr share / sqrt(v) varies as much at each
step as it does in the long run. For the first five steps, at least, there is no division at all: they are those of SGD
with momentum, and as long as the gradient. Where beta2 is 2/3 or less, n_max is at most 5, and it stays that way.

Two details. The paper divides where n is more than 4; its authors' code and PyTorch wait for more than 5, since
share is nearly 0 just above 4. And eps is added to the root of v itself, while Adam adds it to that of v_hat.

PyTorch's counterpart: ``torch.optim.RAdam``.
"""

import math

import numpy as np

from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_betas, check_each


def radam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return w, m and v after step ``t``."""
    beta1, beta2 = betas
    slope = -g if maximize else g  # U1 (...)
    shrunk = w * (1 - lr * weight_decay) if decoupled_weight_decay else w  # U2 (...)
    penalized = slope if decoupled_weight_decay or weight_decay == 0 else slope + weight_decay * w  # U3 (...)
    m_next = m + (1 - beta1) * (penalized - m)  # U4 (...)
    v_next = beta2 * v + (1 - beta2) * penalized**2  # U5 (...)
    m_hat = m_next / (1 - beta1**t)  # U6 (...)
    n_max = 2 / (1 - beta2) - 1  # U7 ()
    n = n_max - 2 * t * beta2**t / (1 - beta2**t)  # U8 ()
    share = math.sqrt((n - 4) * (n - 2) * n_max / ((n_max - 4) * (n_max - 2) * n)) if n > 5 else 1.0  # U9 ()
    scale = share * math.sqrt(1 - beta2**t) / (np.sqrt(v_next) + eps) if n > 5 else 1.0  # U10 (...)
    w_next = shrunk - lr * m_hat * scale  # U11 (...)
    return w_next, m_next, v_next


class RAdam(Optimizer):
    """Adam with a rectified variance, with L2 regularization or decoupled weight decay.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        Learning rate: about how far each number moves in a step, once v is reliable.
    betas : pair of float
        How much of the running means of g and g^2 is kept at each step.
    eps : float
        Added to the denominator.
    weight_decay : float
        lambda.
    decoupled_weight_decay : bool
        Whether every weight shrinks by the factor 1 - lr lambda instead; the paper's form.
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
    >>> w = Parameter(np.array([1.0]))
    >>> optimizer = RAdam([w], lr=0.25)
    >>> for _ in range(7):
    ...     before = w.data.copy()
    ...     w.grad = np.array([2.0])
    ...     optimizer.step()
    ...     print((before - w.data).round(4).tolist())
    [0.5]
    [0.5]
    [0.5]
    [0.5]
    [0.5]
    [0.0065]
    [0.0082]
    """

    rule = radam
    state_names = "exp_avg", "exp_avg_sq"

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": check_betas(self, betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        return check_each(self, options, ("lr", "eps", "weight_decay"), ("maximize", "decoupled_weight_decay"))
