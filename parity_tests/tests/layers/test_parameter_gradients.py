"""The functions of a layer return each parameter's gradient in the shape in which they get the parameter."""

import inspect

import numpy as np
import pytest

from parity_tests.catalogue import of_kind
from parity_tests.harness.outputs import upstream_for
from scratch import dispatch
from scratch.nn.layer import Layer


def takes_its_parameters(layer):  # a stack of recurrent layers has more of them than its functions
    functions = getattr(layer, "functions", None)
    named = set(inspect.signature(functions[0]).parameters) if functions else set()
    return isinstance(layer, Layer) and layer.learned and set(layer.learned) <= named


ENTRIES = [entry for entry in of_kind("layer") if takes_its_parameters(entry.case("float64", 0).layer)]


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_gradients_have_their_parameters_shapes(entry, monkeypatch):
    calls = []
    for seed in range(6):
        case = entry.case("float64", seed)
        layer = case.layer.train(seed % 2 == 0)
        for name in [name for name in dir(type(layer)) if name.startswith("functions")]:
            pair = getattr(layer, name)
            plan = dispatch.plan(pair)

            def forward(*arguments, plan=plan):
                calls.append(inspect.signature(plan.forward).bind(*arguments).arguments)
                return plan.forward(*arguments)

            def backward(*arguments, plan=plan, layer=layer):
                grads, handed = plan.backward(*arguments), calls[-1]
                for learned, grad in zip(layer.learned, grads[layer.grad_inputs :], strict=True):
                    # Nobody reads the gradient of an absent parameter, whose stand-in need not be an array.
                    if getattr(layer, learned) is not None:
                        assert grad.shape == handed[learned].shape, learned
                return grads

            noted = plan._replace(forward=forward, quiet_forward=forward, backward=backward, quiet_backward=backward)
            monkeypatch.setitem(dispatch.plans.get(), pair, noted)
        layer.backward(*upstream_for(layer(*case.inputs), np.random.default_rng(seed)))
        monkeypatch.undo()
    assert calls
