r"""SGD: a step against the gradient of a batch, or along a running average of such gradients.

    w  the parameters            lr      learning rate          lambda  weight_decay
    g  their gradient            mu      momentum               tau     dampening
    b  momentum_buffer           t       number of the step, from 1

Every array has the shape of w, and every operation is elementwise.

    U1  slope = g                            (...)    -g to maximize: going up L is going down -L
    U2  penalized = slope + lambda w         (...)    L2: the gradient of lambda/2 |w|^2 joins the loss's
    U3  b_next = mu b + (1 - tau) penalized  (...)    the running average; penalized itself at t = 1, or where mu = 0
    U4  direction = b_next                   (...)    nesterov: penalized + mu b_next, a look ahead along b
    U5  w_next = w - lr direction            (...)

A constant gradient adds up in b to g / (1 - mu): with mu = 0.9 the steps along a valley's floor become ten times as
long, while those across it alternate in sign and cancel (Polyak, 1964; Sutskever et al., "On the Importance of
Initialization and Momentum in Deep Learning", 2013). As in PyTorch, and unlike that paper, lr is applied after the
averaging, so a change of lr acts on the whole of b at once. `scratch.optim.optimizer` explains lambda.

PyTorch's counterpart: ``torch.optim.SGD``.
"""

import numpy as np

from scratch.checks import name_of
from scratch.optim.optimizer import Optimizer, Params
from scratch.optim.options import check_each, check_number


def sgd(
    w: np.ndarray,
    g: np.ndarray,
    b: np.ndarray,
    t: int,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters and the momentum buffer after step ``t``."""
    slope = -g if maximize else g  # U1 (...)
    penalized = slope + weight_decay * w if weight_decay != 0 else slope  # U2 (...)
    b_next = momentum * b + (1 - dampening) * penalized if momentum != 0 and t > 1 else penalized.copy()  # U3 (...)
    direction = penalized + momentum * b_next if nesterov else b_next  # U4 (...)
    w_next = w - lr * direction  # U5 (...)
    return w_next, b_next


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr, momentum, dampening, weight_decay : float
        The options above.
    nesterov : bool
        Whether to use Nesterov's momentum, which needs momentum and no dampening.
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
    >>> optimizer = SGD([w], lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     w.grad = np.array([1.0])
    ...     optimizer.step()
    ...     w.data.tolist()
    [0.5]
    [-0.25]
    """

    rule = sgd
    state_names = optional_names = ("momentum_buffer",)
    counts_steps = False  # all that matters is whether there was a step: then the buffer exists

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        checked = check_each(self, options, ("lr", "momentum", "weight_decay"), ("nesterov", "maximize"))
        checked["dampening"] = check_number(self, "dampening", options["dampening"], at_least=None)
        if checked["nesterov"] and (checked["momentum"] == 0 or checked["dampening"] != 0):
            raise ValueError(
                f"{name_of(self)}: nesterov needs a momentum and no dampening, "
                f"got {options['momentum']} and {options['dampening']}"
            )
        return checked

    def kept(self, options: dict) -> tuple[str | None, ...]:
        """Return the buffer's name, if there is momentum."""
        return self.state_names if options["momentum"] != 0 else (None,)
