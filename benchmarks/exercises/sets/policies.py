"""Rows that are looked up, a shortcut, and a policy with its critic."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, FindMethod, Method, Write


def _detached() -> tuple[object, list[str]]:
    from scratch.policy_gradient import policy_gradient_loss, policy_gradient_loss_backward

    logits, actions = np.zeros((2, 2)), np.array([0, 0])
    lines = ["Two states, both actions equally likely, action 0 was drawn in both. Gradient of the logits:"]
    _, saved = policy_gradient_loss(logits, actions, np.array([2.0, -1.0]))
    grad = policy_gradient_loss_backward(1.0, saved)
    lines += [f"advantage  2: {grad[0]}", f"advantage -1: {grad[1]}"]
    answer = "b" if grad[1, 0] > 0 > grad[0, 0] else "a"
    return answer, [*lines, "An optimizer goes against the gradient: up with what went better than expected."]


def _uniform() -> tuple[object, list[str]]:
    from scratch.policy_gradient import entropy, entropy_backward

    y, saved = entropy(np.zeros((1, 4)))
    grad = np.abs(entropy_backward(1.0, saved))
    lines = [f"entropy = {y:.4f} = log(4)", f"grad_logits = {grad[0]}"]
    return float(grad.max()), [*lines, "No entropy is greater: a maximum, where the gradient is 0."]


BOTH_HEADS = (
    "\n\n        Both heads read the features, so the loss depends on them along two paths, and the gradients add."
    "\n        ",
    "",
)
"""The lines of a docstring that would give the answer away."""

EXERCISES = (
    Write(
        "embedding",
        "a row for each index",
        "Embedding",
        "An index may occur several times; grad_weight[x] += ... would add the last one only. The indices have no "
        "gradient: None is returned for them. `learns` is False where the index is that of the padding.",
        module="scratch.nn.embedding",
        function="embedding",
    ),
    Find(
        "embedding_mistake",
        "frequent words learn slowly",
        "Embedding",
        "A word learns from one of its places in the batch.",
        module="scratch.nn.embedding",
        function="embedding",
        exhibit="RepeatsOverwritten",
        label="B2b",
        wrong="grad_weight[x] += np.where(learns[..., None], grad_y, 0)",
    ),
    Write(
        "skip",
        "a shortcut",
        "Skip",
        "A residual block adds its input to what a layer makes of it. x is used twice. What does this mean for a "
        "gradient that would vanish in the layer?",
        module="benchmarks.exercises.skip",
        function="skip",
    ),
    Write(
        "policy_gradient",
        "a classifier with weights",
        "PolicyGradientLoss",
        "The loss of the drawn actions, each weighted by its advantage, how much better it went than expected. The "
        "advantages are constants.",
        module="scratch.policy_gradient",
        function="policy_gradient_loss",
    ),
    Explain(
        "advantages",
        "which way a policy goes",
        "PolicyGradientLoss",
        "An action was drawn, and its advantage is negative: it went worse than expected. What does a step of gradient "
        "descent on the policy gradient loss do to the logit of this action?",
        choices=("it raises it", "it lowers it", "nothing: only positive advantages count", "it sets it to 0"),
        compute=_detached,
        hints=("A classifier's gradient is (p - onehot(a)), times the advantage.",),
    ),
    Find(
        "policy_mistake",
        "certain of whatever it did first",
        "PolicyGradientLoss",
        "The loss is right. The policy imitates every action that it tried, the bad ones too.",
        module="scratch.policy_gradient",
        function="policy_gradient_loss",
        exhibit="AdvantageForgotten",
        label="B5",
        wrong="grad_costs = np.ones_like(advantages) * grad_weighted",
    ),
    Write(
        "entropy",
        "keep trying",
        "Entropy",
        "From the mean of the entropies to the logits. Step by step through p and logp, or put together: what cancels?",
        module="scratch.policy_gradient",
        function="entropy",
    ),
    Explain(
        "largest_entropy",
        "the gradient at equal odds",
        "Entropy",
        "A policy has four actions, all equally likely. How large is the largest element of |grad_logits|, the "
        "gradient of its entropy?",
        compute=_uniform,
        hints=("Is there a policy with a larger entropy?",),
    ),
    Method(
        "actor_critic_loss",
        "a loss of three terms",
        "ActorCriticLoss",
        "policy + c_v value - c_e entropy. `self.value.backward(g)` undoes the critic's regression for the upstream "
        "gradient g; likewise `self.policy` and `self.entropy`, which both read the logits.",
        module="scratch.actor_critic",
        function="ActorCriticLoss",
        replaces=(
            ("grad_policy = grad_output  # B4a ()", "grad_policy = ...  # ()"),
            ("grad_value = self.value_weight * grad_output  # B4b ()", "grad_value = ...  # ()"),
            ("grad_entropy = -self.entropy_weight * grad_output  # B4c ()", "grad_entropy = ...  # ()"),
            ("grad_values = self.value.backward(grad_value)  # B2 (N,)", "grad_values = ...  # (N,)"),
            (
                "grad_logits = self.policy.backward(grad_policy) + self.entropy.backward(grad_entropy)  # B1 (N, A)",
                "grad_logits = ...  # (N, A)",
            ),
        ),
        told=(
            "F4 is a sum: what is the factor of each of the three terms?",
            "The gradient of a term is that factor times grad_output. The entropy's is negative: it is a bonus.",
            "The logits go into the policy's loss and into the entropy: their gradients add.",
        ),
    ),
    Method(
        "actor_critic",
        "two heads on one backbone",
        "ActorCritic",
        "A policy and a critic read the same features. Both have a backward; so has the backbone.",
        module="scratch.models",
        function="ActorCritic",
        replaces=(
            (
                "grad_features = self.policy.backward(grad_logits) + self.value.backward(grad_values)",
                "grad_features = ...  # (N, features)",
            ),
            BOTH_HEADS,
        ),
        told=(
            "How many paths lead from the features to the loss?",
            "Used twice becomes an addition: each head's backward returns its share.",
        ),
    ),
    FindMethod(
        "actor_critic_mistake",
        "a critic that stays bad",
        "ActorCritic",
        "Both heads learn. Still the critic's loss stays high, as if nobody made features for it.",
        module="scratch.models",
        function="ActorCritic",
        replaces=(
            (
                "grad_features = self.policy.backward(grad_logits) + self.value.backward(grad_values)",
                "self.value.backward(grad_values)\n        grad_features = self.policy.backward(grad_logits)",
            ),
            BOTH_HEADS,
        ),
        told=(
            "Which gradients are computed, and which of them reach the backbone?",
            "What a backward returns is the gradient of its input. Is every one of them used?",
        ),
        exhibit="OneHeadsGradientLost",
    ),
)
