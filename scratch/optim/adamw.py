"""AdamW: Adam, with weight decay that shrinks every weight by the same factor 1 - lr lambda a step.

The letters are those of `scratch.optim.adam`, which also explains why L2 regularization is not weight decay in Adam.

    U1  shrunk = w (1 - lr lambda)           (...)   the decay stays outside of g, and so of m and v
    U2  w_next, m_next, v_next, v_max_next   (...)   = adam(shrunk, ...), where lambda is 0: Adam's U1 to U8

(Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, whose decay PyTorch multiplies by
lr as well.) Note that ``weight_decay`` is 0.01 by default here, and 0 in Adam.

PyTorch's counterpart: ``torch.optim.AdamW``.
"""

import numpy as np

from scratch.optim.adam import Adam, adam
from scratch.optim.optimizer import Params, Rule


def adamw(
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
    shrunk = w * (1 - lr * weight_decay)  # U1 (...)
    w_next, m_next, v_next, v_max_next = adam(
        shrunk, g, m, v, v_max, t, lr=lr, betas=betas, eps=eps, weight_decay=0, amsgrad=amsgrad, maximize=maximize
    )  # U2 (...)
    return w_next, m_next, v_next, v_max_next


class AdamW(Adam):
    """Adam with decoupled weight decay. Parameters and errors are `Adam`'s.

    Examples
    --------
    >>> from scratch.nn import Parameter
    >>> w = Parameter(np.array([1.0]))
    >>> optimizer = AdamW([w], lr=0.25, weight_decay=0.5)
    >>> w.grad = np.array([0.0])
    >>> optimizer.step()
    >>> w.data.tolist()
    [0.875]
    """

    rule = adamw

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)

    def rule_of(self, options: dict) -> Rule:
        """Return the class's rule: the decay is always decoupled."""
        return type(self).rule

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, as `Optimizer` does; also one of `Adam`'s, whose weight decay becomes decoupled."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
