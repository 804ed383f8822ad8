"""``backprop trace``: the table, the JSON, and how it refuses."""

import inspect
import json
import shlex

import numpy as np
import pytest

from benchmarks import cli
from benchmarks.commands import trace
from parity_tests.catalogue import of_kind
from parity_tests.tests.commands.test_cli import refused
from scratch.nn import relu


def said(capsys, *argv):
    assert cli.main(["trace", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_examples_of_its_help_work(capsys):
    examples = [line.strip() for line in trace.EXAMPLES.splitlines() if line.startswith("  backprop trace ")]
    assert len(examples) >= 5
    for example in examples:
        assert said(capsys, *shlex.split(example)[2:])


def test_linear_is_shown_whole(capsys):
    shown = said(capsys, "Linear")
    assert "Linear(in_features=3, out_features=2, bias=True)" in shown
    for text in ("z = x weight^T", "z = x @ weight.T", "grad_weight = grad_y.T @ x", "a broadcast becomes a sum"):
        assert text in shown
    assert shown.count(" equal") == 3


def test_the_rows_of_the_upstream_gradient_stand_below_one_another(capsys):
    lines = said(capsys, "MaxPool2d").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("grad_y = [[[["))
    assert len(lines[first + 1]) - len(lines[first + 1].lstrip(" ")) == len("grad_y = [[[")


def test_the_uses_of_a_quantity_are_named(capsys):
    shown = said(capsys, "BatchNorm1d")
    assert "+ F6" in shown
    assert "+ F3" in shown


def test_arguments_shape_seed_and_mode_are_the_users(capsys):
    words = ["BatchNorm1d", "--args", "3, eps=0.25", "--input", "5,3", "--json", "-"]
    found, other = (json.loads(said(capsys, *words, "--seed", seed)) for seed in "01")
    assert found["layer"].startswith("BatchNorm1d(3, eps=0.25")
    assert np.shape(found["inputs"][0]["numbers"]) == (5, 3)
    assert found["pairs"][0]["arguments"]["eps"] == 0.25
    assert found["pairs"][0]["arguments"]["x"] == found["inputs"][0] != other["inputs"][0]
    assert json.loads(said(capsys, *words, "--eval"))["pairs"][0]["name"] == "batch_norm_inference"


def test_an_optimizer_takes_two_steps(capsys):
    words = ["SGD", "--args", "lr=0.25, momentum=0.5, maximize=True", "--input", "2"]
    first, second = json.loads(said(capsys, *words, "--json", "-"))["pairs"]
    assert [step["label"] for step in first["forward"]] == ["U1", "U2", "U3", "U4", "U5"]
    w, g = (np.array(first["arguments"][name]["numbers"]) for name in "wg")
    after = np.array(second["arguments"]["w"]["numbers"])
    np.testing.assert_allclose(after, w + 0.25 * g)
    assert first["forward"][4]["values"]["w_next"]["numbers"] == after.tolist()
    assert first["backward"] == []
    assert second["arguments"]["b"] == first["forward"][2]["values"]["b_next"]
    shown = said(capsys, *words)
    assert shown.count("w_next = w - lr direction") == 2
    assert "by the tape" not in shown


@pytest.mark.parametrize("name", [one.name for one in of_kind("optimizer")])
def test_every_optimizer_can_be_traced(name, capsys):
    assert " U1 " in said(capsys, name)


def test_json_goes_to_a_file_beside_the_table(tmp_path, capsys):
    file = tmp_path / "elu.json"
    assert "elu, in scratch.nn.relu" in said(capsys, "ELU", "--json", str(file))
    found = json.loads(file.read_text())
    assert [step["label"] for step in found["pairs"][0]["backward"]] == ["B3", "B2", "B1"]
    assert [path.name for path in tmp_path.iterdir()] == ["elu.json"]


def test_large_arrays_are_cut_on_the_screen_and_whole_in_json(capsys):
    words = ["ReLU", "--input", "9,9"]
    assert "(9, 9)" in said(capsys, *words)
    assert np.shape(json.loads(said(capsys, *words, "--json", "-"))["inputs"][0]["numbers"]) == (9, 9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Lineal"], "unknown layer 'Lineal'; choose from "),
        (["Sequential"], "made of other layers"),
        (["Linear", "--args", "3, os.remove('x')", "--input", "2,3"], "expected literals"),
        (["Linear", "--args", "3, 2"], "give --input, too"),
        (["Linear", "--args", "3, two=2", "--input", "2,3"], "--args: Linear refuses them"),
        (["Linear", "--args", "3, -2", "--input", "2,3"], "--args: Linear refuses them"),
        (["Linear", "--input", "2,4"], r"Linear refuses the input: Linear: expected input of shape (..., 3)"),
        (["Linear", "--input", "2,x"], "expected lengths separated by commas"),
        (["Linear", "--input", "2,-3"], "expected lengths of 0 or more"),
        (["Linear", "--seed", "-1"], "expected 0 to"),
        (["SGD", "--args", "lr=-1"], "--args: SGD refuses them"),
        (["Optimizer"], "unknown layer 'Optimizer'"),
    ],
)
def test_usage_errors_are_one_line(words, message, capsys):
    assert message in refused(capsys, 2, ["trace", *words])


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path, capsys):
    assert "there is no folder" in refused(capsys, 1, ["trace", "ReLU", "--json", str(tmp_path / "no" / "file.json")])


def test_a_wrong_statement_is_a_failure(capsys, monkeypatch):
    source = inspect.getsource(relu).replace(
        "np.where(y != 0, grad_y, 0)  # B1", "np.where(y != 0, 2 * grad_y, 0)  # B1"
    )
    monkeypatch.setattr(inspect, "getsource", lambda module: source)
    assert cli.main(["trace", "ReLU"]) == 1
    shown = capsys.readouterr()
    assert "differs" in shown.out
    assert shown.err.count("\n") == 1
