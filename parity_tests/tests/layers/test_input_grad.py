"""The input's gradient may be left out while training, and nothing else changes."""

import weakref

import numpy as np
import pytest

import scratch
from parity_tests.harness.arrays import array
from scratch import models, nn, optim, train

LAYERS = {
    "ReLU": (nn.ReLU, (5, 3)),
    "Softmax": (lambda: nn.Softmax(1), (5, 3)),
    "Dropout, in evaluation": (lambda: nn.Dropout().eval(), (5, 3)),
    "Linear": (lambda: nn.Linear(3, 2), (5, 3)),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 5, 4)),
    "Conv2d, unbatched": (lambda: nn.Conv2d(2, 3, 3), (2, 5, 4)),
}
MODELS = {
    "Sequential": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (5, 3)),
    "two Linear": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), (5, 3)),
    "Sequential in another": (
        lambda: nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), nn.ReLU()),
        (5, 3, 2),
    ),
    "MLP": (lambda: models.MLP(in_dim=3, use_bn=True), (5, 3)),
    "SmallCNN": (lambda: models.SmallCNN(pdrop=0.0), (3, 1, 28, 28)),
    "NatureEncoder": (lambda: models.NatureEncoder(), (1, 4, 84, 84)),
    "ActorCritic": (lambda: models.ActorCritic(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), 4, 2), (5, 3)),
}


def gradients(model, x, grad_outputs):
    """Return the input's gradient and all parameters', after one forward and backward."""
    model.zero_grad()
    model(x)
    grad_x = model.backward(*grad_outputs)
    return grad_x, {name: parameter.grad.copy() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", [*LAYERS, *MODELS])
def test_the_parameters_gradients_are_the_same_without_the_inputs(name):
    build, shape = (LAYERS | MODELS)[name]
    scratch.manual_seed(0)
    model, x = build(), array(shape, "float32", seed=1)
    with scratch.no_grad():
        outputs = model(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    grad_outputs = [array(output.shape, "float32", seed=2 + index) for index, output in enumerate(outputs)]

    grad_x, wanted = gradients(model, x, grad_outputs)
    assert model.requires_input_grad_(False) is model
    nothing, got = gradients(model, x, grad_outputs)
    if name in LAYERS:
        assert nothing is None
    else:  # a layer inside of the model: what it returns has to go through the model's sums
        assert (nothing.shape, nothing.dtype) == (x.shape, x.dtype)
        assert np.isnan(nothing).all()
        assert nothing.strides == (0,) * x.ndim  # one number, and no work
    assert wanted.keys() == got.keys()
    assert all(wanted[key].tobytes() == got[key].tobytes() for key in wanted)

    model.requires_input_grad_()
    assert gradients(model, x, grad_outputs)[0].tobytes() == grad_x.tobytes()


def test_what_is_made_of_the_input_without_parameters_needs_no_gradient_either():
    model = nn.Sequential(nn.Flatten(), nn.Sigmoid(), nn.Dropout(0.5), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    model.requires_input_grad_(False)
    model(array((5, 3, 2), "float32"))
    grads = [array((5, 2), "float32")]
    for layer in reversed(list(model)):
        grads.append(layer.backward(grads[-1]))
    assert [bool(np.isnan(grad).any()) for grad in grads] == [False, False, False, True, True, True, True]


def test_an_empty_model_returns_the_gradient_that_it_is_given():
    model, g = nn.Sequential().requires_input_grad_(False), array((5, 3))
    assert len(model) == 0
    assert model(g) is g
    assert model.backward(g) is g


@pytest.mark.parametrize("interrupted", [False, True])
def test_training_leaves_it_out_and_gives_it_back(interrupted):
    model = models.MLP()
    seen = []

    def on_step(progress):
        seen.append(model.needs_input_grad)
        if interrupted:
            raise KeyboardInterrupt

    data = array((8, 2), "float32", seed=1), np.arange(8) % 2
    options = {"epochs": 1, "batch_size": 4, "on_step": on_step}
    try:
        train.fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), data, data, **options)
    except KeyboardInterrupt:
        assert interrupted
    assert seen == [False] * (1 if interrupted else 2)
    assert model.needs_input_grad


def test_an_inner_layer_that_was_told_so_is_named_by_its_neighbour():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    model[2].requires_input_grad_(False)
    model(array((4, 2), "float32"))
    with pytest.raises(TypeError, match=r"ReLU: expected grad_output .* got None; .* requires_input_grad_\(False\)"):
        model.backward(array((4, 2), "float32"))


def test_a_constant_lives_as_long_as_the_forward_that_knows_it():
    """It is recognized by its ``id``, which another array might get once it is gone."""

    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.bend = nn.GELU()

        def forward(self, x):
            dropped = weakref.ref(self.bend(x))
            assert dropped() is not None
            return x

    Forgetful().requires_input_grad_(False)(np.ones((2, 3)))
