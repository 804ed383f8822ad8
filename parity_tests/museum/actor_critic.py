"""Reinforcement learning: two heads on a backbone, and the losses of a policy."""

import numpy as np
import torch

import torch_ref.actor_critic
import torch_ref.models
import torch_ref.policy_gradient
from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.actor_critic import ActorCriticLoss
from scratch.models import ActorCritic
from scratch.policy_gradient import (
    Entropy,
    PolicyGradientLoss,
    entropy,
    policy_gradient_loss,
    policy_gradient_loss_backward,
)

STATES, LOGITS, VALUES = array((5, 4)), array((5, 3)), array((5,), seed=1)
ACTIONS = np.array([2, 0, 0, 1, 2])
ADVANTAGES, RETURNS = array((5,), seed=2), array((5,), seed=3)


class Agent(ActorCritic):
    """The right one, on a linear backbone."""

    def __init__(self, dtype=np.float32):
        super().__init__(nn.Linear(4, 6, dtype=dtype), 6, 3, dtype=dtype)


def torch_agent():
    """Return PyTorch's agent."""
    return torch_ref.models.ActorCritic(torch.nn.Linear(4, 6), 6, 3)


@layer(STATES, torch=torch_agent, of="ActorCritic", caught="torch differences laws", passes_ones=False)
class OneHeadsGradientLost(Agent):
    """The backbone has two paths to the loss; only the policy's gradient reaches it.

    The critic has to use features that are not trained for it: its loss stays high, and so does the policy's variance.
    """

    def backward(self, grad_logits, grad_values):
        self.value.backward(grad_values)
        return self.backbone.backward(self.policy.backward(grad_logits))


class Loss(ActorCriticLoss):
    """The right one, with weights that show."""

    def __init__(self):
        super().__init__(nn.MSELoss(), 0.5, 0.3)


def torch_loss():
    """Return PyTorch's loss."""
    return torch_ref.actor_critic.ActorCriticLoss(torch.nn.MSELoss(), 0.5, 0.3)


TRANSITIONS = (LOGITS, VALUES, ACTIONS, ADVANTAGES, RETURNS)
rl_loss = {"torch": torch_loss, "of": "ActorCriticLoss", "plain": TRANSITIONS}


@layer(*TRANSITIONS, **rl_loss, caught="torch differences laws", passes_ones=False)
class AdvantageNotDetached(Loss):
    """The advantage R - v is a constant in the policy's loss; here its gradient goes into the critic as well.

    The critic learns to make the policy's actions look good, not to predict returns: its values drift off.
    """

    def forward(self, logits, values, actions, advantages, returns):
        self.costs = nn.CrossEntropyLoss(reduction="none")(logits, actions)
        return super().forward(logits, values, actions, advantages, returns)

    def backward(self, grad_output=1.0):
        grad_logits, grad_values = super().backward(grad_output)
        return grad_logits, grad_values - grad_output * self.costs / len(self.costs)


@layer(*TRANSITIONS, **rl_loss, caught="torch differences laws", passes_ones=False)
class EntropyPunished(Loss):
    """The entropy is a bonus, subtracted from the loss; backward loses its gradient's sign.

    The policy settles on the first action that worked, and never tries another.
    """

    def backward(self, grad_output=1.0):
        grad_values = self.value.backward(self.value_weight * grad_output)
        return (
            self.policy.backward(grad_output) + self.entropy.backward(self.entropy_weight * grad_output),
            grad_values,
        )


def _advantage_forgotten_backward(grad_y, saved):
    logp, actions, advantages = saved
    return policy_gradient_loss_backward(grad_y, (logp, actions, np.ones_like(advantages)))


@layer(
    LOGITS,
    ACTIONS,
    ADVANTAGES,
    torch=torch_ref.policy_gradient.PolicyGradientLoss,
    plain=(LOGITS, ACTIONS, ADVANTAGES),
    caught="torch differences laws",
    passes_ones=False,
)
class AdvantageForgotten(PolicyGradientLoss):
    """backward forgets each row's weight, the advantage: every action is imitated, the bad ones too.

    The policy becomes certain of whatever it did first.
    """

    functions = policy_gradient_loss, _advantage_forgotten_backward


def _log_softmax_forgotten_backward(grad_y, saved):
    logp, p = saved
    return -grad_y / len(p) * p * (logp + 1)


@layer(
    LOGITS, torch=torch_ref.policy_gradient.Entropy, plain=(LOGITS,), caught="torch differences laws", passes_ones=False
)
class LogSoftmaxForgotten(Entropy):
    """The probabilities come from a softmax, which depends on every logit of the row; its backward is left out.

    All logits are pushed the same way, on top of a gradient that is half right.
    """

    functions = entropy, _log_softmax_forgotten_backward
