r"""SGD: a step against the gradient of a batch, or along a running average of such gradients.

    w  the parameters            lr      learning rate          lambda  weight_decay
    g  their gradient            mu      momentum               tau     dampening
    b  momentum_buffer           t       number of the step, from 1

    U1  g <- -g                          if maximize
    U2  g <- g + lambda w                the gradient of lambda/2 |w|^2 (see `scratch.optim.optimizer`)
    U3  b <- mu b + (1 - tau) g          with momentum; b <- g at t = 1, undampened
    U4  g <- b, or g + mu b              or: nesterov, a look ahead along b
    U5  w <- w - lr g

A gradient that stays the same adds up in b to g / (1 - mu): with mu = 0.9 the steps become ten times as long along a
valley's floor, while those across it, of alternating sign, cancel (Polyak, 1964; Sutskever et al., "On the Importance
of Initialization and Momentum in Deep Learning", 2013). As in PyTorch, and unlike that paper, lr is applied after the
averaging, so that a change of lr acts on the whole of b at once.

PyTorch's counterpart: ``torch.optim.SGD``. Left out: ``foreach``, ``fused``, ``differentiable``.
"""

from collections.abc import Iterable

import numpy as np

from scratch.kernels.flat_parameters import Block
from scratch.nn.parameter import Parameter
from scratch.optim.optimizer import Optimizer


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
    ValueError
        If an option is out of its domain.

    Examples
    --------
    >>> w = Parameter(np.array([1.0]))
    >>> optimizer = SGD([w], lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     w.grad = np.array([1.0])
    ...     optimizer.step()
    ...     w.data.tolist()
    [0.5]
    [-0.25]
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"SGD: expected {name} of 0 or more, got {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(f"SGD: nesterov needs a momentum and no dampening, got {momentum} and {dampening}")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def update(self, block: Block, t: int, group: dict) -> None:
        """Take a step: U1 to U5."""
        w, g, temp = block.w, block.g, block.temp
        lr, momentum, weight_decay = float(group["lr"]), group["momentum"], group["weight_decay"]
        if group["maximize"]:
            np.negative(g, out=g)  # U1
        if weight_decay != 0:
            g += np.multiply(w, weight_decay, out=temp)  # U2
        if momentum != 0:
            b = block.state("momentum_buffer")
            if t == 1:
                b[...] = g  # U3
            else:
                b *= momentum
                b += np.multiply(g, 1 - group["dampening"], out=temp)  # U3
            if group["nesterov"]:
                g += np.multiply(b, momentum, out=temp)  # U4
            else:
                g = b  # U4
        w -= np.multiply(g, lr, out=temp)  # U5

    def keeps_state(self, group: dict) -> bool:
        """Whether there is momentum."""
        return group["momentum"] != 0

    def pack(self, t: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the buffer alone: all that counts of ``t`` is whether there is one."""
        return arrays

    def unpack(self, state: dict[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
        """Undo `pack`."""
        arrays = {name: np.asarray(value) for name, value in state.items() if value is not None}
        return len(arrays), arrays
