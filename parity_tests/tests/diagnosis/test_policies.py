"""Losses of reinforcement learning: actions are drawn as indices, and an advantage may be a constant or data."""

import pytest

SOURCE = """
import numpy as np


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def reinforce(logits, actions, returns):
    n = len(actions)
    logp = log_softmax(logits)
    adv = returns - returns.mean()
    loss = -np.mean(logp[np.arange(n), actions] * adv)
    d = np.exp(logp)
    d[np.arange(n), actions] -= 1
    return loss, d * adv[:, None] / n


def a2c(logits, values, actions, returns):
    n = len(actions)
    logp = log_softmax(logits)
    p = np.exp(logp)
    adv = returns - values
    entropy = -(p * logp).sum(axis=1)
    loss = -(logp[np.arange(n), actions] * adv).mean() + 0.5 * (adv**2).mean() - 0.1 * entropy.mean()
    d = (p - np.eye(logits.shape[1])[actions]) * adv[:, None]
    d += 0.1 * p * (logp + entropy[:, None])
    return loss, d / n, -adv / n


def ppo(logits, actions, old_log_probs, adv, eps=0.2):
    n = len(actions)
    logp = log_softmax(logits)
    r = np.exp(logp[np.arange(n), actions] - old_log_probs)
    near, far = r * adv, np.clip(r, 1 - eps, 1 + eps) * adv
    dlp = np.where(near <= far, -adv * r, 0.0) / n
    d = -np.exp(logp) * dlp[:, None]
    d[np.arange(n), actions] += dlp
    return -np.minimum(near, far).mean(), d


class CategoricalDQN:
    def __call__(self, logits, actions, target_probs):
        rows = np.arange(len(actions))
        logp = log_softmax(logits[rows, actions.astype(int)])
        grad = np.zeros_like(logits)
        grad[rows, actions.astype(int)] = np.exp(logp) * target_probs.sum(axis=1, keepdims=True) - target_probs
        return -(target_probs * logp).sum(axis=1).mean(), grad / len(rows)
"""
OPTIONS = {
    "reinforce": ["--input", "6,4", "--input", "6", "--input", "6"],
    "a2c": ["--input", "6,3", "--input", "6", "--input", "6", "--input", "6"],
    "ppo": ["--input", "6,3", "--input", "6", "--input", "6", "--input", "6"],
    "CategoricalDQN": ["--input", "6,2,5", "--input", "6", "--input", "6,5"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_right_one_is_not_accused(checked, name):
    status, out = checked(SOURCE, name, *OPTIONS[name])
    assert status == 0, out
    assert "All agree." in out or "right with adv as a constant in" in out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("reinforce", "d * adv[:, None] / n", "d * adv[:, None]"),
        ("reinforce", "d * adv[:, None] / n", "d * returns[:, None] / n"),
        ("a2c", "(logp + entropy[:, None])", "(logp - entropy[:, None])"),
        ("a2c", "-adv / n", "adv / n"),
        ("ppo", "np.where(near <= far, -adv * r, 0.0)", "(-adv * r)"),
        ("ppo", "d[np.arange(n), actions] += dlp", "d[np.arange(n), actions] += 1"),
        ("CategoricalDQN", "np.exp(logp) * target_probs.sum(axis=1, keepdims=True)", "np.exp(logp)"),
        ("CategoricalDQN", "grad[rows, actions.astype(int)]", "grad[rows, 0]"),
    ],
)
def test_a_wrong_one_is_accused(checked, name, right, wrong):
    assert SOURCE.count(right) == 1
    status, out = checked(SOURCE.replace(right, wrong), name, *OPTIONS[name])
    assert status == 1, out
    assert "elements differ" in out
    assert "All agree." not in out


def test_data_may_flow_through_an_advantage_but_not_a_value(checked):
    wrong = SOURCE.replace("-adv / n", "(-adv + logp[np.arange(n), actions]) / n")
    status, out = checked(wrong, "a2c", *OPTIONS["a2c"])
    assert status == 1
    assert "the gradient of values flows through adv in" in out


def test_one_wrong_gradient_does_not_accuse_another_that_an_advantage_explains(checked):
    right, wrong = "(logp + entropy[:, None])", "(logp - entropy[:, None])"
    assert SOURCE.count(right) == 1
    status, out = checked(SOURCE.replace(right, wrong), "a2c", *OPTIONS["a2c"])
    assert status == 1
    assert "grad_input[0]: 18 of 18 elements differ" in out
    assert "the gradient of values is right with adv as a constant in" in out
    assert "grad_input[1]" not in out
    status, out = checked(SOURCE.replace("-adv / n", "adv / n"), "a2c", *OPTIONS["a2c"])
    assert status == 1
    assert "grad_input[1]: 6 of 6 elements differ" in out


SQUASHED = """
import numpy as np


def squashed_logprob(mean, log_std, noise):
    std = np.exp(log_std)
    a = np.tanh(mean + std * noise)
    logp = -0.5 * noise**2 - log_std - np.log(1 - a**2 + 1e-6)
    return logp.sum(axis=1, keepdims=True), (mean, std, noise, a)


def squashed_logprob_grad(dlogp, cache):
    mean, std, noise, a = cache
    dmean = dlogp * 2 * a * (1 - a**2) / (1 - a**2 + 1e-6)
    dlog_std = dmean * std * noise - dlogp
    return dmean, dlog_std
"""
GAUSSIAN = ["--input", "4,2", "--input", "4,2", "--input", "4,2", "--constant", "noise"]


@pytest.mark.parametrize("seed", range(3))
def test_a_saturated_tanh_is_not_accused_of_its_rounding(checked, seed):
    status, out = checked(SQUASHED, "squashed_logprob,squashed_logprob_grad", *GAUSSIAN, "--seed", str(seed))
    assert status == 0, out
    assert "squashed_logprob_grad(grad_output) -> the gradient of mean, the gradient of log_std" in out


@pytest.mark.parametrize(
    ("right", "wrong", "agrees"),
    [
        ("std * noise - dlogp", "std * noise", "grad_input[0] agrees"),
        ("dmean * std * noise", "dmean * noise", "grad_input[0] agrees"),
        ("dlogp * 2 * a", "-dlogp * 2 * a", "grad_input[0]: the sign is flipped"),
    ],
)
def test_a_wrong_density_is_accused_for_what_is_wrong_alone(checked, right, wrong, agrees):
    assert SQUASHED.count(right) == 1
    status, out = checked(SQUASHED.replace(right, wrong), "squashed_logprob,squashed_logprob_grad", *GAUSSIAN)
    assert status == 1
    assert agrees in out
    assert "squashed_logprob_grad(grad_output) -> the gradient of mean, the gradient of log_std" in out
