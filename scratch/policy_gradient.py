r"""Policy gradient and entropy: how a network learns which actions to prefer, when nobody tells it which were right.

    N     batch: states that were visited          logits  (N, A)   of the policy in these states
    A     number of actions                        a       (N,)     actions: those that were drawn, a_n ~ p_n
    pi    the policy, pi(k | s_n) = p_nk           w       (N,)     advantages: how much better it went than expected
                                                   y       ()       output

Why a cross-entropy. The expected return J is an average over actions drawn from the policy, and it is the policy that
is differentiated. As d pi = pi d(log pi), the derivative of that average is again an average over drawn actions,

    dJ = sum_k d pi(k | s) w_k = sum_k pi(k | s) w_k d log pi(k | s) = E[ w d log pi(a | s) ],

so it can be estimated from the actions that were drawn (Williams, "Simple statistical gradient-following algorithms
for connectionist reinforcement learning", 1992; Sutton et al., "Policy gradient methods for reinforcement learning
with function approximation", 2000, theorem 1). Going uphill on J is going downhill on the mean of -w log pi(a | s): a
classifier's cross-entropy with the drawn action as its label, each row weighted by its advantage. With w = 1
everywhere it IS the classifier's loss: imitate what was done. With a negative weight: do not.

policy_gradient_loss
    F1  z = logits - max_k logits           (N, A)  leaves F2 as it is, and no exponential can overflow
    F2  logp = z - log sum_k exp z          (N, A)  log softmax: log pi(k | s_n)
    F3  picked = logp[n, a_n]               (N,)    gather: of the drawn action
    F4  costs = -picked                     (N,)    so far a classifier's: see `scratch.nn.cross_entropy`
    F5  weighted = w costs                  (N,)
    F6  y = sum_n weighted / N              ()

    B6  grad_weighted = grad_y / N          ()      F6: each of a mean's N terms has the same share
    B5  grad_costs = w grad_weighted        (N,)    F5: times the other factor. w is a constant here, even where it was
                                                    computed from the critic's values: advantages are DETACHED.
                                                    Otherwise the critic, w = R - V, would be paid for expecting more
                                                    wherever an unlikely action was drawn.
    B4  grad_picked = -grad_costs           (N,)    F4: a sign
    B3  grad_logp = grad_picked at k = a_n,
                    0 elsewhere             (N, A)  F3: a gather becomes a scatter
    B2  grad_z = grad_logp
                 - exp(logp) sum_k grad_logp
                                            (N, A)  F2: every logit is in its row's sum of exponentials
    B1  grad_logits = grad_z                (N, A)  F1: a row of grad_z sums to 0, so the path through max adds 0

    Together, B4 to B1 are grad_logits = grad_costs (p - onehot(a)), the classifier's gradient.

entropy, to keep the policy from settling before it has tried everything
    F1  z = logits - max_k logits           (N, A)  as above
    F2  logp = z - log sum_k exp z          (N, A)
    F3  p = exp(logp)                       (N, A)
    F4  entropies = -sum_k p logp           (N,)
    F5  y = sum_n entropies / N             ()

    B5  grad_entropies = grad_y / N         ()      F5: a mean
    B2  grad_z = -grad_entropies p
                 (logp - sum_k p logp)      (N, A)  F4 to F2, put together below: a row of p sums to 1
    B1  grad_logits = grad_z                (N, A)  F1: as above

    Step by step, F4 is a product: grad_p = -grad_entropies logp. logp is used twice, as the other factor and by p:
    grad_logp = -grad_entropies p + grad_p p. Every logit is in its row's sum of exponentials: grad_z = grad_logp -
    p sum_k grad_logp. A row of p sums to 1, so that sum is -grad_entropies (1 + sum_k p logp); the 1 cancels, and with
    it the digits that the steps would lose. Each logit is drawn towards the mean of logp; where all are equal the
    gradient is 0: no entropy is greater.

The entropy is a bonus: a loss SUBTRACTS it (Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016,
section 4, after Williams and Peng, 1991).

PyTorch's counterpart: none in ``torch.nn``; ``torch_ref/policy_gradient.py`` writes the forwards with its functions.
"""

from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype
from scratch.nn.nll import check_class_indices, flat_indices
from scratch.nn.reduction import Loss


def policy_gradient_loss(logits: np.ndarray, actions: np.ndarray, advantages: np.ndarray) -> tuple[Any, tuple]:
    """Return the mean of the drawn actions' cross-entropies, weighted by their advantages."""
    z = logits - logits.max(axis=1, keepdims=True)  # F1 (N, A)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F2 (N, A)
    picked = logp[np.arange(len(logp)), actions]  # F3 (N,)
    costs = -picked  # F4 (N,)
    weighted = advantages * costs  # F5 (N,)
    y = weighted.sum() / len(weighted)  # F6 ()
    return y, (logp, actions, advantages)


def policy_gradient_loss_backward(grad_y: Any, saved: tuple) -> np.ndarray:
    """Undo `policy_gradient_loss`."""
    logp, actions, advantages = saved
    grad_weighted = grad_y / len(advantages)  # B6 ()
    grad_costs = advantages * grad_weighted  # B5 (N,)
    grad_picked = -grad_costs  # B4 (N,)
    grad_logp = np.where(np.arange(logp.shape[1]) == actions[:, None], grad_picked[:, None], 0)  # B3 (N, A)
    grad_z = grad_logp - np.exp(logp) * grad_logp.sum(axis=1, keepdims=True)  # B2 (N, A)
    grad_logits = grad_z  # B1 (N, A)
    return grad_logits


def entropy(logits: np.ndarray) -> tuple[Any, tuple]:
    """Return the mean entropy of the softmax of each row of logits."""
    z = logits - logits.max(axis=1, keepdims=True)  # F1 (N, A)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F2 (N, A)
    p = np.exp(logp)  # F3 (N, A)
    entropies = -(p * logp).sum(axis=1)  # F4 (N,)
    y = entropies.sum() / len(entropies)  # F5 ()
    return y, (logp, p)


def entropy_backward(grad_y: Any, saved: tuple) -> np.ndarray:
    """Undo `entropy`."""
    logp, p = saved
    grad_entropies = grad_y / len(p)  # B5 ()
    grad_z = -grad_entropies * p * (logp - (p * logp).sum(axis=1, keepdims=True))  # B2 (N, A)
    grad_logits = grad_z  # B1 (N, A)
    return grad_logits


class PolicyGradientLoss(Loss):
    """Mean of the cross-entropy of each drawn action, weighted by its advantage.

    Shapes
    ------
    logits (N, A), actions (N,) of integers in [0, A), advantages (N,) to a scalar. ``backward`` returns (N, A).

    Raises
    ------
    RuntimeError
        If there is no row (PyTorch's mean would be NaN), or not one advantage per row, of the logits' dtype.

    Examples
    --------
    The first action went better than expected, the second worse. An optimizer steps against the gradient, so it raises
    the logit of the first, whose gradient is negative, and lowers that of the second.

    >>> loss = PolicyGradientLoss()
    >>> logits = np.zeros((2, 2))
    >>> round(float(loss(logits, np.array([0, 1]), np.array([2.0, -1.0]))), 4)
    0.3466
    >>> loss.backward()
    array([[-0.5 ,  0.5 ],
           [-0.25,  0.25]])
    """

    functions = policy_gradient_loss, policy_gradient_loss_backward
    inputs = 3

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: np.ndarray, actions: np.ndarray, advantages: np.ndarray) -> Any:  # type: ignore[override]
        """Return the loss; backward returns the logits' gradient, and the advantages get none."""
        check_array(self, logits, "logits")
        check_dtype(self, advantages, logits.dtype, "advantages")
        if logits.ndim != 2 or len(logits) == 0 or advantages.shape != logits.shape[:1]:
            raise RuntimeError(
                "PolicyGradientLoss: expected logits of shape (N, A), N of 1 or more, and advantages of shape (N,), "
                f"got {logits.shape} and {advantages.shape}"
            )
        check_class_indices(self, logits, actions, name="actions")
        return self.run(self.functions, logits, flat_indices(actions), advantages)[0]


class Entropy(Loss):
    """Mean entropy of the policies, in nats: 0 where one action is certain, log(A) where all are equally likely.

    Shapes
    ------
    logits (N, A) to a scalar. ``backward`` returns (N, A).

    Raises
    ------
    RuntimeError
        If the logits are not of shape (N, A), or there is no row.

    Examples
    --------
    >>> entropy = Entropy()
    >>> round(float(entropy(np.array([[0.0, 0.0]]))), 4)
    0.6931
    >>> bool(np.all(entropy.backward() == 0))
    True
    """

    functions = entropy, entropy_backward

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: np.ndarray) -> Any:  # type: ignore[override]
        """Return the mean entropy."""
        check_array(self, logits, "logits")
        if logits.ndim != 2 or len(logits) == 0:
            raise RuntimeError(f"Entropy: expected logits of shape (N, A), N of 1 or more, got {logits.shape}")
        return self.run(self.functions, logits)[0]
