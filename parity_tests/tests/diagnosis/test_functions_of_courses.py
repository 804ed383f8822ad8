"""Single functions of deeplearning.ai's courses: right, and with a wrong line."""

import pytest

from parity_tests.tests.diagnosis.course_layers import CONV, LSTM, POOL, RNN
from parity_tests.tests.diagnosis.course_networks import DEEP, THREE_LAYERS

LAYER = ["--input", "5,4", "--input", "3,5", "--input", "3,1"]
RELU, SIGMOID = ([*LAYER, "--args", f"activation='{name}'"] for name in ("relu", "sigmoid"))
X = ["--input", "5,4"]
IMAGES = ["--input", "1,5,4,2"]
FILTERS = [*IMAGES, "--input", "2,2,2,3", "--input", "1,1,1,3", "--args", "hparameters={'pad': 1, 'stride': 2}"]
OVERLAPPING = [*IMAGES, "--args", "hparameters={'f': 2, 'stride': 1}, mode='max'"]
AVERAGE = [*IMAGES, "--args", "hparameters={'f': 2, 'stride': 1}, mode='average'"]
CELL = ["--input", "3,4", "--input", "5,4", "--args", "parameters=initial()", "--constant", "yt_pred"]
SEQUENCE = ["--input", "3,4,6", "--input", "5,4", "--args", "parameters=initial()", "--constant", "y_pred"]
TWO_STATES = [*CELL[:4], "--input", "5,4", *CELL[4:]]
NETWORK = [*X, "--input", "1,4"]
BESIDE = ["--input", "4,6", "--input", "1,6"]  # a hidden layer has the shape of the data

LINEAR = "linear_forward,linear_backward"
ACTIVATION = "linear_activation_forward,linear_activation_backward"
CONVOLUTION = "conv_forward,conv_backward"
POOLING = "pool_forward,pool_backward"
RNN_CELL = "rnn_cell_forward,rnn_cell_backward"
LSTM_CELL = "lstm_cell_forward,lstm_cell_backward"
DEEP_NETWORK = "L_model_forward,L_model_backward"
PROPAGATION = "forward_propagation,backward_propagation"

FIRST_MAXIMUM = POOL.replace("mask = (x == np.max(x))", "mask = np.arange(x.size).reshape(x.shape) == np.argmax(x)")

NUMBERED_BY_LAYER = (  # the second layer gives dA2, the gradient of its input
    DEEP.replace('grads["dA" + str(L - 1)] = dA', 'grads["dA" + str(L)] = dA')
    .replace('grads["dA" + str(l)] = dA', 'grads["dA" + str(l + 1)] = dA')
    .replace('grads["dA" + str(l + 1)], current', 'grads["dA" + str(l + 2)], current')
)

CASES = [
    (DEEP, LINEAR, LAYER, "db = 1 / m * np.sum", "db = np.sum"),
    (DEEP, LINEAR, LAYER, "np.dot(W.T, dZ)", "np.dot(W.T, dZ) / m"),
    (DEEP, LINEAR, LAYER, "m = A_prev.shape[1]", "m = A_prev.shape[0]"),
    (DEEP, "linear_backward", LAYER, "np.dot(dZ, A_prev.T)", "np.dot(dZ * dZ, A_prev.T)"),
    (DEEP, ACTIVATION, RELU, "dZ[Z <= 0] = 0", "dZ[dZ <= 0] = 0"),
    (DEEP, ACTIVATION, RELU, "dW = 1 / m * np.dot", "dW = np.dot"),
    (DEEP, ACTIVATION, SIGMOID, "dZ = dA * s * (1 - s)", "dZ = dA * s"),
    (DEEP, ACTIVATION, SIGMOID, "np.dot(W.T, dZ)", "1.01 * np.dot(W.T, dZ)"),
    (DEEP, "relu,relu_backward", X, "dZ[Z <= 0] = 0", "dZ[Z <= 0.1] = 0"),
    (DEEP, "relu_backward", X, "dZ[Z <= 0] = 0", "dZ[dZ <= 0] = 0"),
    (DEEP, "sigmoid,sigmoid_backward", X, "dZ = dA * s * (1 - s)", "dZ = s * (1 - s)"),
    (DEEP, "sigmoid_backward", X, "dZ = dA * s * (1 - s)", "dZ = dA * s"),
    (CONV, CONVOLUTION, FILTERS, "dW[:, :, :, c] += a_slice", "dW[:, :, :, c] = a_slice"),
    (CONV, CONVOLUTION, FILTERS, "vert_start = stride * h", "vert_start = h"),
    (FIRST_MAXIMUM, POOLING, OVERLAPPING, "+= mask *", "= mask *"),
    (FIRST_MAXIMUM, POOLING, OVERLAPPING, "mask * dA[i, h, w, c]", "mask * dA[i, h, w, 0]"),
    (POOL, POOLING, AVERAGE, "average = np.prod(shape)", "average = n_H + 1"),
    (POOL, "pool_backward", AVERAGE, "+= distribute_value", "= distribute_value"),
    (RNN, RNN_CELL, CELL, "dWaa = np.dot(dtanh, a_prev.T)", "dWaa = np.dot(dtanh, a_next.T)"),
    (RNN, RNN_CELL, CELL, "dba = np.sum(dtanh", "dba = np.mean(dtanh"),
    (RNN, "rnn_forward,rnn_backward", SEQUENCE, "da[:, :, t] + da_prevt", "da[:, :, t]"),
    (RNN, "rnn_forward,rnn_backward", SEQUENCE, "dWaa += grad", "dWaa = grad"),
    (RNN, "rnn_forward,rnn_backward", SEQUENCE, "da0 = da_prevt", "da0 = 0 * da_prevt"),
    (LSTM, LSTM_CELL, TWO_STATES, "dcct = (dc_next * it + ", "dcct = ("),
    (LSTM, LSTM_CELL, TWO_STATES, "dc_prev = dc_next * ft + ", "dc_prev = "),
    (LSTM, LSTM_CELL, TWO_STATES, "dWo = np.dot(dot", "dWo = np.dot(dit"),
    (THREE_LAYERS, PROPAGATION, NETWORK, "dW2 = 1. / m", "dW2 = 2. / m"),
    (THREE_LAYERS, PROPAGATION, [*X, "--target", "binary"], "db1 = 1. / m", "db1 = 4. / m"),
    (THREE_LAYERS, PROPAGATION, BESIDE, "np.multiply(dA1, np.int64(A1 > 0))", "dA1"),
    (NUMBERED_BY_LAYER, DEEP_NETWORK, NETWORK, "str(l + 1)] = dA", "str(l + 1)] = (1 if l else 1.01) * dA"),
    (NUMBERED_BY_LAYER, DEEP_NETWORK, BESIDE, "db = 1 / m * np.sum", "db = np.sum"),
    (DEEP, DEEP_NETWORK, BESIDE, "db = 1 / m * np.sum", "db = np.sum"),
    (DEEP, DEEP_NETWORK, BESIDE, "str(l)] = dA", "str(l)] = (1 if l else 1.01) * dA"),
]


RIGHT = list({str(one[:3]): one[:3] for one in CASES}.values())


@pytest.mark.parametrize(("source", "name", "options"), RIGHT, ids=[f"{one[1]} {i}" for i, one in enumerate(RIGHT)])
def test_a_right_function_agrees(check_file, source, name, options):
    status, out, err = check_file(source, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree" in out


@pytest.mark.parametrize(("source", "name", "options", "right", "wrong"), CASES, ids=range(len(CASES)))
def test_a_wrong_function_is_accused(check_file, source, name, options, right, wrong):
    assert right in source
    status, out, err = check_file(source.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert "All agree" not in out
    assert "differ" in out


def test_each_of_several_equal_maxima_gets_the_gradient_in_the_courses_pooling(check_file):
    status, out, _ = check_file(POOL, POOLING, *OVERLAPPING)
    assert status == 1
    assert "Does each of several equal maxima get the full gradient?" in out


def test_an_output_without_upstream_gradient_is_named(check_file):
    status, out, _ = check_file(RNN, RNN_CELL, *CELL[:-2])
    assert status == 1
    assert "All agree" not in out
    assert "yt_pred (2, 4), which rnn_cell_forward returns: not compared" in out
