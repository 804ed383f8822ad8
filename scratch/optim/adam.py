r"""Adam: a step whose length is set by lr, whatever the scale of the gradient.

    w  the parameters                     lr            learning rate     lambda  weight_decay
    g  their gradient                     beta1, beta2  betas             eps     keeps the division finite
    m  exp_avg, running mean of g         t             number of the step, from 1
    v  exp_avg_sq, running mean of g^2    v_max         max_exp_avg_sq, the largest v so far

Every array has the shape of w, and every operation is elementwise.

    U1  slope = g                                    (...)   -g to maximize: going up L is going down -L
    U2  penalized = slope + lambda w                 (...)   L2: the gradient of lambda/2 |w|^2 joins the loss's
    U3  m_next = m + (1 - beta1) (penalized - m)     (...)   = beta1 m + (1 - beta1) penalized
    U4  v_next = beta2 v + (1 - beta2) penalized^2   (...)
    U5  v_max_next = v_next                          (...)   amsgrad: max(v_max, v_next)
    U6  m_hat = m_next / (1 - beta1^t)               (...)   m and v start at 0: this takes out the bias towards it
    U7  v_hat = v_max_next / (1 - beta2^t)           (...)
    U8  w_next = w - lr m_hat / (sqrt(v_hat) + eps)  (...)

(Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; amsgrad: Reddi et al., "On the
Convergence of Adam and Beyond", 2018.) At t = 1, m_hat = g and v_hat = g^2, so the first step is lr sign(g), whatever
|g| is.

Why the L2 of U2 is not weight decay here. Through U3 and U8 the term lambda w is divided by sqrt(v_hat) like the rest
of the gradient: a weight whose gradients are large is hardly decayed, and one whose loss gradient is near 0 moves by
about lr sign(w) a step however small lambda is. SGD has no such division, so there the two are the same. Decay that is
the same for all weights has to stay outside the moments, as in `scratch.optim.adamw`.

PyTorch's counterpart: ``torch.optim.Adam``.
"""

import numpy as np

from scratch.optim.optimizer import Optimizer, Params, Rule
from scratch.optim.options import check_betas, check_each


def adam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_max: np.ndarray,
    t: int,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return w, m, v and v_max after step ``t``; only amsgrad reads v_max."""
    beta1, beta2 = betas
    slope = -g if maximize else g  # U1 (...)
    penalized = slope + weight_decay * w if weight_decay != 0 else slope  # U2 (...)
    m_next = m + (1 - beta1) * (penalized - m)  # U3 (...)
    v_next = beta2 * v + (1 - beta2) * penalized**2  # U4 (...)
    v_max_next = np.maximum(v_max, v_next) if amsgrad else v_next  # U5 (...)
    m_hat = m_next / (1 - beta1**t)  # U6 (...)
    v_hat = v_max_next / (1 - beta2**t)  # U7 (...)
    w_next = w - lr * m_hat / (np.sqrt(v_hat) + eps)  # U8 (...)
    return w_next, m_next, v_next, v_max_next


class Adam(Optimizer):
    """Adam, with L2 regularization.

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
    amsgrad : bool
        Whether to divide by the largest v so far.
    maximize : bool
        Whether to go up the gradient instead of down.
    decoupled_weight_decay : bool
        Whether to use `AdamW`'s rule.

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
    >>> optimizer = Adam([w], lr=0.25)
    >>> w.grad = np.array([1e-3, -1e3])
    >>> optimizer.step()
    >>> w.data.round(4)
    array([0.75, 1.25])
    """

    rule = adam
    state_names = "exp_avg", "exp_avg_sq", "max_exp_avg_sq"
    optional_names = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": check_betas(self, betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        flags = "amsgrad", "maximize", "decoupled_weight_decay"
        return check_each(self, options, ("lr", "eps", "weight_decay"), flags)

    def rule_of(self, options: dict) -> Rule:
        """Return the class's rule, or AdamW's where the decay is decoupled."""
        from scratch.optim.adamw import adamw  # imported here, since AdamW is a subclass of Adam

        return adamw if options["decoupled_weight_decay"] else super().rule_of(options)

    def kept(self, options: dict) -> tuple[str | None, ...]:
        """Return the names of both running means, and that of the largest v with amsgrad."""
        return self.state_names if options["amsgrad"] else (*self.state_names[:2], None)
