"""Policy gradient and entropy: the losses that `scratch/policy_gradient.py` derives, on autograd.

Read this file beside that one: the forwards are the same, and there are no ``backward`` methods.
"""

import torch

from torch_ref import nn


class PolicyGradientLoss(nn.Module):
    """Mean of the cross-entropy of each drawn action, weighted by its advantage.

    Shapes
    ------
    logits (N, A), actions (N,) of integers in [0, A), advantages (N,) to a scalar.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cross_entropy = nn.CrossEntropyLoss(reduction="none")

    def forward(self, logits: torch.Tensor, actions: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        """Return the loss; the advantages are detached: they get no gradient."""
        losses = self.cross_entropy(logits, actions)
        weighted = advantages.detach() * losses
        return weighted.mean()


class Entropy(nn.Module):
    """Mean entropy of the policies, in nats: 0 where one action is certain, log(A) where all are equally likely.

    Shapes
    ------
    logits (N, A) to a scalar.
    """

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the mean entropy."""
        logp = torch.log_softmax(logits, dim=1)
        p = torch.exp(logp)
        return -(p * logp).sum(dim=1).mean()
