"""All layers: where PyTorch refuses, scratch raises the same kind of error; where it does not, the numbers agree.

What only a single layer refuses, options or shapes, is in its test file. Here each entry of the catalogue, with options
drawn at random, gets inputs that it was not made for.
"""

import numpy as np
import pytest
import torch

from parity_tests.catalogue import LayerCase, of_kind
from parity_tests.harness.refusals import refuses_as_torch

ENTRIES = [entry for entry in of_kind("layer", "loss") if entry.name != "Identity"]  # which refuses nothing
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
CASES = 4

# PyTorch warns about what it broadcasts, copies or will one day refuse.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using", "ignore:Initializing zero-element", "ignore:[dD]ropout2d", "ignore:input's size"
)

CHANGES = {
    "a leading axis more": lambda shape: (2, *shape),
    "an axis less": lambda shape: shape[1:],
    "no axis": lambda shape: (),
    "a longer first axis": lambda shape: (shape[0] + 1, *shape[1:]) if shape else (),
    "a longer second axis": lambda shape: (*shape[:1], shape[1] + 1, *shape[2:]) if len(shape) > 1 else shape,
    "a longer last axis": lambda shape: (*shape[:-1], shape[-1] + 1) if shape else (),
    "an empty second axis": lambda shape: (*shape[:1], 0, *shape[2:]) if len(shape) > 1 else shape,
    "an empty last axis": lambda shape: (*shape[:-1], 0) if shape else (),
}


def torch_run(case, inputs, grad_output=None):
    """Run PyTorch forward and backward, in the dtype of the layer's parameters."""
    reference = case.reference
    dtype = next((p.dtype for p in case.layer.parameters()), None)
    if isinstance(reference, torch.nn.Module):
        reference = reference.to(torch.float32 if dtype == np.float32 else torch.float64).train(case.layer.training)
    tensors = [torch.tensor(np.array(x)) for x in inputs]
    tensors[0].requires_grad_(tensors[0].is_floating_point())
    output = reference(*tensors)
    output = output[0] if isinstance(output, tuple) else output
    output.backward(torch.randn_like(output) if grad_output is None else grad_output)


TRANSFORMERS = [
    "Transformer",
    *[f"Transformer{part}{kind}" for part in ("Encoder", "Decoder") for kind in ("", "Layer")],
]

# Where PyTorch fails later, or only in its backward; ours is a RuntimeError before anything is computed.
ANOTHER_KIND = {
    ("AvgPool2d", "no axis"): "IndexError",
    ("AdaptiveAvgPool2d", "no axis"): "ValueError",
    ("AdaptiveAvgPool1d", "an empty second axis"): "its backward refuses what its forward takes",
    ("RMSNorm", "no axis"): "ValueError",
    ("AdaptiveAvgPool2d", "an empty second axis"): "its backward refuses what its forward takes",
    **{(f"Conv{n}d", "a leading axis more"): "NotImplementedError, for padding by reflection" for n in (1, 2)},
    **{
        (f"{kind}Pad{n}d", "no axis"): "NotImplementedError for any other number of axes, as ours for this one"
        for kind in ("Reflection", "Replication")
        for n in (1, 2)
    },
    ("PixelShuffle", "an empty second axis"): "its backward refuses what its forward takes",
    ("PixelShuffle", "an empty last axis"): "its backward refuses what its forward takes",
    ("PixelUnshuffle", "an empty second axis"): "its output has the input's shape",
    ("PixelUnshuffle", "an empty last axis"): "its output has the input's shape",
    **{
        (name, change): "AssertionError"
        for name in ("MultiheadAttention", *TRANSFORMERS)
        for change in ("a leading axis more", "an axis less", "no axis", "a longer last axis", "an empty last axis")
    },
    **{
        (name, change): "AssertionError for a padding mask of another batch"
        for name in TRANSFORMERS
        for change in ("a longer first axis", "a longer second axis", "an empty second axis")
    },
}


@pytest.mark.parametrize("entry", of_kind("layer"), ids=lambda entry: entry.name)
@pytest.mark.parametrize("change", CHANGES)
def test_another_shape(entry, change):
    """What PyTorch takes is either taken, with PyTorch's numbers, or, where we are stricter, refused with a message."""
    if (entry.name, change) in ANOTHER_KIND:
        pytest.skip(ANOTHER_KIND[entry.name, change])
    for seed in range(CASES):
        case = entry.case("float64", seed, batch=3)
        x, *others = case.inputs
        inputs = (np.full(CHANGES[change](x.shape), 0.5).astype(x.dtype), *others)
        try:
            torch_run(case, inputs)
        except Exception:
            refuses_as_torch(lambda: case.layer(*inputs), lambda: torch_run(case, inputs))  # noqa: B023
            continue
        try:
            case.layer(*inputs)
        except RuntimeError as refusal:
            if f"{entry.name}: expected" not in str(refusal):
                raise
        else:
            LayerCase(case.layer, case.reference, inputs).check(seed).raise_if_different()


@each_entry
def test_another_dtype_than_its_numbers(entry):
    """Integers are refused, and so is float32 by a layer of float64 parameters, with PyTorch's kind of error.

    A layer that takes indices refuses any other numbers.
    """
    case = entry.case("float64", 0, batch=3)
    x = np.array(case.inputs[0])
    if x.dtype.kind == "i":
        for dtype in ("float64", "float32", "int16", "bool"):
            wrong = x.astype(dtype)
            said = refuses_as_torch(lambda: case.layer(wrong), lambda: torch_run(case, (wrong,)))  # noqa: B023
            assert f"expected input of dtype int64 or int32, got {dtype}" in said
        return
    with pytest.raises((TypeError, RuntimeError), match=r"\w+: expected .* of dtype .*float64, got int64"):
        case.layer(x.astype(np.int64), *case.inputs[1:])
    if list(case.layer.parameters()):
        with pytest.raises(RuntimeError, match="float64, got float32"):
            case.layer(x.astype(np.float32), *case.inputs[1:])


@each_entry
def test_what_is_no_array(entry):
    case = entry.case("float64", 0, batch=3)
    for wrong in (case.inputs[0].tolist(), None, 1.5):
        with pytest.raises(TypeError, match=r"numpy\.ndarray"):
            case.layer(wrong, *case.inputs[1:])


@each_entry
def test_backward_before_forward(entry):
    case = entry.case("float64", 0, batch=3)
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        case.layer.backward(np.ones(()))


@each_entry
def test_an_upstream_gradient_that_does_not_fit(entry):
    """Another shape raises PyTorch's kind of error; another dtype is refused even if PyTorch takes it."""
    case = entry.case("float64", 0, batch=3)
    output = case.layer(*case.inputs)
    output = output[0] if isinstance(output, tuple) else output
    wrong = np.ones((*np.shape(output), 2))
    refuses_as_torch(lambda: case.layer.backward(wrong), lambda: torch_run(case, case.inputs, torch.tensor(wrong)))
    if np.ndim(output):
        with pytest.raises(RuntimeError, match="dtype float64, got float32"):
            case.layer.backward(np.ones(np.shape(output), np.float32))
