r"""NAdam: Adam with Nesterov's momentum, which looks one step ahead, and which grows in the course of the training.

    w  the parameters                     lr            learning rate     lambda  weight_decay
    g  their gradient                     beta1, beta2  betas             psi     momentum_decay
    m  exp_avg, running mean of g         t             number of the     eps     keeps the division finite
    v  exp_avg_sq, running mean of g^2                  step, from 1      p       mu_product, mu_1 mu_2 ... so far

m and v have the shape of w, and every operation on them is elementwise.

    U1   slope = g                                          (...)   -g to maximize: going up L is going down -L
    U2   shrunk = w                                         (...)   decoupled decay: w (1 - lr lambda), as in AdamW
    U3   penalized = slope + lambda w                       (...)   L2; slope itself where the decay is decoupled
    U4   mu = beta1 (1 - 0.96^(t psi) / 2)                  ()      this step's momentum: from beta1/2 up to beta1
    U5   mu_next = beta1 (1 - 0.96^((t + 1) psi) / 2)       ()      the next step's
    U6   p_next = p mu                                      ()
    U7   m_next = m + (1 - beta1) (penalized - m)           (...)   = beta1 m + (1 - beta1) penalized
    U8   v_next = beta2 v + (1 - beta2) penalized^2         (...)
    U9   v_hat = v_next / (1 - beta2^t)                     (...)   v starts at 0: this takes out the bias towards it
    U10  m_ahead = mu_next m_next / (1 - p_next mu_next)    (...)   where m will be, if the next gradient is 0,
                   + (1 - mu) penalized / (1 - p_next)              and the part of g in it
    U11  w_next = shrunk - lr m_ahead / (sqrt(v_hat) + eps) (...)

(Dozat, "Incorporating Nesterov Momentum into Adam", 2016, algorithm 2.)

Why. Adam's step is that of m_next = mu m + (1 - mu) g, a little of the newest gradient and much of the old m. Nesterov
takes the momentum's part of the *next* step already now: m_next is known as soon as g is, so it can stand in the place
of the old m. That is U10: mu_next m_next + (1 - mu) g, each part divided by what is missing in it because m started at
0. As in `scratch.optim.sgd` with ``nesterov``, the newest gradient weighs more, and m reacts a step earlier.

In the first steps m is the mean of a few gradients. It is trusted less there: mu begins at about half of beta1, and
grows to beta1 in some twenty thousand steps with the default of psi; a psi of 0 keeps it at half of beta1.

p is kept beside m and v, since beta1 and psi may change between steps. It is a float32 number, as in PyTorch, whatever
the parameters' dtype. Dozat averages m with mu as well; PyTorch does so with beta1, as here, so the bias is not quite
taken out in the first steps.

PyTorch's counterpart: ``torch.optim.NAdam``. Differs from it after `load_state_dict` with float64 parameters: PyTorch
goes on with a p of float64, so a resumed training is not quite the uninterrupted one; here p stays float32, and it is.
"""

from typing import ClassVar

import numpy as np

from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_betas, check_each


def nadam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    p: np.ndarray,
    t: int,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled_weight_decay: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return w, m, v and p after step ``t``."""
    beta1, beta2 = betas
    slope = -g if maximize else g  # U1 (...)
    shrunk = w * (1 - lr * weight_decay) if decoupled_weight_decay else w  # U2 (...)
    penalized = slope if decoupled_weight_decay or weight_decay == 0 else slope + weight_decay * w  # U3 (...)
    mu = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)  # U4 ()
    mu_next = beta1 * (1 - 0.96 ** ((t + 1) * momentum_decay) / 2)  # U5 ()
    p_next = p * mu  # U6 ()
    m_next = m + (1 - beta1) * (penalized - m)  # U7 (...)
    v_next = beta2 * v + (1 - beta2) * penalized**2  # U8 (...)
    v_hat = v_next / (1 - beta2**t)  # U9 (...)
    m_ahead = mu_next / (1 - float(p_next) * mu_next) * m_next + (1 - mu) / (1 - float(p_next)) * penalized  # U10 (...)
    w_next = shrunk - lr * m_ahead / (np.sqrt(v_hat) + eps)  # U11 (...)
    return w_next, m_next, v_next, p_next


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, with L2 regularization or decoupled weight decay.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        Learning rate: about how far each number moves in a step.
    betas : pair of float
        How much of the running means of g and g^2 is kept at each step.
    eps : float
        Added to the denominator.
    weight_decay : float
        lambda.
    momentum_decay : float
        psi: how fast the momentum grows from half of ``betas[0]`` to all of it.
    decoupled_weight_decay : bool
        Whether every weight shrinks by the factor 1 - lr lambda instead.
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
    >>> optimizer = NAdam([w], lr=0.25, betas=(0.5, 0.999), momentum_decay=0)
    >>> w.grad = np.array([1e-3, -1e3])
    >>> optimizer.step()
    >>> w.data.round(4)
    array([0.7167, 1.2833])
    """

    rule = nadam
    state_names = "exp_avg", "exp_avg_sq", "mu_product"
    scalars: ClassVar[dict[str, float]] = {"mu_product": 1.0}

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": check_betas(self, betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        numbers = "lr", "eps", "weight_decay", "momentum_decay"
        return check_each(self, options, numbers, ("decoupled_weight_decay", "maximize"))
