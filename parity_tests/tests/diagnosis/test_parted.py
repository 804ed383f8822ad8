"""A backward in two methods, and names of a forward that few use."""

import pytest

LINEAR = """
import itertools

import numpy as np


class Linear:
    def __init__(self, n, m):
        self.W, self.b = np.random.randn(n, m), np.zeros(m)

    def get_params_iter(self):
        return itertools.chain(np.nditer(self.W), np.nditer(self.b))

    def get_output(self, X):
        return X.dot(self.W) + self.b

    def get_params_grad(self, X, output_grad):
        JW = X.T.dot(output_grad)
        Jb = output_grad.sum(axis=0)
        return JW, Jb

    def get_input_grad(self, Y, output_grad):
        return output_grad.dot(self.W.T)


class Logistic:
    def get_params_grad(self, X, output_grad):
        return []

    def get_output(self, X):
        return 1 / (1 + np.exp(-X))

    def get_input_grad(self, Y, output_grad):
        return Y * (1 - Y) * output_grad
"""
AS = {
    "one by one": [("return JW, Jb", "return [g for g in itertools.chain(np.nditer(JW), np.nditer(Jb))]")],
    "as a dictionary": [("return JW, Jb", 'return {"W": JW, "b": Jb}')],
    "in attributes": [("return JW, Jb", "self.dW, self.db = JW, Jb")],
    "by other names": [("get_params_grad", "backward_weights"), ("get_input_grad", "backward_input")],
    "with the step": [("return JW, Jb", "return JW, Jb\n\n    def zero_params_grad(self):\n        pass")],
}
OPTIONS = {"Linear": ["--args", "4, 3", "--input", "5,4"], "Logistic": ["--input", "5,4"]}


def replaced(source, pairs):
    for old, new in pairs:
        assert old in source
        source = source.replace(old, new)
    return source


@pytest.mark.parametrize("way", AS)
def test_both_are_compared(checked, way):
    status, out = checked(replaced(LINEAR, AS[way]), "Linear", *OPTIONS["Linear"])
    assert status == 0, out
    assert "All agree" in out
    assert all(f"\n{name} " in out for name in ("grad_input", "grad_W", "grad_b"))


@pytest.mark.parametrize("way", AS)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("output_grad.sum(axis=0)", "output_grad.mean(axis=0)", "grad_b: 3 of 3 elements differ"),
        ("X.T.dot(output_grad)", "-X.T.dot(output_grad)", "grad_W: 12 of 12 elements differ"),
        ("output_grad.dot(self.W.T)", "2 * output_grad.dot(self.W.T)", "grad_input: 20 of 20 elements differ"),
    ],
)
def test_a_wrong_one_is_accused(checked, way, right, wrong, said):
    status, out = checked(replaced(LINEAR, [*AS[way], (right, wrong)]), "Linear", *OPTIONS["Linear"])
    assert status == 1, out
    assert said in out


def test_numbers_in_another_order_than_the_parameters_are_accused(checked):
    way = [("return JW, Jb", "return [g for g in itertools.chain(np.nditer(Jb), np.nditer(JW))]")]
    status, out = checked(replaced(LINEAR, way), "Linear", *OPTIONS["Linear"])
    assert status == 1
    assert "grad_W: 12 of 12 elements differ" in out
    way = [("return JW, Jb", "return [g for g in np.nditer(JW)]")]
    status, out = checked(replaced(LINEAR, way), "Linear", *OPTIONS["Linear"])
    assert status == 2
    assert "get_params_grad returns 12 numbers one by one: return an array for each parameter" in out


def test_a_layer_without_parameters_has_nothing_to_return_for_them(checked):
    status, out = checked(LINEAR, "Logistic", *OPTIONS["Logistic"])
    assert status == 0, out
    for right, wrong in [("Y * (1 - Y)", "Y * (1 + Y)"), ("Y * (1 - Y) * output_grad", "Y * (1 - Y)")]:
        status, out = checked(LINEAR.replace(right, wrong), "Logistic", *OPTIONS["Logistic"])
        assert status == 1
        assert "All agree" not in out


LOSS = """
import numpy as np


class SoftmaxWithLoss:
    def cal_loss(self, prediction, label):
        self.predict(prediction)
        self.label = label
        return -np.log(self.softmax[np.arange(len(label)), label]).mean()

    def predict(self, prediction):
        e = np.exp(prediction - prediction.max(axis=1, keepdims=True))
        self.softmax = e / e.sum(axis=1, keepdims=True)
        return self.softmax

    def backward(self):
        delta = self.softmax.copy()
        delta[np.arange(len(self.label)), self.label] -= 1
        return delta / len(self.label)
"""


@pytest.mark.parametrize("name", ["cal_loss", "calc_loss"])
def test_a_loss_goes_before_what_it_predicts(checked, name):
    options = ["--input", "5,3", "--target", "classes"]
    source = LOSS.replace("cal_loss", name)
    status, out = checked(source, "SoftmaxWithLoss", *options)
    assert status == 0, out
    for right, wrong in [("-= 1", "+= 1"), ("return delta / len(self.label)", "return delta")]:
        status, out = checked(source.replace(right, wrong), "SoftmaxWithLoss", *options)
        assert status == 1
        assert "All agree" not in out


def test_the_adapter_of_unknown_names_takes_a_method_with_an_argument(checked):
    source = (
        LINEAR.replace("get_output", "emit").replace("get_params_grad", "of_params").replace("get_input_grad", "of")
    )
    status, out = checked(source, "Linear", *OPTIONS["Linear"])
    assert status == 2
    assert "return layer.emit(x)" in out
