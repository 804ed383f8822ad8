"""The keys of a network's dictionary, wherever forward reads them; and a dictionary that is given."""

import numpy as np
import pytest

from parity_tests.diagnosis.asked_keys import keys
from parity_tests.diagnosis.reading.running import Stage
from parity_tests.tests.diagnosis.course_networks import THREE_LAYERS

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")
READ = """    W1, b1 = parameters["W1"], parameters["b1"]
    W2, b2 = parameters["W2"], parameters["b2"]
    W3, b3 = parameters["W3"], parameters["b3"]
"""
BEFORE = "def forward_propagation(X, parameters):\n"
UNPACKED = ", ".join(NAMES)


def reading(here, elsewhere=""):
    assert READ in THREE_LAYERS
    return THREE_LAYERS.replace(READ, here).replace(BEFORE, elsewhere + BEFORE)


GET = reading("".join(f'    {name} = parameters.get("{name}")\n' for name in NAMES))
COMPREHENSION = reading(f"    {UNPACKED} = (parameters[key] for key in {NAMES})\n")
HELPER = reading(
    f"    {UNPACKED} = retrieve(parameters)\n",
    "def retrieve(p):\n    return p['W1'], p['b1'], p['W2'], p['b2'], p['W3'], p['b3']\n\n\n",
)
LOOP = reading(
    "    layers = [layer(parameters, l) for l in range(1, len(parameters) // 2 + 1)]\n"
    "    (W1, b1), (W2, b2), (W3, b3) = layers\n",
    "def layer(parameters, l):\n    return parameters['W' + str(l)], parameters[f'b{l}']\n\n\n",
)
SWAPPED = THREE_LAYERS.replace(BEFORE, "def forward_propagation(parameters, X):\n")
VALUES = (
    reading(f"    {UNPACKED} = parameters.values()\n")
    + """

def initial(*sizes):
    r, found = np.random.RandomState(0), {}
    for l, (into, out) in enumerate(zip(sizes, sizes[1:]), 1):
        found |= {f"W{l}": r.randn(out, into) / 2, f"b{l}": r.randn(out, 1) / 2}
    return found
"""
)
DROPOUT = THREE_LAYERS.replace(BEFORE, "def forward_propagation(X, parameters, keep_prob):\n")
DROPOUT = DROPOUT.replace(
    "    A2 = relu(Z2)\n", "    A2 = relu(Z2) * (np.random.rand(*Z2.shape) < keep_prob) / keep_prob\n"
)
DROPOUT = DROPOUT.replace("(X, Y, cache)", "(X, Y, cache, keep_prob)")
DROPOUT = DROPOUT.replace("np.int64(A2 > 0))", "np.int64(A2 > 0)) / keep_prob")

X = ["--input", "5,4", "--input", "1,4"]
GIVEN = [*X, "--args", "parameters=initial(5, 4, 3, 1)"]
WRONG = [
    ("dW2 = 1. / m", "dW2 = 2. / m"),
    ("np.multiply(dA1, np.int64(A1 > 0))", "dA1"),
    ("db1 = 1. / m", "db1 = 4. / m"),
]
FORMS = {
    "get": (GET, X),
    "comprehension": (COMPREHENSION, X),
    "helper": (HELPER, [*X, "--target", "binary"]),
    "loop": (LOOP, X),
    "swapped": (SWAPPED, X),
    "given": (VALUES, GIVEN),
    "given, binary": (VALUES, [*GIVEN, "--target", "binary"]),
    "option": (DROPOUT, [*X, "--args", "keep_prob=0.8"]),
}


@pytest.mark.parametrize(("source", "options"), FORMS.values(), ids=FORMS)
def test_a_right_network_agrees_and_its_wrong_twins_are_accused(check_file, source, options):
    status, out, err = check_file(source, "forward_propagation,backward_propagation", *options)
    assert (status, err) == (0, ""), out
    assert "All agree." in out
    assert "parameters.grad_W3" in out
    assert ("parameters was filled with W1 (4, 5), W2" in out) == (options is not GIVEN and source is not VALUES)
    for right, wrong in WRONG:
        assert right in source
        status, out, err = check_file(
            source.replace(right, wrong), "forward_propagation,backward_propagation", *options
        )
        assert (status, err) == (1, ""), out
        assert "All agree" not in out
        assert "differ" in out


def test_a_dictionary_that_is_given_is_compared_at_its_own_numbers(check_file):
    source = VALUES.replace("dW2 = 1. / m", "dW2 = (1 + (W2[0, 0] < 0.5)) / m")
    status, out, _ = check_file(source, "forward_propagation,backward_propagation", *GIVEN)
    assert status == 1
    assert "parameters.grad_W2" in out


def computed(x, p):
    rows, columns = p["W1"].shape
    assert p["W1"].shape == (rows, columns)
    z = x.dot(p["W1"]) + p.get("b1", 0)
    z[z < 0] = 0.01 * z[z < 0]
    for number in range(2, 4):
        z = np.maximum(0, z @ p[f"W{number}"].T - p["b" + str(number)] ** 2)
        z /= float(np.linalg.norm(z)) if z.max() > 1 else -z.sum()
    return np.exp(z) / (1 + np.exp(z[:, 0]))


def test_keys_are_seen_through_any_computation():
    x = np.ones((3, 2))
    (found,) = keys(lambda p: computed(x, p), Stage())
    assert sorted(found) == sorted(NAMES)


@pytest.mark.parametrize(("step", "count"), [(2, 6), (1, 3)])
def test_the_length_fits_the_keys(step, count):
    stems = ("W", "b")[:step]
    *_, found = keys(lambda p: [p[f"{s}{n}"] for n in range(len(p) // step) for s in stems], Stage())
    assert found == [f"{s}{n}" for n in range(3) for s in stems]
    assert len(found) == count


def test_no_dictionary_has_no_keys():
    assert list(keys(lambda p: np.ones((2, 2)) @ p, Stage())) == []
