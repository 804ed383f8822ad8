"""Networks with the examples in columns, as courses write them: right, and with a wrong line.

The parameters' keys are made from the layer's number. The gradient of the data is that of the sum over the examples,
those of the parameters are of the mean.
"""

import pytest

from parity_tests.tests.diagnosis.course_networks import DEEP

NETWORK = """
import numpy as np


class DeepNN:
    def __init__(self, layer_dims):
        self.layer_dims = layer_dims
        self.parameters = {}
        self.L = len(layer_dims) - 1
        for l in range(1, len(layer_dims)):
            self.parameters["W" + str(l)] = np.random.randn(layer_dims[l], layer_dims[l - 1])
            self.parameters["b" + str(l)] = np.zeros((layer_dims[l], 1))

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))

    def relu(self, Z):
        return np.maximum(0, Z)

    def forward(self, X):
        caches = []
        A = X
        for l in range(1, self.L):
            A_prev = A
            Z = np.dot(self.parameters["W" + str(l)], A_prev) + self.parameters["b" + str(l)]
            A = self.relu(Z)
            caches.append((A_prev, self.parameters["W" + str(l)], self.parameters["b" + str(l)], Z))
        Z = np.dot(self.parameters["W" + str(self.L)], A) + self.parameters["b" + str(self.L)]
        AL = self.sigmoid(Z)
        caches.append((A, self.parameters["W" + str(self.L)], self.parameters["b" + str(self.L)], Z))
        return AL, caches

    def compute_cost(self, AL, Y):
        m = Y.shape[1]
        cost = -1 / m * np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))
        return np.squeeze(cost)

    def backward(self, AL, Y, caches):
        grads = {}
        m = AL.shape[1]
        dAL = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
        A_prev, W, b, Z = caches[self.L - 1]
        s = self.sigmoid(Z)
        dZ = dAL * s * (1 - s)
        grads["dW" + str(self.L)] = 1 / m * np.dot(dZ, A_prev.T)
        grads["db" + str(self.L)] = 1 / m * np.sum(dZ, axis=1, keepdims=True)
        grads["dA" + str(self.L - 1)] = np.dot(W.T, dZ)
        for l in reversed(range(self.L - 1)):
            A_prev, W, b, Z = caches[l]
            dZ = np.array(grads["dA" + str(l + 1)], copy=True)
            dZ[Z <= 0] = 0
            grads["dW" + str(l + 1)] = 1 / m * np.dot(dZ, A_prev.T)
            grads["db" + str(l + 1)] = 1 / m * np.sum(dZ, axis=1, keepdims=True)
            grads["dA" + str(l)] = np.dot(W.T, dZ)
        return grads
"""

KEEPS = (
    NETWORK.replace("        caches = []\n", "        self.caches = []\n")
    .replace(" caches.append", " self.caches.append")
    .replace("return AL, caches", "return AL")
    .replace("def backward(self, AL, Y, caches)", "def backward(self, AL, Y)")
    .replace("= caches[", "= self.caches[")
)

WITH_LOSS = (
    NETWORK
    + """
    def loss(self, X, Y):
        AL, caches = self.forward(X)
        return self.compute_cost(AL, Y), self.backward(AL, Y, caches)
"""
)

CACHES_FIRST = NETWORK.replace("def backward(self, AL, Y, caches)", "def backward(self, caches, Y, AL)")

LOGISTIC = """
import numpy as np


def sigmoid(z):
    s = 1 / (1 + np.exp(-z))
    return s


def propagate(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = 1 / m * np.dot(X, (A - Y).T)
    db = 1 / m * np.sum(A - Y)
    cost = np.squeeze(np.array(cost))
    grads = {"dw": dw, "db": db}
    return grads, cost
"""

TWO_LAYERS = """
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward_propagation(X, parameters):
    W1 = parameters["W1"]
    b1 = parameters["b1"]
    W2 = parameters["W2"]
    b2 = parameters["b2"]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)
    cache = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
    return A2, cache


def compute_cost(A2, Y):
    m = Y.shape[1]
    logprobs = np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y)
    cost = -1 / m * np.sum(logprobs)
    cost = float(np.squeeze(cost))
    return cost


def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    W1 = parameters["W1"]
    W2 = parameters["W2"]
    A1 = cache["A1"]
    A2 = cache["A2"]
    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    grads = {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    return grads
"""

FUNCTIONS = "L_model_forward,L_model_backward"
PROPAGATIONS = "forward_propagation,backward_propagation"
TWO = ["--input", "5,4", "--input", "1,4"]
BINARY = ["--input", "5,4", "--target", "binary"]
BOTH = [*TWO, "--target", "binary"]
LAYERS = ["--args", "[5, 4, 3, 1]"]
WEIGHTS = ["--input", "5,1", "--input", "1", *TWO]
NUMBER = ["--args", "b=0.0", "--input", "5,1", *TWO, "--target", "binary"]
DIVIDED = "All agree, with the gradient of X divided by 4, the number of examples."

RIGHT = [
    (DEEP, FUNCTIONS, TWO, DIVIDED),
    (DEEP, FUNCTIONS, BOTH, DIVIDED),
    (DEEP, FUNCTIONS, BINARY, DIVIDED),
    (NETWORK, "DeepNN", [*LAYERS, *TWO], DIVIDED),
    (NETWORK, "DeepNN", [*LAYERS, *BOTH], DIVIDED),
    (NETWORK, "DeepNN.backward", [*LAYERS, *BINARY], DIVIDED),
    (NETWORK, "DeepNN.backward", [*LAYERS, *TWO], DIVIDED),
    (NETWORK, "DeepNN.backward", [*LAYERS, *BOTH], DIVIDED),
    (CACHES_FIRST, "DeepNN.backward", [*LAYERS, *BOTH], DIVIDED),
    (WITH_LOSS, "DeepNN.loss", [*LAYERS, *BOTH], DIVIDED),
    (KEEPS, "DeepNN", [*LAYERS, *BINARY], DIVIDED),
    (KEEPS, "DeepNN.backward", [*LAYERS, *TWO], DIVIDED),
    (KEEPS, "DeepNN.backward", [*LAYERS, *BOTH], DIVIDED),
    (TWO_LAYERS, PROPAGATIONS, TWO, "All agree."),
    (TWO_LAYERS, PROPAGATIONS, BOTH, "All agree."),
    (LOGISTIC, "propagate", WEIGHTS, "All agree."),
    (LOGISTIC, "propagate", NUMBER, "All agree."),
]


@pytest.mark.parametrize(("source", "name", "options", "verdict"), RIGHT, ids=range(len(RIGHT)))
def test_a_right_network_agrees(check_file, source, name, options, verdict):
    status, out, err = check_file(source, name, *options)
    assert (status, err) == (0, ""), out
    assert verdict in out
    assert "They agree on a second batch" in out
    assert "on a batch of 7" in out or name == "propagate"


WRONG = [
    (DEEP, FUNCTIONS, TWO, "db = 1 / m * np.sum", "db = np.sum"),
    (DEEP, FUNCTIONS, TWO, "dW = 1 / m * np.dot", "dW = np.dot"),
    (DEEP, FUNCTIONS, TWO, "np.dot(W.T, dZ)", "np.dot(W.T, dZ) / m"),
    (DEEP, FUNCTIONS, TWO, "np.dot(W.T, dZ)", "4 * np.dot(W.T, dZ)"),
    (DEEP, FUNCTIONS, BINARY, "dZ[Z <= 0] = 0", "dZ[dZ <= 0] = 0"),
    (DEEP, FUNCTIONS, BINARY, "dZ = dA * s * (1 - s)", "dZ = dA * s"),
    (
        DEEP,
        FUNCTIONS,
        BINARY,
        "current_cache = caches[l]",
        "current_cache = (caches[l][0], np.roll(caches[l][1], 1, 0))",
    ),
    (DEEP, FUNCTIONS, TWO, "cost = -1 / m * np.sum", "cost = -np.sum"),
    (DEEP, FUNCTIONS, TWO, 'grads["dA" + str(l)] = dA', 'grads["dA" + str(l)] = 1.01 * dA'),
    (DEEP, FUNCTIONS, TWO, 'dA" + str(l)] = dA_prev_temp', 'dA" + str(l)] = dA_prev_temp * (1 if l else 4 / m)'),
    (DEEP, FUNCTIONS, TWO, 'dA" + str(l)] = dA_prev_temp', 'dA" + str(l)] = dA_prev_temp * (1 if l else 5 / m)'),
    (NETWORK, "DeepNN", [*LAYERS, *TWO], "dZ[Z <= 0] = 0", "dZ[A_prev[: len(dZ)] <= 0] = 0"),
    (NETWORK, "DeepNN", [*LAYERS, *TWO], "dAL * s * (1 - s)", "dAL"),
    (NETWORK, "DeepNN.backward", [*LAYERS, *BOTH], "dZ[Z <= 0] = 0", "dZ[A_prev[: len(dZ)] <= 0] = 0"),
    (CACHES_FIRST, "DeepNN.backward", [*LAYERS, *BOTH], "dAL * s * (1 - s)", "dAL"),
    (WITH_LOSS, "DeepNN.loss", [*LAYERS, *BOTH], "str(self.L)] = 1 / m * np.sum", "str(self.L)] = np.sum"),
    (KEEPS, "DeepNN", [*LAYERS, *BINARY], "str(l + 1)] = 1 / m * np.sum", "str(l + 1)] = np.sum"),
    (KEEPS, "DeepNN.backward", [*LAYERS, *BOTH], '"dA" + str(self.L - 1)] = np', '"dA" + str(self.L - 1)] = 2 * np'),
    (TWO_LAYERS, PROPAGATIONS, TWO, "db2 = 1 / m * np", "db2 = np"),
    (TWO_LAYERS, PROPAGATIONS, TWO, "(1 - np.power(A1, 2))", "(1 - A1)"),
    (TWO_LAYERS, PROPAGATIONS, TWO, "np.dot(dZ1, X.T)", "np.dot(dZ1 * A1, X.T)"),
    (TWO_LAYERS, PROPAGATIONS, TWO, "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)"),
    (LOGISTIC, "propagate", WEIGHTS, "db = 1 / m * np", "db = np"),
    (LOGISTIC, "propagate", NUMBER, "db = 1 / m * np", "db = np"),
    (LOGISTIC, "propagate", NUMBER, "np.dot(X, (A - Y).T)", "np.dot(X, (A + Y).T)"),
    (LOGISTIC, "propagate", WEIGHTS, "dw = 1 / m * np", "dw = 1 / len(X) * np"),
]


@pytest.mark.parametrize(("source", "name", "options", "right", "wrong"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_network_is_accused(check_file, source, name, options, right, wrong):
    assert right in source
    status, out, err = check_file(source.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert "All agree" not in out
    assert "differ" in out


def test_a_gradient_of_the_data_that_is_not_that_of_the_sum_is_compared_as_it_is(check_file):
    right, wrong = 'dA" + str(l)] = dA_prev_temp', 'dA" + str(l)] = dA_prev_temp * (1 if l else 1.01)'
    status, out, _ = check_file(DEEP.replace(right, wrong), FUNCTIONS, *TWO)
    assert status == 1
    assert "grad_input: 20 of 20 elements differ" in out
    assert "leaves out the 1/m" not in out


def test_a_sigmoid_that_overflows_is_still_at_fault(check_file):
    right, wrong = "s = 1 / (1 + np.exp(-z))", "s = np.exp(z) / (1 + np.exp(z))"
    assert right in LOGISTIC
    status, out, _ = check_file(LOGISTIC.replace(right, wrong), "propagate", *NUMBER)
    assert status == 1
    assert "exp overflows" in out
