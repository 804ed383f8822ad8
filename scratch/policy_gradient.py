r"""Policy gradient and entropy: how a network learns which actions to prefer, when nobody tells it which were right.

    N     batch: states that were met              z  (N, A)   logits of the policy in these states
    A     number of actions                        a  (N,)     the actions that were drawn, a_n ~ p_n
    pi    the policy, pi(k | s_n) = p_nk           w  (N,)     their advantages: how much better it went than expected
    H     entropy of the policy                    L  the loss, a scalar; g = dL/d(output)

Why a cross-entropy. The expected return J is an average over actions drawn from the policy, and it is the policy that
is differentiated. As d pi = pi d(log pi), the derivative of that average is again an average over drawn actions,

    dJ = sum_k d pi(k | s) w_k = sum_k pi(k | s) w_k d log pi(k | s) = E[ w d log pi(a | s) ],

so it can be estimated from the actions that were drawn (Williams, "Simple statistical gradient-following algorithms
for connectionist reinforcement learning", 1992; Sutton et al., "Policy gradient methods for reinforcement learning
with function approximation", 2000, theorem 1). Going uphill on J is going downhill on the mean of -w log pi(a | s): a
classifier's cross-entropy with the drawn action as its label, each row weighted by its advantage. With w = 1
everywhere it IS the classifier's loss: imitate what was done. With a negative weight: do not.

Policy gradient
    F1  c_n = -log softmax(z_n)[a_n]     (N,)     cross-entropy, the row's own
    F2  l_n = w_n c_n                    (N,)
    F3  L = 1/N sum_n l_n                ()

    B1  grad_l = g / N                   (N,)     F3: a mean hands each of its N terms an equal share
    B2  grad_c = w grad_l                (N,)     F2: a product; w is a constant here, even where w was computed from
                                                  the critic's values: advantages are DETACHED. Otherwise the
                                                  critic, w = R - V, would be paid for expecting more wherever
                                                  an unlikely action was drawn.
    B3  grad_z = grad_c (p - onehot(a))  (N, A)   F1: cross-entropy's own backward, derived where it is written

Entropy, to keep the policy from settling before it has tried everything
    F1  logp = z - log sum_k exp(z_k)    (N, A)
    F2  p = exp(logp)                    (N, A)
    F3  H_n = -sum_k p_nk logp_nk        (N,)
    F4  H = 1/N sum_n H_n                ()

    B1  grad_H_n = g / N                 (N, 1)   F4: a mean
    B2  grad_p = -grad_H_n logp          (N, A)   F3: a product, in its first factor
    B3  grad_logp = -grad_H_n p          (N, A)   F3: in its second factor,
                    + grad_p p           (N, A)   F2: and through p: d exp = exp; used twice becomes an addition
    B4  grad_z = grad_logp - p sum_k grad_logp_k  F1: the log-softmax; every logit is in the row's sum of exponentials

    In one line: the p_k sum to 1, so B3's row sum is grad_H_n (H_n - 1), and B4 becomes -grad_H_n p (logp + H_n). In
    logp + H_n the logarithm of F1 drops out, and with it two large numbers that nearly cancel:

    B2 to B4  grad_z = -grad_H_n p (z - sum_k p_k z_k)

    Each logit is drawn towards the policy's mean logit. Where all are equal the gradient is 0: no entropy is greater.

The entropy is a bonus: a loss SUBTRACTS it (Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016,
section 4, after Williams and Peng, 1991).

PyTorch's counterpart: none in ``torch.nn``; ``torch_ref/policy_gradient.py`` writes the forwards on its functions.
"""

import numpy as np

from scratch import nn
from scratch.checks import check_array, check_dtype, check_scalar_grad_output


class PolicyGradientLoss(nn.Module):
    """Mean of the cross-entropy of each drawn action, weighted by its advantage.

    Shapes
    ------
    logits (N, A), actions (N,) of integers in [0, A), advantages (N,) to a scalar. ``backward`` returns (N, A).

    Raises
    ------
    RuntimeError
        If there is no row (PyTorch's mean would be NaN), or the advantages are not one a row, of the logits' dtype.

    Examples
    --------
    The first action went better than expected, the second worse; the logits' gradient raises the one (its gradient is
    negative, and an optimizer goes against it) and lowers the other.

    >>> loss = PolicyGradientLoss()
    >>> logits = np.zeros((2, 2))
    >>> round(float(loss(logits, np.array([0, 1]), np.array([2.0, -1.0]))), 4)
    0.3466
    >>> loss.backward()
    array([[-0.5 ,  0.5 ],
           [-0.25,  0.25]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.cross_entropy = nn.CrossEntropyLoss(reduction="none")

    def forward(self, logits: np.ndarray, actions: np.ndarray, advantages: np.ndarray) -> np.floating:
        """Return the loss."""
        check_array(self, logits, "logits")
        check_dtype(self, advantages, logits.dtype, "advantages")
        if logits.ndim != 2 or len(logits) == 0 or advantages.shape != logits.shape[:1]:
            raise RuntimeError(
                "PolicyGradientLoss: expected logits of shape (N, A), N of 1 or more, and advantages of shape (N,), "
                f"got {logits.shape} and {advantages.shape}"
            )
        losses = self.cross_entropy(logits, actions)  # F1 (N,)
        weighted = advantages * losses  # F2 (N,)
        self.save_for_backward(advantages=advantages)
        return weighted.mean()  # F3 ()

    def backward(self, grad_output: float = 1.0) -> np.ndarray:
        """Return the gradient with respect to the logits; the advantages get none."""
        advantages = self.saved("advantages")
        check_scalar_grad_output(self, grad_output)
        grad_weighted = np.full_like(advantages, grad_output / len(advantages))  # B1 (N,)
        grad_losses = advantages * grad_weighted  # B2 (N,)
        return self.cross_entropy.backward(grad_losses)  # B3 (N, A)


class Entropy(nn.Module):
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

    @np.errstate(invalid="ignore")
    def forward(self, logits: np.ndarray) -> np.floating:
        """Return the mean entropy."""
        check_array(self, logits, "logits")
        if logits.ndim != 2 or len(logits) == 0:
            raise RuntimeError(f"Entropy: expected logits of shape (N, A), N of 1 or more, got {logits.shape}")
        z = logits - logits.max(axis=1, keepdims=True)  # the softmax does not see it, and exp cannot overflow
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F1 (N, A)
        p = np.exp(logp)  # F2 (N, A)
        entropies = -(p * logp).sum(axis=1)  # F3 (N,)
        self.save_for_backward(p=p, z=z)
        return entropies.mean()  # F4 ()

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: float = 1.0) -> np.ndarray:
        """Return the gradient with respect to the logits."""
        p, z = self.saved("p", "z")
        check_scalar_grad_output(self, grad_output)
        grad_entropies = np.full_like(p[:, :1], grad_output / len(p))  # B1 (N, 1)
        return -grad_entropies * p * (z - (p * z).sum(axis=1, keepdims=True))  # B2 to B4 (N, A)


def entropy_backward_stepwise(logits: np.ndarray, grad_output: float = 1.0) -> np.ndarray:
    """Return what ``Entropy.backward`` returns, a statement for each B: the literal version, held to it by a test."""
    logp = nn.LogSoftmax(dim=1)(logits)
    p = np.exp(logp)
    grad_entropies = np.full_like(p[:, :1], grad_output / len(p))  # B1 (N, 1)
    grad_p = -grad_entropies * logp  # B2 (N, A)
    grad_logp = -grad_entropies * p + grad_p * p  # B3 (N, A)
    return grad_logp - p * grad_logp.sum(axis=1, keepdims=True)  # B4 (N, A)
