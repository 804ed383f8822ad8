"""Advantage actor-critic: one loss for a policy and its critic, and the update that reduces it.

    F1  policy  = mean of w_n (-log pi(a_n | s_n))   `PolicyGradientLoss`: do more of what went better than expected
    F2  value   = mean of error(v_n, R_n)            the critic's regression on the returns R, squared or Huber
    F3  entropy = mean of H(pi( | s_n))              `Entropy`: keep trying
    F4  y = policy + c_v value - c_e entropy

    B4a grad_policy = grad_y                                   ()     F4: a sum passes its gradient on
    B4b grad_value = c_v grad_y                                ()     F4: times the other factor
    B4c grad_entropy = -c_e grad_y                             ()     F4: likewise
    B2  grad_values = value.backward(grad_value)               (N,)   F2
    B1  grad_logits = policy.backward(grad_policy)
                      + entropy.backward(grad_entropy)         (N, A) F1 and F3: the logits are used twice: an addition

The model computes one gradient for its shared features from grad_logits and grad_values: see ``ActorCritic.backward``
in ``scratch/models.py``.

Read this file beside ``torch_ref/actor_critic.py``: where this one calls the backward of the loss and then of the
model, that one says ``loss.backward()``.

Source: Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016, section 4; the synchronous version is
known as A2C.
"""

from typing import Any, NamedTuple

import numpy as np

from scratch import nn
from scratch.checks import check_scalar_grad_output
from scratch.dispatch import quiet
from scratch.grad_mode import no_grad
from scratch.models import ActorCritic
from scratch.nn.reduction import check_not_the_loss
from scratch.optim.optimizer import Optimizer
from scratch.policy_gradient import Entropy, PolicyGradientLoss


class Terms(NamedTuple):
    """What an update measured: the loss, its three unweighted terms, and the norm of the gradient before clipping."""

    loss: float
    policy: float
    value: float
    entropy: float
    grad_norm: float


class ActorCriticLoss(nn.Module):
    """Policy gradient, plus the critic's regression, minus an entropy bonus.

    Parameters
    ----------
    value_criterion : Module
        The regression's loss: ``nn.MSELoss()`` or ``nn.HuberLoss()``.
    value_weight, entropy_weight : float
        The factors c_v and c_e.

    Shapes
    ------
    logits (N, A), values (N,), actions (N,), advantages (N,), returns (N,) to a scalar. ``backward`` returns the
    gradients of the logits, (N, A), and of the values, (N,).
    """

    def __init__(self, value_criterion: nn.Module, value_weight: float = 0.5, entropy_weight: float = 0.01) -> None:
        super().__init__()
        self.policy, self.value, self.entropy = PolicyGradientLoss(), value_criterion, Entropy()
        self.value_weight, self.entropy_weight = value_weight, entropy_weight
        self._loss: Any = None

    @quiet
    def forward(
        self,
        logits: np.ndarray,
        values: np.ndarray,
        actions: np.ndarray,
        advantages: np.ndarray,
        returns: np.ndarray,
    ) -> Any:
        """Return the loss; its terms are kept in ``terms``."""
        policy = self.policy(logits, actions, advantages)  # F1 ()
        value = self.value(values, returns)  # F2 ()
        entropy = self.entropy(logits)  # F3 ()
        y = policy + self.value_weight * value - self.entropy_weight * entropy  # F4 ()
        self.terms = (policy, value, entropy)
        self._loss = y
        return y

    @quiet
    def backward(self, grad_output: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients with respect to the logits and to the values."""
        check_not_the_loss(self, grad_output, self._loss)
        check_scalar_grad_output(self, grad_output)
        grad_policy = grad_output  # B4a ()
        grad_value = self.value_weight * grad_output  # B4b ()
        grad_entropy = -self.entropy_weight * grad_output  # B4c ()
        grad_values = self.value.backward(grad_value)  # B2 (N,)
        grad_logits = self.policy.backward(grad_policy) + self.entropy.backward(grad_entropy)  # B1 (N, A)
        return grad_logits, grad_values


def update(
    model: ActorCritic,
    criterion: ActorCriticLoss,
    optimizer: Optimizer,
    states: np.ndarray,
    actions: np.ndarray,
    advantages: np.ndarray,
    returns: np.ndarray,
    *,
    max_norm: float = 0.5,
) -> Terms:
    """Take one step on a batch of transitions.

    Parameters
    ----------
    model, criterion, optimizer
        An `ActorCritic`, its loss and its optimizer.
    states : numpy.ndarray
        Shape (N, ...).
    actions : numpy.ndarray of integers
        Shape (N,): what was done in these states.
    advantages, returns : numpy.ndarray
        Shape (N,): how much better it went than the critic expected, and how well it went.
    max_norm : float
        If the gradient of all parameters together has a larger norm, it is scaled down to this one.

    Returns
    -------
    Terms
    """
    logits, values = model(states)
    loss = criterion(logits, values, actions, advantages, returns)
    optimizer.zero_grad()
    grad_logits, grad_values = criterion.backward()
    model.backward(grad_logits, grad_values)
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return Terms(*[float(number) for number in (loss, *criterion.terms, grad_norm)])


def predict(model: ActorCritic, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of the actions, (N, A), and the values, (N,), of states of shape (N, ...)."""
    with no_grad():
        features = model.backbone(states)
        return model.policy.probabilities(features), model.value(features)
