"""Advantage actor-critic: one loss for a policy and its critic, and the update that reduces it.

Read this file beside ``scratch/actor_critic.py``: where that one calls the backward of the loss and then of the model,
this one says ``loss.backward()``.
"""

from typing import NamedTuple

import torch

from torch_ref import nn
from torch_ref.models import ActorCritic
from torch_ref.policy_gradient import Entropy, PolicyGradientLoss


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
    logits (N, A), values (N,), actions (N,), advantages (N,), returns (N,) to a scalar.
    """

    def __init__(self, value_criterion: nn.Module, value_weight: float = 0.5, entropy_weight: float = 0.01) -> None:
        super().__init__()
        self.policy, self.value, self.entropy = PolicyGradientLoss(), value_criterion, Entropy()
        self.value_weight, self.entropy_weight = value_weight, entropy_weight

    def forward(
        self,
        logits: torch.Tensor,
        values: torch.Tensor,
        actions: torch.Tensor,
        advantages: torch.Tensor,
        returns: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss; its terms are kept in ``terms``."""
        policy = self.policy(logits, actions, advantages)
        value = self.value(values, returns)
        entropy = self.entropy(logits)
        self.terms = (policy.detach(), value.detach(), entropy.detach())
        return policy + self.value_weight * value - self.entropy_weight * entropy


def update(
    model: nn.Module,
    criterion: ActorCriticLoss,
    optimizer: torch.optim.Optimizer,
    states: torch.Tensor,
    actions: torch.Tensor,
    advantages: torch.Tensor,
    returns: torch.Tensor,
    *,
    max_norm: float = 0.5,
) -> Terms:
    """Take one step on a batch of transitions.

    Parameters
    ----------
    model, criterion, optimizer
        An `ActorCritic`, its loss and its optimizer.
    states : torch.Tensor
        Shape (N, ...).
    actions : torch.Tensor of integers
        Shape (N,): what was done in these states.
    advantages, returns : torch.Tensor
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
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return Terms(*[float(number) for number in (loss.detach(), *criterion.terms, grad_norm)])


@torch.no_grad()
def predict(model: ActorCritic, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the probabilities of the actions, (N, A), and the values, (N,), of states of shape (N, ...)."""
    features = model.backbone(states)
    return model.policy.probabilities(features), model.value(features)
