"""Outputs and gradients have the dtype of the layer's numbers: nothing becomes float64 on the way."""

import numpy as np
import pytest

import scratch
from parity_tests.catalogue import of_kind
from parity_tests.harness.outputs import upstream_for, with_gradient

ENTRIES = of_kind("layer", "loss")


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_and_gradients_have_the_layers_dtype(entry, plain, dtype):
    with scratch.plain(plain), np.errstate(all="ignore"):
        for seed in range(6):
            case = entry.case(dtype, seed, batch=3)
            returned = case.layer(*case.inputs)
            grads = case.layer.backward(*upstream_for(returned, np.random.default_rng(0)))
            grads = grads if isinstance(grads, tuple) else (grads,)
            found = [*with_gradient(returned), *grads, *[parameter.grad for parameter in case.layer.parameters()]]
            assert {one.dtype.name for one in found if one is not None} == {dtype}
