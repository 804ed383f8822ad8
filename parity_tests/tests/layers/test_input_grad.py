"""The input's gradient may be left out while training; nothing else changes by that."""

import numpy as np
import pytest

import scratch
from parity_tests.harness.arrays import array
from scratch import models, nn, optim, train

# From a name to the network, the shape of its input, and the first layer, which is the one that saves work.
NETWORKS = {
    "Linear": (lambda: nn.Linear(3, 2), (5, 3), lambda layer: layer),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 5, 4), lambda layer: layer),
    "Conv2d, unbatched": (lambda: nn.Conv2d(2, 3, 3), (2, 5, 4), lambda layer: layer),
    "Sequential": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (5, 3), lambda net: net[0]),
    "two Linear": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), (5, 3), lambda net: net[0]),
    "MLP": (lambda: models.MLP(in_dim=3, use_bn=True), (5, 3), lambda model: model.net[0]),
    "SmallCNN": (lambda: models.SmallCNN(pdrop=0.0), (3, 1, 28, 28), lambda model: model.feat[0]),
    "NatureEncoder": (lambda: models.NatureEncoder(), (1, 4, 84, 84), lambda model: model.conv[0]),
    "ActorCritic": (
        lambda: models.ActorCritic(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), 4, 2),
        (5, 3),
        lambda model: model.backbone[0],
    ),
}


def gradients(model, x, grad_outputs):
    """Return the input's gradient and all parameters', after one forward and backward."""
    model.zero_grad()
    model(x)
    grad_x = model.backward(*grad_outputs)
    return grad_x, {name: parameter.grad.copy() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parameters_gradients_are_the_same_without_the_inputs(name):
    build, shape, first = NETWORKS[name]
    scratch.manual_seed(0)
    model, x = build(), array(shape, "float32", seed=1)
    outputs = model(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    grad_outputs = [array(output.shape, "float32", seed=2 + index) for index, output in enumerate(outputs)]

    grad_x, wanted = gradients(model, x, grad_outputs)
    assert model.requires_input_grad_(False) is model
    assert not first(model).needs_input_grad
    nothing, got = gradients(model, x, grad_outputs)
    assert nothing is None
    assert wanted.keys() == got.keys()
    assert all(wanted[key].tobytes() == got[key].tobytes() for key in wanted)

    model.requires_input_grad_()
    assert gradients(model, x, grad_outputs)[0].tobytes() == grad_x.tobytes()


def test_a_layer_that_can_save_nothing_goes_on_as_before():
    layer = nn.ReLU().requires_input_grad_(False)
    layer(np.array([1.0, -1.0]))
    assert layer.backward(np.array([2.0, 3.0])).tolist() == [2.0, 0.0]
    assert len(nn.Sequential().requires_input_grad_(False)) == 0


@pytest.mark.parametrize("interrupted", [False, True])
def test_training_leaves_it_out_and_gives_it_back(interrupted):
    model = models.MLP()
    first, seen = model.net[0], []

    def on_step(progress):
        seen.append(first.needs_input_grad)
        if interrupted:
            raise KeyboardInterrupt

    data = array((8, 2), "float32", seed=1), np.arange(8) % 2
    options = {"epochs": 1, "batch_size": 4, "on_step": on_step}
    try:
        train.fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), data, data, **options)
    except KeyboardInterrupt:
        assert interrupted
    assert seen == [False] * (1 if interrupted else 2)
    assert first.needs_input_grad
