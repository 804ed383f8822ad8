"""The same optimizer in both engines on the same parameters, for the optimizers' tests to step and compare."""

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from parity_tests.harness.strategies import array
from scratch import optim
from scratch.nn import Parameter

SHAPES = [(3, 4), (5,), (), (2, 3, 1, 2), (0, 3)]
BOUND = {"float64": 1e-11, "float32": 2e-4}

booleans = st.booleans()
decays = st.sampled_from([0.0, 0.05])
sgd = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 0.01]),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "dampening": st.sampled_from([0.0, 0.3]),
        "nesterov": booleans,
        "weight_decay": decays,
        "maximize": booleans,
    }
).map(lambda options: options | {"dampening": 0.0, "momentum": 0.9} if options["nesterov"] else options)
adam = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 0.01]),
        "betas": st.sampled_from([(0.9, 0.999), (0.3, 0.6), (0.0, 0.9), (0.9, 0.0)]),
        "eps": st.sampled_from([1e-8, 1e-2]),
        "weight_decay": decays,
        "amsgrad": booleans,
        "maximize": booleans,
    }
)
# RAdam divides by v from the seventh step on where beta2 is 0.8, and never where it is 0.6.
radam = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 0.01]),
        "betas": st.sampled_from([(0.9, 0.999), (0.3, 0.8), (0.0, 0.9), (0.9, 0.6)]),
        "eps": st.sampled_from([1e-8, 1e-2]),
        "weight_decay": decays,
        "decoupled_weight_decay": booleans,
        "maximize": booleans,
    }
)
nadam = st.tuples(radam, st.sampled_from([4e-3, 0.0, 0.5])).map(lambda both: both[0] | {"momentum_decay": both[1]})
rmsprop = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 0.01]),
        "alpha": st.sampled_from([0.99, 0.9, 0.5]),
        "eps": st.sampled_from([1e-8, 1e-2]),
        "weight_decay": decays,
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "centered": booleans,
        "maximize": booleans,
    }
)
adagrad = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 0.1]),
        "lr_decay": st.sampled_from([0.0, 0.3]),
        "weight_decay": decays,
        "initial_accumulator_value": st.sampled_from([0.0, 0.4]),
        "eps": st.sampled_from([1e-10, 1e-2]),
        "maximize": booleans,
    }
)
adadelta = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 1.0, 0.3]),
        "rho": st.sampled_from([0.9, 0.5, 0.0, 1.0]),
        "eps": st.sampled_from([1e-6, 1e-2]),
        "weight_decay": decays,
        "maximize": booleans,
    }
)
cases = st.one_of(
    st.tuples(st.just("SGD"), sgd),
    st.tuples(st.sampled_from(["Adam", "AdamW"]), adam),
    st.tuples(st.just("NAdam"), nadam),
    st.tuples(st.just("RAdam"), radam),
    st.tuples(st.just("RMSprop"), rmsprop),
    st.tuples(st.just("Adagrad"), adagrad),
    st.tuples(st.just("Adadelta"), adadelta),
)
NAMES = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta"]
EACH = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.01, "momentum": 1.0}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "weight_decay": 1.0}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 1.0}),
    ("NAdam", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1, "betas": (0.7, 0.9), "momentum_decay": 0.3, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 1.0, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1, "betas": (0.7, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.1, "weight_decay": 1.0, "decoupled_weight_decay": True}),
    ("RMSprop", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "initial_accumulator_value": 0.5, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.7, "rho": 0.6, "eps": 1e-3, "weight_decay": 0.1}),
]
each_optimizer = pytest.mark.parametrize(("name", "options"), EACH, ids=str)


class Pair:
    """The same parameters and the same optimizer in both engines."""

    def __init__(self, name, options, dtype="float64", seed=0, shapes=SHAPES, layout="C", groups=None):
        self.dtype, self.rng = dtype, np.random.default_rng(seed)
        values = [array(shape, dtype, seed=seed + i, layout=layout) for i, shape in enumerate(shapes)]
        self.ours = [Parameter(np.copy(value, order="K")) for value in values]
        self.torchs = [torch.nn.Parameter(torch.tensor(np.array(value))) for value in values]
        self.optimizer = getattr(optim, name)(split(self.ours, groups), **options)
        self.torch_optimizer = getattr(torch.optim, name)(split(self.torchs, groups), **options)

    def give_gradients(self, absent=0.0):
        """Give both the gradient of a bowl plus noise, and None to about a share ``absent`` of the parameters."""
        for ours, torchs in zip(self.ours, self.torchs, strict=True):
            ours.grad = torchs.grad = None
            if self.rng.random() >= absent:
                noise = np.asarray(self.rng.normal(size=ours.shape)).astype(self.dtype)
                ours.grad = np.asarray(0.3 * torchs.detach().numpy() + noise)
                torchs.grad = torch.tensor(ours.grad)

    def step(self, count=1, absent=0.0):
        """Take steps with both, and check that ours leaves the gradients unchanged."""
        for _ in range(count):
            self.give_gradients(absent)
            before = [None if parameter.grad is None else parameter.grad.copy() for parameter in self.ours]
            self.optimizer.step()
            self.torch_optimizer.step()
            for parameter, grad in zip(self.ours, before, strict=True):
                np.testing.assert_array_equal(parameter.grad, grad)

    def load_into_torchs(self, state):
        """Load a state into PyTorch's optimizer, with NAdam's products in float32, as they were saved.

        PyTorch converts them to the parameters' dtype, and goes on from there otherwise than without the load.
        """
        self.torch_optimizer.load_state_dict(state)
        for entry in self.torch_optimizer.state.values():
            if "mu_product" in entry:
                entry["mu_product"] = entry["mu_product"].float()

    def compare(self):
        """Compare the parameters, the states and the groups' options."""
        for ours, torchs in zip(self.ours, self.torchs, strict=True):
            assert ours.data.shape == torchs.shape
            assert ours.data.dtype == self.dtype
            close(ours.data, torchs.detach().numpy(), self.dtype)
        ours, torchs = self.optimizer.state_dict(), self.torch_optimizer.state_dict()
        assert ours["state"].keys() == torchs["state"].keys()
        for number, state in ours["state"].items():
            assert state.keys() == torchs["state"][number].keys()
            for key, value in state.items():
                expected = torchs["state"][number][key].numpy()
                assert value.dtype == expected.dtype
                close(value, expected, self.dtype)
        for group, expected in zip(ours["param_groups"], torchs["param_groups"], strict=True):
            for key in {"params", *self.optimizer.defaults}:
                assert group[key] == expected[key]


def close(found, expected, dtype):
    """Raise unless the numbers agree as closely as hundreds of rounded steps allow."""
    bound = BOUND[dtype] * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def split(params, groups):
    """Return the parameters in two groups, the second with ``groups`` as its options; as they are if it is None."""
    if groups is None:
        return params
    return [{"params": params[:2]}, {"params": params[2:], **groups}]
