r"""Adadelta: RMSprop whose learning rate is the running root mean square of its own steps.

    w  the parameters                          lr      learning rate, a factor of the step at the end
    g  their gradient                          rho     how much of v and u stays at each step
    v  square_avg, running mean of g^2         eps     sets the size of the first steps
    u  acc_delta, running mean of step^2       lambda  weight_decay          t  number of the step, from 1

Every array has the shape of w, and every operation is elementwise.

    U1  slope = g                                                (...)   -g to maximize: going up L is going down -L
    U2  penalized = slope + lambda w                             (...)   L2: the gradient of lambda/2 |w|^2 joins it
    U3  v_next = rho v + (1 - rho) penalized^2                   (...)
    U4  step = sqrt(u + eps) / sqrt(v_next + eps) penalized      (...)   u before this step, which is not known yet
    U5  u_next = rho u + (1 - rho) step^2                        (...)
    U6  w_next = w - lr step                                     (...)

(Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, algorithm 1, which has no lr.)

Why the numerator. g / sqrt(v) has no unit: it is about 1, however w is measured, so lr would need the unit of w. A step
that is scaled by the steps before it has that unit by itself. This is the point of the paper, and why lr = 1.

eps is under both roots here, unlike in `scratch.optim.rmsprop`, and is more than a guard: u starts at 0, so the first
step is sqrt(eps) / sqrt((1 - rho) g^2 + eps) g, about sqrt(eps / (1 - rho)) = 0.003 with the defaults. The steps grow
from there.

PyTorch's counterpart: ``torch.optim.Adadelta``.
"""

import numpy as np

from scratch.checks import name_of
from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_each


def adadelta(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    u: np.ndarray,
    t: int,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return w, v and u after step ``t``."""
    slope = -g if maximize else g  # U1 (...)
    penalized = slope + weight_decay * w if weight_decay != 0 else slope  # U2 (...)
    v_next = rho * v + (1 - rho) * penalized**2  # U3 (...)
    step = np.sqrt(u + eps) / np.sqrt(v_next + eps) * penalized  # U4 (...)
    u_next = rho * u + (1 - rho) * step**2  # U5 (...)
    w_next = w - lr * step  # U6 (...)
    return w_next, v_next, u_next


class Adadelta(Optimizer):
    """Adadelta, with L2 regularization.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        A factor of the step; 1 in the paper.
    rho : float
        How much of the running means of g^2 and of step^2 is kept at each step, from 0 to 1.
    eps : float
        Added under both roots.
    weight_decay : float
        lambda.
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
    >>> optimizer = Adadelta([w], rho=0.75, eps=0.0625)
    >>> w.grad = np.array([1.0, -1e3])
    >>> optimizer.step()
    >>> w.data.round(4)
    array([0.5528, 1.5   ])
    """

    rule = adadelta
    state_names = "square_avg", "acc_delta"

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        checked = check_each(self, options, ("lr", "rho", "eps", "weight_decay"), ("maximize",))
        if checked["rho"] > 1:
            raise ValueError(f"{name_of(self)}: expected rho of 1 or less, got {options['rho']}")
        return checked
