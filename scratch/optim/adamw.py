"""AdamW: Adam, with weight decay that shrinks every weight by the same factor 1 - lr lambda a step.

The algorithm, and why this is not the L2 of `Adam`, is in `scratch.optim.adam`: of its two forms of U2, AdamW takes the
second (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019). Note the other default of
``weight_decay``, 0.01.

PyTorch's counterpart: ``torch.optim.AdamW``. Left out: ``foreach``, ``fused``, ``capturable``, ``differentiable``.
"""

from collections.abc import Iterable

from scratch.nn.parameter import Parameter
from scratch.optim.adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay. Parameters and errors are `Adam`'s.

    Examples
    --------
    >>> import numpy as np
    >>> w = Parameter(np.array([1.0]))
    >>> optimizer = AdamW([w], lr=0.25, weight_decay=0.5)
    >>> w.grad = np.array([0.0])
    >>> optimizer.step()
    >>> w.data.tolist()
    [0.875]
    """

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[dict],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over a state, as `Optimizer` does; one of `Adam`'s too, whose weight decay becomes decoupled."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
