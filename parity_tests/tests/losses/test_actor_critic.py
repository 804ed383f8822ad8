"""Reinforcement learning against PyTorch: two heads on one backbone, their losses, and the update."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import torch_ref
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from scratch import actor_critic, models, nn, policy_gradient
from torch_ref import actor_critic as torch_actor_critic
from torch_ref import models as torch_models
from torch_ref import policy_gradient as torch_policy_gradient

STATE, HIDDEN, ACTIONS = 4, 7, 3


def actor_critic_of(engine, dtype):
    backbone = engine.nn.Sequential(
        engine.nn.Linear(STATE, HIDDEN, dtype=dtype), engine.nn.Tanh(), engine.nn.Linear(HIDDEN, HIDDEN, dtype=dtype)
    )
    return engine.models.ActorCritic(backbone, HIDDEN, ACTIONS, dtype=dtype)


def drawn(n, seed, dtype="float64"):
    """Return a batch of states, actions, advantages and returns."""
    actions = np.random.default_rng(seed).integers(0, ACTIONS, n)
    return (
        array((n, STATE), dtype, seed),
        actions,
        array((n,), dtype, seed + 1),
        array((n,), dtype, seed + 2),
    )


# The models.


@given(n=st.integers(1, 5), dtype=dtypes, layout=layouts, seed=seeds)
def test_random_gradients_into_both_heads_at_once_give_torchs_in_the_backbone(n, dtype, layout, seed):
    model = random_state(actor_critic_of(scratch, dtype), seed)
    x = array((n, STATE), dtype, seed, layout)
    check(model, actor_critic_of(torch_ref, getattr(torch, dtype)), x, seed=seed).raise_if_different()


class Joined(nn.Module):
    """The logits and the value side by side in one array, for finite differences."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        logits, values = self.model(x)
        return np.concatenate([logits, values[:, None]], axis=1)

    def backward(self, grad_output):
        return self.model.backward(grad_output[:, :-1].copy(), grad_output[:, -1].copy())


def test_both_heads_at_once_agree_with_finite_differences():
    check(Joined(random_state(actor_critic_of(scratch, "float64"))), None, array((3, STATE))).raise_if_different()


def test_the_backbones_gradient_is_the_sum_of_what_each_head_alone_sends():
    model = random_state(actor_critic_of(scratch, np.float64))
    x, grad_logits, grad_values = array((5, STATE)), array((5, ACTIONS), seed=1), array((5,), seed=2)

    def backbone_grads(of_logits, of_values):
        model.zero_grad()
        model(x)
        grad_x = model.backward(of_logits, of_values)
        return [grad_x, *(parameter.grad for parameter in model.backbone.parameters())]

    both = backbone_grads(grad_logits, grad_values)
    policy, value = backbone_grads(grad_logits, 0 * grad_values), backbone_grads(0 * grad_logits, grad_values)
    for together, one, other in zip(both, policy, value, strict=True):
        assert min(np.abs(one).max(), np.abs(other).max()) > 0.01
        np.testing.assert_allclose(together, one + other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nature_encoder_with_both_heads_is_torchs(dtype):
    model = models.ActorCritic(models.NatureEncoder(dtype=dtype), 512, 6, dtype=dtype)
    torch_dtype = getattr(torch, dtype)
    reference = torch_models.ActorCritic(torch_models.NatureEncoder(dtype=torch_dtype), 512, 6, dtype=torch_dtype)
    frames = np.random.default_rng(0).uniform(0, 1, (2, 4, 84, 84)).astype(dtype)
    check(model, reference, frames).raise_if_different()


def test_one_seed_gives_both_engines_the_same_weights():
    for dtype in ("float32", "float64"):
        scratch.manual_seed(3)
        torch_ref.manual_seed(3)
        one = models.ActorCritic(
            models.NatureEncoder(frames=2, features=5, dtype=dtype), 5, 3, dtype=dtype
        ).state_dict()
        dtype = getattr(torch, dtype)
        other = torch_models.ActorCritic(torch_models.NatureEncoder(2, 5, dtype=dtype), 5, 3, dtype=dtype).state_dict()
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name].numpy(), err_msg=name)


def test_probabilities_are_the_softmax_of_the_logits():
    head = random_state(models.PolicyHead(3, ACTIONS, dtype=np.float64))
    x = 1e4 * array((4, 3))
    np.testing.assert_allclose(head.probabilities(x), torch.softmax(torch.from_numpy(head(x)), dim=1), rtol=1e-12)


# The losses.


@given(n=st.integers(1, 6), dtype=dtypes, layout=layouts, seed=seeds)
def test_losses_are_torchs(n, dtype, layout, seed):
    _, actions, advantages, returns = drawn(n, seed, dtype)
    logits, values = array((n, ACTIONS), dtype, seed + 3, layout), array((n,), dtype, seed + 4)
    torch_loss = torch_policy_gradient.PolicyGradientLoss()
    check(policy_gradient.PolicyGradientLoss(), torch_loss, logits, actions, advantages).raise_if_different()
    check(policy_gradient.Entropy(), torch_policy_gradient.Entropy(), logits).raise_if_different()
    for criterion in ("MSELoss", "HuberLoss"):
        check(
            actor_critic.ActorCriticLoss(getattr(nn, criterion)(), value_weight=0.7, entropy_weight=0.3),
            torch_actor_critic.ActorCriticLoss(getattr(torch.nn, criterion)(), value_weight=0.7, entropy_weight=0.3),
            *(logits, values, actions, advantages, returns),
        ).raise_if_different()


@given(n=st.integers(1, 6), seed=seeds)
def test_with_weight_one_the_policy_loss_is_the_classifiers_cross_entropy(n, seed):
    logits, actions = array((n, ACTIONS), seed=seed), drawn(n, seed)[1]
    policy, classifier = policy_gradient.PolicyGradientLoss(), nn.CrossEntropyLoss()
    np.testing.assert_allclose(policy(logits, actions, np.ones(n)), classifier(logits, actions), rtol=1e-14)
    np.testing.assert_allclose(policy.backward(), classifier.backward(), rtol=1e-14, atol=1e-17)


@given(n=st.integers(1, 6), seed=seeds)
def test_the_policy_gradient_is_the_gradient_of_the_expected_advantage(n, seed):
    """The law behind the loss: its gradient, averaged over the actions by probability, is the expectation's."""
    logits, advantages = array((n, ACTIONS), seed=seed), array((n, ACTIONS), seed=seed + 1)
    loss, average = policy_gradient.PolicyGradientLoss(), np.zeros((n, ACTIONS))
    p = nn.Softmax(dim=1)(logits)
    for action in range(ACTIONS):
        loss(logits, np.full(n, action), advantages[:, action].copy())
        average += p[:, [action]] * loss.backward()
    leaf = torch.from_numpy(logits).requires_grad_()
    expected = (torch.softmax(leaf, dim=1) * torch.from_numpy(advantages)).sum(dim=1).mean()
    (-expected).backward()
    np.testing.assert_allclose(average, leaf.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("grad_output", [1.0, -0.3])
def test_the_entropys_backward_is_its_one_line_and_stays_finite(scale, grad_output):
    logits = scale * array((5, ACTIONS))
    entropy = policy_gradient.Entropy()
    assert 0 <= entropy(logits) <= np.log(ACTIONS) * (1 + 1e-15)
    p, z = nn.Softmax(dim=1)(logits), logits - logits.max(axis=1, keepdims=True)
    one_line = -grad_output / 5 * p * (z - (p * z).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(entropy.backward(grad_output), one_line, rtol=1e-9, atol=1e-15)
    check(entropy, torch_policy_gradient.Entropy(), logits).raise_if_different()


def in_turn(n=2):
    """Return each reinforcement-learning loss, after a forward, with its value."""
    _, actions, advantages, returns = drawn(n, 0)
    losses = policy_gradient.PolicyGradientLoss(), policy_gradient.Entropy(), actor_critic.ActorCriticLoss(nn.MSELoss())
    logits = array((n, ACTIONS))
    inputs = (logits, actions, advantages), (logits,), (logits, advantages, actions, advantages, returns)
    return [(loss, loss(*arrays)) for loss, arrays in zip(losses, inputs, strict=True)]


def test_an_upstream_gradient_that_is_no_scalar_is_refused():
    for loss, value in in_turn():
        name = type(loss).__name__
        with pytest.raises(RuntimeError, match=f"{name}: expected grad_output to be a scalar"):
            loss.backward(np.ones(2))
        with pytest.raises(TypeError, match=f"{name}: expected grad_output to be a number, got None"):
            loss.backward(None)
        with pytest.raises(RuntimeError, match=f"{name}: backward was given the loss itself"):
            loss.backward(value)
        loss.backward(float(value))


def test_going_down_on_the_loss_raises_the_entropy():
    criterion = actor_critic.ActorCriticLoss(nn.MSELoss(), entropy_weight=1.0)
    logits, zeros = array((4, ACTIONS)), np.zeros(4)
    criterion(logits, zeros, np.zeros(4, np.int64), zeros, zeros)
    grad_logits, _ = criterion.backward()
    entropy = policy_gradient.Entropy()
    assert entropy(logits - 0.1 * grad_logits) > entropy(logits)


def test_the_advantage_is_detached():
    """The critic's gradient comes from its regression alone, even if the advantages are computed from its values."""
    states, actions, _, returns = drawn(5, 0)
    model = actor_critic_of(torch_ref, torch.float64)
    logits, values = model(torch.from_numpy(states))
    criterion = torch_actor_critic.ActorCriticLoss(torch.nn.MSELoss())
    advantages = torch.from_numpy(returns) - values
    loss = criterion(logits, values, torch.from_numpy(actions), advantages, torch.from_numpy(returns))
    expected = torch.autograd.grad(loss, (logits, values))

    logits, values = (output.detach().numpy() for output in (logits, values))
    ours = actor_critic.ActorCriticLoss(nn.MSELoss())
    ours(logits, values, actions, returns - values, returns)
    for got, wanted in zip(ours.backward(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("criterion", "inputs", "words"),
    [
        (policy_gradient.PolicyGradientLoss, (np.ones((2, 3)), np.zeros(2, int), np.ones((2, 1))), "shape"),
        (policy_gradient.PolicyGradientLoss, (np.ones((0, 3)), np.zeros(0, int), np.ones(0)), "1 or more"),
        (policy_gradient.PolicyGradientLoss, (np.ones((2, 3)), np.zeros(2, int), np.ones(2, np.float32)), "float64"),
        (policy_gradient.Entropy, (np.ones(3),), "shape"),
        (policy_gradient.Entropy, (np.ones((0, 3)),), "1 or more"),
    ],
)
def test_what_does_not_fit_is_refused(criterion, inputs, words):
    with pytest.raises(RuntimeError, match=rf"{criterion.__name__}: expected .*{words}"):
        criterion()(*inputs)


def test_an_action_out_of_range_is_refused():
    for action in (3, -1, -100):
        with pytest.raises(IndexError, match=f"PolicyGradientLoss: actions {action} is out of bounds for 3 classes"):
            policy_gradient.PolicyGradientLoss()(np.ones((1, 3)), np.array([action]), np.ones(1))


def test_backward_before_forward_is_refused():
    for criterion in (policy_gradient.PolicyGradientLoss(), policy_gradient.Entropy()):
        with pytest.raises(RuntimeError, match="backward was called before forward"):
            criterion.backward()


# The update.


@pytest.mark.parametrize("value_criterion", ["MSELoss", "HuberLoss"])
def test_many_updates_stay_with_torchs(value_criterion):
    """100 steps of Adam from one seed, nothing copied, some of them clipped: every term agrees to 1e-10."""
    runs = []
    for engine, module, dtype in ((scratch, actor_critic, np.float64), (torch_ref, torch_actor_critic, torch.float64)):
        engine.manual_seed(0)
        model = actor_critic_of(engine, dtype)
        optimizer = engine.optim.Adam(model.parameters(), lr=1e-2)
        criterion = module.ActorCriticLoss(getattr(engine.nn, value_criterion)(), entropy_weight=0.05)
        convert = torch.from_numpy if engine is torch_ref else np.asarray
        terms = [
            module.update(model, criterion, optimizer, *(convert(part) for part in drawn(9, step)), max_norm=1.0)
            for step in range(100)
        ]
        probabilities, values = module.predict(model, convert(array((4, STATE))))
        runs.append((np.array(terms), np.asarray(probabilities), np.asarray(values)))
    norms = runs[0][0][:, -1]
    assert norms.min() < 1.0 < norms.max()
    for got, expected in zip(*runs, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


def test_rows_of_very_different_logits_do_not_disturb_each_other():
    logits, actions, advantages = np.array([[2000.0, 2001.0], [0.0, 1.0]]), np.array([0, 1]), np.array([1.0, 2.0])
    loss, _ = policy_gradient.policy_gradient_loss(logits, actions, advantages)
    same, _ = policy_gradient.policy_gradient_loss(logits - logits[:, :1], actions, advantages)
    assert np.isfinite(loss)
    np.testing.assert_allclose(loss, same, rtol=1e-12)
