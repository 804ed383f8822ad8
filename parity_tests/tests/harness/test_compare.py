"""The harness itself: what it finds, what it lets pass, and what it says."""

import numpy as np
import pytest
import torch
from hypothesis import given

import scratch.nn as nn
from parity_tests.harness import budget
from parity_tests.harness.arrays import array, distinct, random_state
from parity_tests.harness.compare import check, upstream
from parity_tests.harness.report import Quantity
from parity_tests.harness.strategies import dtypes, seeds


def linear(dtype="float64", seed=0):
    """Return a Linear(3, 5) with random numbers."""
    return random_state(nn.Linear(3, 5, dtype=dtype), seed)


class Off(nn.Linear):
    """Linear whose gradients are off by a relative error."""

    error = 0.0

    def backward(self, grad_output):
        """Return a gradient that is a little too large."""
        return super().backward(grad_output) * self.weight.dtype.type(1 + self.error)


def off(error, dtype, seed=0):
    """Return an `Off` with random numbers."""
    layer = random_state(Off(3, 5, dtype=dtype), seed)
    layer.error = error
    return layer


@given(dtype=dtypes, seed=seeds)
def test_rounding_is_allowed_and_ten_budgets_are_not(dtype, seed):
    x = array((7, 3), dtype, seed=seed)
    allowed = {"float64": 1e-15, "float32": 1e-7}[dtype]
    assert check(off(allowed, dtype, seed), torch.nn.Linear(3, 5), x, seed=seed).ok
    found = check(off({"float64": 3e-11, "float32": 3e-5}[dtype], dtype, seed), torch.nn.Linear(3, 5), x, seed=seed)
    assert [quantity.name for quantity in found.wrong] == ["grad_input"]


@given(dtype=dtypes, seed=seeds)
def test_a_sum_that_cancels_is_judged_by_its_terms(dtype, seed):
    class Backwards(nn.Linear):
        def forward(self, x):
            super().forward(x)
            return np.cumsum(x[:, ::-1] * self.weight.data[0, ::-1], axis=1)[:, -1:]

    half = array((4, 50), dtype, seed=seed) * 1000
    x = np.concatenate([half, -half * np.asarray(1 + 1e-4, dtype)], axis=1)
    layer = Backwards(100, 1, bias=False, dtype=dtype)
    layer.weight.data[...] = 1
    report = check(layer, torch.nn.Linear(100, 1, bias=False), x, seed=seed)
    assert report["output"].ok
    assert np.abs(report["output"].expected).max() < 100


def test_the_words_say_what_differs_first_and_what_agrees():
    class OneElement(nn.Linear):
        def backward(self, grad_output):
            grad_input = super().backward(grad_output)
            self.weight.grad[0, 2] += 1
            self.weight.grad[4, 1] += 3
            return grad_input

    report = check(random_state(OneElement(3, 5, dtype="float64")), torch.nn.Linear(3, 5), array((4, 3)))
    words = report.words().splitlines()[0]
    assert words.startswith("grad_weight: 2 of 15 elements differ, the largest at (4, 1): expected ")
    assert words.endswith("; output, grad_input and grad_bias agree")
    assert "2 of 15" in report.table()
    with pytest.raises(AssertionError, match="grad_weight: 2 of 15 elements differ"):
        report.raise_if_different()


def test_agreement_raises_nothing_and_names_the_quantities():
    report = check(linear(), torch.nn.Linear(3, 5), array((4, 3)))
    report.raise_if_different()
    assert report.words() == "All agree."
    assert [q.name for q in report.quantities[:4]] == ["output", "grad_input", "grad_weight", "grad_bias"]
    assert report["grad_bias"].max_ulps < 100
    with pytest.raises(KeyError, match="grad_weight"):
        report["nothing"]


def test_float32_shows_torchs_own_error():
    report = check(linear("float32"), torch.nn.Linear(3, 5), array((4, 3), "float32"))
    assert "torch's own" in report.table()
    assert report["output"].truth.dtype == np.float64
    assert report["output"].reference_error > 0


def test_both_layers_are_left_alone():
    layer, twin, x = linear(), torch.nn.Linear(3, 5), array((4, 3))
    before = twin.weight.detach().clone()
    check(layer, twin, x)
    assert layer.weight.grad is None
    assert twin.weight.grad is None
    assert twin.weight.dtype == torch.float32
    assert torch.equal(twin.weight, before)


def test_torchs_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check(nn.ReLU(), torch.nn.ReLU(), array((4, 3)))
    assert torch.equal(before, torch.get_rng_state())


class Misbehaving(nn.Linear):
    """Linear that computes the right numbers but breaks a rule; ``where`` says which."""

    def __init__(self, where):
        super().__init__(3, 5, dtype=np.float64)
        self.where = where

    def forward(self, x):
        """Return the right output."""
        self.y = super().forward(x)
        if self.where == "input":
            x += 1
        if self.where == "running":
            self.weight.data = self.weight.data * 2
        return self.y

    def backward(self, grad_output):
        """Return the right gradient."""
        grad_input = super().backward(grad_output)
        if self.where == "grad_output":
            grad_output *= 0
        if self.where == "weight":
            self.weight.data -= 0.1 * self.weight.grad
        if self.where == "output":
            self.y[0] = 0
        if self.where == "no grad":
            self.weight.grad = None
        if self.where == "None":
            return None
        if self.where == "too many":
            return grad_input, grad_input
        return grad_input


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("input", "input was written to by forward"),
        ("running", "weight was written to by forward"),
        ("grad_output", "grad_output was written to by backward"),
        ("weight", "weight was written to by backward"),
        ("output", "output was written to by backward"),
        ("no grad", "grad_weight is missing: expected an array of shape (5, 3), got None"),
        ("None", "grad_input is missing: expected an array of shape (4, 3), got None"),
        ("too many", "backward returned 2 values for 1 input"),
    ],
)
def test_faults_that_are_no_numbers(where, words):
    report = check(random_state(Misbehaving(where)), torch.nn.Linear(3, 5), array((4, 3)))
    assert words in report.faults
    assert not report.ok
    assert words in str(report)


def test_shape_and_dtype_are_compared():
    class Double(nn.Linear):
        def forward(self, x):
            return super().forward(x).astype(np.float64)

        def backward(self, grad_output):
            return super().backward(grad_output.astype(np.float32))

    report = check(random_state(Double(3, 5)), torch.nn.Linear(3, 5), array((4, 3), "float32"))
    assert report["output"].words() == "output has dtype float64, expected float32"

    class Squeezed(nn.Linear):
        def forward(self, x):
            return super().forward(x)[0]

        def backward(self, grad_output):
            return super().backward(np.broadcast_to(grad_output, (4, 5)).copy())

    report = check(random_state(Squeezed(3, 5, dtype=np.float64)), torch.nn.Linear(3, 5), array((4, 3)))
    assert report.words().startswith("output has shape (5,), expected (4, 5)")


def test_a_state_that_does_not_match_is_said():
    report = check(nn.Linear(3, 5, bias=False), torch.nn.Linear(3, 5), array((4, 3), "float32"))
    assert "missing ['bias']" in report.words()
    report = check(nn.Linear(3, 4), torch.nn.Linear(3, 5), array((4, 3), "float32"))
    assert "has shape (4, 3), expected (5, 3)" in report.words()


def test_a_forward_that_returns_nothing_is_said():
    class Silent(nn.ReLU):
        def forward(self, x):
            return None

    report = check(Silent(), torch.nn.ReLU(), array((4, 3)))
    assert "forward returned no floating-point array but NoneType" in report.words()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_values_have_to_be_in_the_same_place(special):
    x = array((4, 3))
    x[1, 2] = special
    assert check(nn.Tanh(), torch.nn.Tanh(), x).ok

    class Cleaned(nn.Identity):
        def forward(self, x):
            return super().forward(np.nan_to_num(x))

    report = check(Cleaned(), torch.nn.Identity(), x)
    assert report["output"].words().startswith("output: 1 of 12 elements differs, the largest at (1, 2)")


def test_zeros_can_be_compared_with_their_signs():
    quantity = Quantity("output", np.array([0.0, 1.0]), np.array([-0.0, 1.0]))
    assert quantity.ok
    assert not quantity.zero_signs_agree


def test_a_loss_gets_a_random_upstream_scalar_and_no_gradient_for_its_target():
    report = check(nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss(), array((4, 3)), np.array([0, 2, 1, 1]))
    report.raise_if_different()
    assert [q.name for q in report.quantities[:2]] == ["output", "grad_input"]


def test_several_outputs_and_indices():
    x = distinct((2, 3, 4, 6))
    ours, theirs = (library.MaxPool2d(2, return_indices=True) for library in (nn, torch.nn))
    report = check(ours, theirs, x)
    report.raise_if_different()
    assert report["output[1]"].expected.dtype == np.int64


def test_a_given_upstream_gradient_is_used():
    grad_output = array((4, 3), seed=9)
    report = check(nn.Identity(), torch.nn.Identity(), array((4, 3)), grad_output=grad_output)
    assert np.array_equal(report["grad_input"].expected, grad_output)


def test_what_finite_differences_cannot_decide_is_not_called_agreement():
    report = check(nn.ReLU(), None, np.zeros((2, 3)))
    assert not report.ok
    assert not report.differs
    assert report.words() == (
        "grad_input: nothing could be decided: every element is at a kink; move the inputs off it"
    )
    assert "unknown" in report.table()
    with pytest.raises(AssertionError, match="nothing could be decided"):
        report.raise_if_different()


def test_a_part_that_cannot_be_decided_is_named_beside_what_agrees():
    x = array((2, 3))
    x[1, 1] = 0.0
    report = check(nn.ReLU(), None, x)
    assert report.ok
    assert report.words() == "All agree. Elements at a kink were left out: 1 of 6 in grad_input."


def test_functions_of_tensors_do_for_a_reference():
    check(nn.ReLU(), torch.nn.functional.relu, array((4, 3))).raise_if_different()


def test_evaluation_mode_is_copied():
    layer = random_state(nn.BatchNorm1d(3, dtype=np.float64)).eval()
    report = check(layer, torch.nn.BatchNorm1d(3), array((4, 3)))
    report.raise_if_different()
    assert np.array_equal(report["buffer running_mean"].got, layer.running_mean)


def test_the_upstream_gradient_is_random_away_from_zero_and_repeatable():
    (one,), (two,), (three,) = (upstream([np.zeros((5, 7))], seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)
    assert np.abs(one).min() >= 0.125
    assert len(np.unique(one)) == one.size
    assert (one > 0).any()
    assert (one < 0).any()


# The budget.


def test_a_near_tie_does_not_loosen_the_budget():
    x = distinct((1, 1, 4, 4))
    plain = check(nn.MaxPool2d(2), torch.nn.MaxPool2d(2), x)["grad_input"].allowed
    x[0, 0, 0, 0] = x[0, 0, :2, :2].max() * (1 + 1e-4)
    near = check(nn.MaxPool2d(2), torch.nn.MaxPool2d(2), x)["grad_input"].allowed
    assert near <= 2 * plain


def test_a_budget_is_worked_out_only_for_an_error_beyond_its_least():
    asked = []
    of_two = budget.Budget(1.0, lambda: asked.append(0) or 2.0)
    assert not of_two.exceeded(np.array([0.0, 1.0])).any()
    assert asked == []
    assert of_two.exceeded(np.array([1.5, 2.0, 2.5])).tolist() == [False, False, True]
    assert of_two.allowed == 2.0
    assert asked == [0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_budget_is_less_than_its_least(dtype):
    x = distinct((2, 3, 7, 5)).astype(dtype)
    report = check(nn.Conv2d(3, 4, 3, dtype=dtype), torch.nn.Conv2d(3, 4, 3), x)
    assert all(quantity.budget.least <= quantity.allowed for quantity in report.quantities)


def test_the_scale_is_the_larger_of_magnitude_and_movement():
    truth = np.array([3.0, -4.0, np.inf])
    assert budget.scale(truth, {0.5: [truth], 0.25: [truth]}) == 4.0
    assert budget.scale(truth, {0.5: [truth + 8], 0.25: [truth + 2]}) == 8.0


def test_the_number_of_terms_is_never_more_than_there_are_numbers():
    assert budget.terms(size=5, products=7 * 15, largest=1000) == 21
    assert budget.terms(size=5, products=10**6, largest=1000) == 1000
    assert budget.terms(size=0, products=0, largest=0) == 1


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)])
def test_the_budget_grows_as_it_was_derived(dtype):
    one = budget.allowance(dtype, 1.0, 1, 0.0)
    assert one == pytest.approx(4 * 2.0**-24 if dtype == np.float32 else 1e-12)
    assert budget.allowance(dtype, 8.0, 1, 0.0) == pytest.approx(8 * one)
    assert budget.allowance(dtype, 1.0, 16, 0.0) == pytest.approx(4 * one if dtype == np.float32 else one)
