r"""Adam: a step whose length is set by lr, whatever the scale of the gradient.

    w  the parameters                    lr      learning rate          lambda  weight_decay
    g  their gradient                    b1, b2  betas                  eps     keeps the division finite
    m  exp_avg, running mean of g        t       number of the step, from 1
    v  exp_avg_sq, running mean of g^2   vmax    max_exp_avg_sq

    U1  g <- -g                                           if maximize
    U2  g <- g + lambda w                                 L2: the gradient of lambda/2 |w|^2 joins the loss's
        w <- w - lr lambda w                              instead, if decoupled_weight_decay (AdamW)
    U3  m <- m + (1 - b1) (g - m)                         = b1 m + (1 - b1) g
    U4  v <- b2 v + (1 - b2) g^2
    U5  m^ = m / (1 - b1^t),  v^ = v / (1 - b2^t)         m and v start at 0; this takes out the bias towards it
    U6  w <- w - lr m^ / (sqrt(v^) + eps)                 elementwise; vmax <- max(vmax, v) stands for v if amsgrad

(Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; amsgrad: Reddi et al., "On the
Convergence of Adam and Beyond", 2018.) At t = 1, m^ = g and v^ = g^2, so the first step is lr sign(g), whatever |g| is.

Why the L2 of U2 is not weight decay here. Through U3 and U6 the term lambda w is divided by sqrt(v^) like the rest of
the gradient: a weight whose gradients are large is hardly decayed, and one whose loss gradient is near 0 moves by about
lr sign(w) a step however small lambda is. SGD has no such division, and there the two are one. Decay that is the same
for all weights has to stay outside the moments: the second form of U2 (Loshchilov and Hutter, "Decoupled Weight Decay
Regularization", 2019, algorithm 2, whose decay PyTorch multiplies by lr as well).

PyTorch's counterpart: ``torch.optim.Adam``. Left out: ``foreach``, ``fused``, ``capturable``, ``differentiable``.
"""

from collections.abc import Iterable

import numpy as np

from scratch.checks import name_of
from scratch.kernels.flat_parameters import Block
from scratch.nn.parameter import Parameter
from scratch.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam, with L2 regularization.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize; a dict is a group with options of its own.
    lr : float
        Learning rate: about how far each number moves in a step.
    betas : pair of float
        How much of the running means of g and g^2 stays at each step.
    eps : float
        Added to the denominator.
    weight_decay : float
        lambda.
    amsgrad : bool
        Whether to divide by the largest v so far.
    maximize : bool
        Whether to go up the gradient instead of down.
    decoupled_weight_decay : bool
        Whether the weight decay is `AdamW`'s.

    Raises
    ------
    ValueError
        If an option is out of its domain.

    Examples
    --------
    >>> w = Parameter(np.array([1.0, 1.0]))
    >>> optimizer = Adam([w], lr=0.25)
    >>> w.grad = np.array([1e-3, -1e3])
    >>> optimizer.step()
    >>> w.data.round(4)
    array([0.75, 1.25])
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        for name, value in (("lr", lr), ("eps", eps), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name_of(self)}: expected {name} of 0 or more, got {value}")
        if not all(isinstance(beta, float) and 0 <= beta < 1 for beta in betas):
            raise ValueError(f"{name_of(self)}: expected betas to be floats within [0, 1), got {betas}")
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def update(self, block: Block, t: int, group: dict) -> None:
        """Take a step: U1 to U6."""
        w, g, temp = block.w, block.g, block.temp
        m, v = block.state("exp_avg"), block.state("exp_avg_sq")
        lr, (beta1, beta2), weight_decay = float(group["lr"]), group["betas"], group["weight_decay"]
        if group["maximize"]:
            np.negative(g, out=g)  # U1
        if weight_decay != 0 and group["decoupled_weight_decay"]:
            w *= 1 - lr * weight_decay  # U2, AdamW
        elif weight_decay != 0:
            g += np.multiply(w, weight_decay, out=temp)  # U2, L2
        np.subtract(g, m, out=temp)
        temp *= 1 - beta1
        m += temp  # U3
        g *= g
        g *= 1 - beta2
        v *= beta2
        v += g  # U4
        if group["amsgrad"]:
            v_max = block.state("max_exp_avg_sq")
            np.maximum(v_max, v, out=v_max)
        denominator = np.sqrt(v_max if group["amsgrad"] else v, out=temp)
        denominator /= (1 - beta2**t) ** 0.5  # U5
        denominator += group["eps"]
        change = np.divide(m, denominator, out=temp)
        change *= lr / (1 - beta1**t)  # U5
        w -= change  # U6
