"""NaN, infinities, signed zeros, denormals, huge numbers and empty batches: the same questions to every layer and loss.

A layer's own test file looks closer at its kinks, ties and extremes. Here each entry of the catalogue, with options
drawn at random, gets one special number into the middle of its input, or of its upstream gradient.

Each test holds both modes to one run of PyTorch's layer, which takes longer than ours.
"""

import copy
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

import scratch
from parity_tests.catalogue import of_kind
from parity_tests.harness.compare import Report, check, run
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.outputs import with_gradient
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.torch_releases import NO_SLOPE_AT_THE_MARGIN

pytestmark = kernels_only  # and the plain functions after them: see `in_both_modes`

ENTRIES = of_kind("layer", "loss")
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
SPECIAL = ["nan", "inf", "-inf", "-0.0", "smallest", "1e15", "1e4", "-1e4"]
CASES = 3

UNLIKE_TORCH = {
    ("ELU", "nan"): "PyTorch's gradient at NaN depends on the dtype and on the array's length",
    ("SELU", "nan"): "as ELU's",
    ("CELU", "nan"): "as ELU's",
    ("Hardtanh", "nan"): "PyTorch's gradient at NaN depends on the dtype and on the array's length",
    ("ReLU6", "nan"): "as Hardtanh's",
    ("Hardswish", "nan"): "as Hardtanh's",
    **dict.fromkeys(
        [("SoftMarginLoss", name) for name in ("inf", "-inf", "1e4", "-1e4", "1e15")],
        "PyTorch overflows where the score's sign is wrong: see test_likelihoods_and_margins.py",
    ),
    ("GELU", "inf"): "PyTorch's float32 vector code gives NaN, its float64 code infinity, as we do",
}
UNLIKE_TORCH_IN_FLOAT32 = {
    # The weight's gradient where a patch is partly cut off: there the gradient is 0, and 0 times infinity is NaN.
    (f"ConvTranspose{axes}d", name): "PyTorch's float32 code leaves out what its float64 code multiplies, as we do"
    for axes in (1, 2)
    for name in ("nan", "inf", "-inf")
}
if not NO_SLOPE_AT_THE_MARGIN:
    # With a margin of 0, a zero lies exactly at it; next to 1e15, float32 loses a margin altogether.
    UNLIKE_TORCH["HingeEmbeddingLoss", "-0.0"] = "this PyTorch takes another slope exactly at the margin"
    UNLIKE_TORCH_IN_FLOAT32["TripletMarginLoss", "1e15"] = "as HingeEmbeddingLoss's"
REINFORCEMENT = {"PolicyGradientLoss", "Entropy", "ActorCriticLoss"}


@functools.cache
def drawn(entry, dtype, seed):
    """Return a case that many tests share: they leave its layers and its arrays as they are."""
    return entry.case(dtype, seed, batch=3)


def in_both_modes(case, seed, grad_output=None):
    """Return the kernels' report, and the plain functions' with the same expectations and budgets."""
    fast = (
        case.check(seed)
        if grad_output is None
        else check(case.layer, case.reference, *case.inputs, grad_output=grad_output, seed=seed)
    )
    plain = Report(f"plain: {fast.title}")
    with scratch.plain():
        got, *_ = run(copy.deepcopy(case.layer), case.inputs, grad_output, seed, plain.faults)
    assert {name for name, values in got.items() if values is not None} == {one.name for one in fast.quantities}
    plain.quantities = [replace(one, got=got[one.name]) for one in fast.quantities]
    return fast, plain


def with_special(values, name):
    """Return a copy with the number of that name in its middle."""
    values = np.array(values, order="C")
    number = np.finfo(values.dtype).smallest_subnormal if name == "smallest" else float(name)
    values.reshape(-1)[values.size // 2] = number
    return values


def with_special_input(case, name):
    """Return a case with one special number in its input; if that is indices, in the numbers that they look up."""
    x, *others = case.inputs
    if x.dtype.kind == "f":
        return replace(case, inputs=(with_special(x, name), *others), budgets={})
    layer = copy.deepcopy(case.layer)
    parameter = next(layer.parameters())
    parameter.data = with_special(parameter.data, name)
    return replace(case, layer=layer, budgets={})


@each_entry
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SPECIAL)
def test_one_in_the_input(entry, name, dtype):
    if (entry.name, name) in UNLIKE_TORCH:
        pytest.skip(UNLIKE_TORCH[entry.name, name])
    if dtype == "float32" and (entry.name, name) in UNLIKE_TORCH_IN_FLOAT32:
        pytest.skip(UNLIKE_TORCH_IN_FLOAT32[entry.name, name])
    for seed in range(CASES):
        case = with_special_input(drawn(entry, dtype, seed), name)
        x = case.inputs[0]
        if entry.name == "BCELoss" and not 0 <= x.reshape(-1)[x.size // 2] <= 1:
            torchs = [torch.tensor(x) for x in case.inputs]
            for mode in (False, True):
                with scratch.plain(mode):
                    refuses_as_torch(lambda: case.layer(*case.inputs), lambda: case.reference(*torchs))  # noqa: B023
        else:
            for report in in_both_modes(case, seed):
                report.raise_if_different()


@each_entry
@pytest.mark.parametrize("name", ["nan", "inf", "-0.0"])
def test_one_in_the_upstream_gradient(entry, name):
    """NaN and -0.0 give PyTorch's numbers. Infinity gives its finite numbers, with the rest in the same places.

    Whether the rest is NaN or infinity depends on the order of a sum.
    """
    for seed in range(CASES):
        case = drawn(entry, "float64", seed)
        with np.errstate(all="ignore"):
            outputs = with_gradient(copy.deepcopy(case.layer)(*case.inputs))
        rng = np.random.default_rng(seed)
        grad_output = tuple(with_special(rng.normal(size=output.shape), name) for output in outputs)
        for report in in_both_modes(case, seed, grad_output=grad_output):
            assert not report.faults
            for quantity in report.quantities:
                both = ~np.isfinite(quantity.got) & ~np.isfinite(quantity.expected)
                assert not (quantity.different & ~(both & (name == "inf"))).any(), report


@each_entry
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_empty_batch(entry, dtype):
    """With an empty batch the outputs are empty, sums 0, means NaN, and the parameters' gradients 0."""
    if entry.name in REINFORCEMENT:
        pytest.skip("refused, on purpose: see test_actor_critic.py")
    if entry.name in ("PixelShuffle", "PixelUnshuffle"):
        pytest.skip("PyTorch's own shapes are wrong there: see test_pixel_shuffle.py")
    for seed in range(2 * CASES):
        for report in in_both_modes(entry.case(dtype, seed, batch=0), seed):
            report.raise_if_different()


@each_entry
@pytest.mark.parametrize("layout", ["read-only", "reversed", "broadcast"])
def test_any_memory_will_do(entry, layout):
    """An input that is read-only, reversed or broadcast (strides of 0) gives PyTorch's numbers all the same."""
    if entry.name == "Dropout":
        pytest.skip("masks follow the memory, as PyTorch's do: see test_random.py")
    case = drawn(entry, "float64", 1)
    x = np.array(case.inputs[0])
    if layout == "reversed":
        x = x[::-1]
    elif layout == "broadcast":
        x = np.broadcast_to(x[:1], x.shape)
    x.flags.writeable = False
    for report in in_both_modes(replace(case, inputs=(x, *case.inputs[1:]), budgets={}), 1):
        report.raise_if_different()
