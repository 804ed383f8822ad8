r"""Adagrad: each number's gradient is divided by the root of the sum of all its squared gradients so far.

    w  the parameters                        lr        learning rate          lambda  weight_decay
    g  their gradient                        lr_decay  slows lr down          eps     keeps the division finite
    s  sum, of g^2 over all steps            t         number of the step, from 1

Every array has the shape of w, and every operation is elementwise. s starts at initial_accumulator_value.

    U1  slope = g                                     (...)   -g to maximize: going up L is going down -L
    U2  penalized = slope + lambda w                  (...)   L2: the gradient of lambda/2 |w|^2 joins the loss's
    U3  s_next = s + penalized^2                      (...)   a sum, not a mean: nothing is ever forgotten
    U4  lr_now = lr / (1 + (t - 1) lr_decay)          ()      lr itself at t = 1
    U5  w_next = w - lr_now penalized
                     / (sqrt(s_next) + eps)           (...)

(Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011,
section 1.3, with the diagonal of their matrix.) A number whose gradient is nearly always 0, such as one in the
embedding of a rare word, still takes a long step when a gradient does come. A constant gradient takes steps of
lr / sqrt(t). That is what the theory of convex problems asks for, and the reason why the training of deep networks
stalls. There RMSprop's running mean, which forgets, took the place of the sum.

PyTorch's counterpart: ``torch.optim.Adagrad``. Left out: sparse gradients.
Differs from PyTorch: the parameters of a group that is added later have their state at once, like all others.
"""

import numpy as np

from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_each


def adagrad(
    w: np.ndarray,
    g: np.ndarray,
    s: np.ndarray,
    t: int,
    *,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return w and s after step ``t``."""
    slope = -g if maximize else g  # U1 (...)
    penalized = slope + weight_decay * w if weight_decay != 0 else slope  # U2 (...)
    s_next = s + penalized**2  # U3 (...)
    lr_now = lr / (1 + (t - 1) * lr_decay)  # U4 ()
    w_next = w - lr_now * penalized / (np.sqrt(s_next) + eps)  # U5 (...)
    return w_next, s_next


class Adagrad(Optimizer):
    """Adagrad, with L2 regularization.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        Learning rate: how far each number moves in its first step.
    lr_decay : float
        lr is divided by 1 + (t - 1) lr_decay.
    weight_decay : float
        lambda.
    initial_accumulator_value : float
        What the sums of all parameters start at.
    eps : float
        Added to the denominator.
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
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> for _ in range(4):
    ...     w.grad = np.array([1e3])
    ...     optimizer.step()
    ...     w.data.round(4).tolist()
    [0.5]
    [0.1464]
    [-0.1422]
    [-0.3922]
    """

    rule = adagrad
    state_names = ("sum",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict) -> None:
        """Add a group, as `Optimizer` does; its sums start at the optimizer's ``initial_accumulator_value``."""
        super().add_param_group(param_group)
        for state in self._states[-1]:
            state.start_at("sum", float(self.defaults["initial_accumulator_value"]))

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        numbers = "lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value"
        return check_each(self, options, numbers, ("maximize",))
