"""Training steps with momentum, a decay or Adam's scale, on actions, with a target network, with an advantage."""

import pytest

from parity_tests.tests.diagnosis.test_methods import NETWORKS

NETWORK = """
import numpy as np


class Net:
    def __init__(self, i, o, lr=0.1):
        self.W, self.b, self.lr, self.t = np.random.randn(i, o), np.zeros(o), lr, 0
        self.vW, self.vb = np.zeros((i, o)), np.zeros(o)

    def loss(self, x, y):
        return 0.5 * np.sum((np.tanh(x @ self.W + self.b) - y) ** 2) / len(x)

    def train_step(self, x, y):
        a = np.tanh(x @ self.W + self.b)
        d = (a - y) * (1 - a**2) / len(x)
        gW, gb = x.T @ d, d.sum(axis=0)
        self.move(gW, gb)
"""
RULES = {
    "heavy ball": """
    def move(self, gW, gb):
        self.vW, self.vb = 0.9 * self.vW + gW, 0.9 * self.vb + gb
        self.W -= self.lr * self.vW
        self.b -= self.lr * self.vb
""",
    "the rate inside": """
    def move(self, gW, gb):
        self.vW, self.vb = 0.8 * self.vW - self.lr * gW, 0.8 * self.vb - self.lr * gb
        self.W += self.vW
        self.b += self.vb
""",
    "averaged": """
    def move(self, gW, gb):
        self.vW, self.vb = 0.9 * self.vW + 0.1 * gW, 0.9 * self.vb + 0.1 * gb
        self.W -= self.lr * self.vW
        self.b -= self.lr * self.vb
""",
    "Nesterov": """
    def move(self, gW, gb):
        self.vW, self.vb = 0.9 * self.vW + gW, 0.9 * self.vb + gb
        self.W -= self.lr * (gW + 0.9 * self.vW)
        self.b -= self.lr * (gb + 0.9 * self.vb)
""",
    "decay": """
    def move(self, gW, gb):
        self.W -= self.lr * (gW + 0.01 * self.W)
        self.b -= self.lr * gb
""",
    "Adam": """
    def move(self, gW, gb):
        self.t += 1
        self.vW, self.vb = 0.9 * self.vW + 0.1 * gW**2, 0.9 * self.vb + 0.1 * gb**2
        self.W -= self.lr * gW / np.sqrt(self.vW / (1 - 0.9**self.t))
        self.b -= self.lr * gb / np.sqrt(self.vb / (1 - 0.9**self.t))
""",
}
MOMENTA = {
    "heavy ball": "with momentum 0.9\n",
    "the rate inside": "with momentum 0.8\n",
    "averaged": "with momentum 0.9, the gradient weighted by the rest\n",
    "Nesterov": "with Nesterov's momentum 0.9\n",
}
OPTIONS = ["Net.train_step", "--args", "3, 2", "--input", "5,3", "--input", "5,2"]


@pytest.mark.parametrize("rule", MOMENTA)
def test_a_momentum_is_recognized(checked, rule):
    status, out = checked(NETWORK + RULES[rule], *OPTIONS)
    assert status == 0, out
    assert MOMENTA[rule] in out


@pytest.mark.parametrize("rule", MOMENTA)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("(1 - a**2)", "(1 - a)", "self.W: the first step is not along the gradient"),
        ("d.sum(axis=0)", "2 * d.sum(axis=0)", "self.b: the first step is not along the gradient but 2 times it"),
        (" / len(x)\n        gW", "\n        gW", "self.W: the first step is not along the gradient but "),
        ("self.b ", "self.vb = 0 * self.vb + gb\n        self.b ", "self.b: "),
    ],
)
def test_a_wrong_step_with_momentum_is_accused(checked, rule, right, wrong, said):
    source = NETWORK + RULES[rule]
    assert right in source
    status, out = checked(wrong.join(source.rsplit(right, 1)), *OPTIONS)
    assert status == 1, out
    assert said in out
    assert "All agree" not in out


def test_who_moves_without_the_others_momentum_is_told(checked):
    source = NETWORK + RULES["heavy ball"].replace("self.lr * self.vb", "self.lr * gb")
    status, out = checked(source, *OPTIONS)
    assert status == 1
    assert "self.b: it moves without momentum, and others with momentum 0.9" in out
    assert "self.W: " not in out


def test_a_decay_that_the_loss_does_not_have_is_told(checked):
    status, out = checked(NETWORK + RULES["decay"], *OPTIONS)
    assert status == 1
    assert "self.W: the first step is not along the gradient: 0.01 times the parameter is added, a weight decay" in out


def test_what_adams_step_tells_is_said(checked):
    status, out = checked(NETWORK + RULES["Adam"], *OPTIONS)
    assert status == 1
    assert out.count("it tells the signs of the gradient alone, and they agree") == 2
    status, out = checked((NETWORK + RULES["Adam"]).replace("gW, gb = x.T @ d,", "gW, gb = -x.T @ d,"), *OPTIONS)
    assert status == 1
    assert "it tells the signs of the gradient alone, and they differ" in out


OF_ACTIONS = """
import numpy as np


class DQN:
    def __init__(self, observations, actions, lr=0.01):
        self.W, self.lr = np.random.randn(observations, actions), lr
        self.W_target = self.W.copy()

    def learn(self, s, a, r, then):
        wanted = r + 0.9 * (then @ self.W_target).max(axis=1)
        rows = np.arange(len(a))
        error = (s @ self.W)[rows, a] - wanted
        d = np.zeros((len(a), self.W.shape[1]))
        d[rows, a] = error / len(a)
        self.W -= self.lr * s.T @ d
        return 0.5 * np.mean(error**2)


class QNet(DQN):
    def loss(self, s, a, wanted):
        return 0.5 * np.mean(((s @ self.W)[np.arange(len(a)), a] - wanted) ** 2)

    def train_step(self, s, a, wanted):
        rows = np.arange(len(a))
        d = np.zeros((len(a), self.W.shape[1]))
        d[rows, a] = ((s @ self.W)[rows, a] - wanted) / len(a)
        self.W -= self.lr * s.T @ d


class Critic:
    def __init__(self, observations, lr=0.01):
        self.W, self.V, self.lr = np.random.randn(observations), np.random.randn(observations), lr

    def update(self, s, returns):
        adv = returns - s @ self.V
        loss = -np.mean((s @ self.W) * adv) + 0.5 * np.mean(adv**2)
        self.W += self.lr * s.T @ adv / len(s)
        self.V += self.lr * s.T @ adv / len(s)
        return loss
"""
BATCH = ["--args", "4, 3", "--input", "6,4", "--input", "6", "--input", "6"]
NEXT = [*BATCH, "--input", "6,4", "--constant", "W_target"]


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("DQN.learn", NEXT, "d[rows, a] = error / len(a)", "d[rows, a] = error"),
        ("DQN.learn", NEXT, "d[rows, a] = error / len(a)", "d[rows, 0] = error / len(a)"),
        ("QNet.train_step", BATCH, "- wanted) / len(a)", "+ wanted) / len(a)"),
        ("QNet", BATCH, "- wanted) / len(a)", "- wanted)"),
    ],
)
def test_actions_are_drawn_as_indices(checked, name, options, right, wrong):
    assert OF_ACTIONS.count(right) == 1
    status, out = checked(OF_ACTIONS, name, *options)
    assert status == 0, out
    status, out = checked(OF_ACTIONS.replace(right, wrong), name, *options)
    assert status == 1
    assert "self.W: the first step is not along the gradient" in out


def test_a_target_network_may_be_declared_a_constant(checked):
    status, out = checked(OF_ACTIONS, "DQN.learn", *NEXT[:-2])
    assert status == 1
    assert "self.W_target: the first step is not along the gradient: it does not move (a constant? say " in out


def test_steps_are_not_judged_where_an_advantage_may_be_a_constant(checked):
    status, out = checked(OF_ACTIONS, "Critic.update", "--args", "4", "--input", "6,4", "--input", "6")
    assert status == 1
    assert "cannot judge these steps: adv may be meant as a constant" in out
    assert "is not along" not in out


LOOPS = """
import numpy as np


class Regression:
    def __init__(self, n, eta=0.05):
        self.w, self.b, self.eta = np.random.randn(n), np.zeros(1), eta

    def predict(self, X):
        return X @ self.w + self.b

    def fit(self, X, y, learning_rate=0.01, n_epochs=50, batch_size=2):
        history = []
        for _ in range(n_epochs):
            order = np.random.permutation(len(X))
            for start in range(0, len(X), batch_size):
                rows = order[start : start + batch_size]
                error = self.predict(X[rows]) - y[rows]
                self.w -= learning_rate * 2 * X[rows].T @ error / len(rows)
                self.b -= learning_rate * 2 * error.mean()
            history.append(np.mean((self.predict(X) - y) ** 2))
        return history

    def train(self, X, y, iterations):
        for _ in range(iterations):
            error = self.predict(X) - y
            self.w -= self.eta * X.T @ error
            self.b -= self.eta * error.sum()
        return self
"""


@pytest.mark.parametrize(
    ("name", "read", "right", "wrong"),
    [
        ("Regression.fit", "n_epochs=1, batch_size=6: one step", "X[rows].T @ error / len(rows)", "X[rows].T @ error"),
        ("Regression.fit", "n_epochs=1, batch_size=6: one step", "2 * error.mean()", "error.mean()"),
        ("Regression.train", "iterations=1: one step is compared", "self.eta * X.T", "-self.eta * X.T"),
        ("Regression.train", "iterations=1: one step is compared", "error.sum()", "error.mean()"),
    ],
)
def test_a_training_loop_is_compared_as_one_step(checked, name, read, right, wrong):
    assert LOOPS.count(right) == 1
    options = ["--args", "3", "--input", "6,3", "--input", "6"]
    status, out = checked(LOOPS, name, *options)
    assert status == 0, out
    assert read in out
    assert "under it all is right" in out
    status, out = checked(LOOPS.replace(right, wrong), name, *options)
    assert status == 1
    assert "the first step is not along the gradient but" in out
    assert "All agree" not in out


PAIRS = (
    NETWORKS
    + """

class Network(Columns):
    def update_mini_batch(self, mini_batch, eta):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            activations = [x]
            for b, w in zip(self.biases, self.weights):
                activations.append(sigmoid(w @ activations[-1] + b))
            delta = (activations[-1] - y) * activations[-1] * (1 - activations[-1])
            for i in reversed(range(len(self.weights))):
                nabla_b[i] = nabla_b[i] + delta
                nabla_w[i] = nabla_w[i] + delta @ activations[i].T
                delta = self.weights[i].T @ delta * activations[i] * (1 - activations[i])
        self.weights = [w - eta / len(mini_batch) * n for w, n in zip(self.weights, nabla_w)]
        self.biases = [b - eta / len(mini_batch) * n for b, n in zip(self.biases, nabla_b)]
"""
)


@pytest.mark.parametrize("inputs", [["--input", "3,1"], ["--input", "3,1", "--input", "2,1"]], ids=["data", "both"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("nabla_b[i] = nabla_b[i] + delta\n", "nabla_b[i] = delta\n"),
        ("nabla_w[i] + delta @", "nabla_w[i] - delta @"),
        ("b - eta / len(mini_batch) * n", "b - eta * n"),
        ("self.weights[i].T @ delta * act", "self.weights[i].T @ delta + act"),
    ],
)
def test_a_step_on_a_list_of_pairs_is_compared_on_several(checked, inputs, right, wrong):
    assert PAIRS.count(right) == 1
    options = ["--args", "[3, 4, 2]", *inputs]
    status, out = checked(PAIRS, "Network.update_mini_batch", *options)
    assert status == 0, out
    assert "averaged over the pairs; under it all is right" in out
    status, out = checked(PAIRS.replace(right, wrong), "Network.update_mini_batch", *options)
    assert status == 1
    assert "the first step is not along the gradient" in out
    assert "All agree" not in out
