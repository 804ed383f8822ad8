"""Initial values: after the same seed, ``scratch`` builds the layers and models that PyTorch builds, bit for bit."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.catalogue import of_kind
from parity_tests.harness.strategies import dtypes
from parity_tests.harness.torch_releases import TRUNCATES_BY_REJECTION
from parity_tests.tests.engine.test_random import SPECIAL_SEEDS, seed_both, seeds, x86_functions
from scratch import models, nn, random
from scratch.nn import init
from torch_ref import models as torch_models
from torch_ref import random as torch_random

LAYERS = [
    ("Linear", (3, 5), {}),
    ("Linear", (784, 10), {"bias": False}),
    ("Linear", (3136, 128), {}),
    ("Linear", (1, 1), {}),
    ("Conv2d", (1, 32, 3), {"padding": 1}),
    ("Conv2d", (6, 9, (2, 5)), {"groups": 3, "stride": 2}),
    ("Conv2d", (4, 4, 1), {"bias": False}),
    ("Conv1d", (6, 9, 5), {"groups": 3, "stride": 2}),
    ("ConvTranspose2d", (6, 9, (2, 5)), {"groups": 3, "stride": 2, "output_padding": 1}),
    ("ConvTranspose1d", (4, 2, 3), {}),
    ("BatchNorm1d", (5,), {}),
    ("BatchNorm2d", (5,), {"affine": False}),
    ("LayerNorm", ((4, 5),), {}),
    ("GroupNorm", (2, 6), {}),
]
MODELS = [
    ("MLP", {}),
    ("MLP", {"in_dim": 7, "hid": 33, "out_dim": 3, "pdrop": 0.1, "use_bn": True}),
    ("SmallCNN", {}),
    ("SmallCNN", {"num_classes": 3}),
]
shapes = st.lists(st.integers(0, 7), min_size=2, max_size=4).map(tuple)
DRAWS = ["uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"]


def assert_same_state(ours, theirs):
    theirs = {key: value.numpy() for key, value in theirs.state_dict().items()}
    ours = ours.state_dict()
    assert list(ours) == list(theirs)
    for key in ours:
        assert ours[key].dtype == theirs[key].dtype
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    assert random.get_state() == torch_random.get_state()


@pytest.mark.parametrize("seed", [*SPECIAL_SEEDS, 12345])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers(seed, dtype):
    """Build all of them in a row after one seeding: each must also leave the generator in PyTorch's state."""
    seed_both(seed)
    for name, arguments, options in LAYERS:
        ours = getattr(nn, name)(*arguments, **options, dtype=np.dtype(dtype))
        theirs = getattr(torch.nn, name)(*arguments, **options, dtype=getattr(torch, dtype))
        assert_same_state(ours, theirs)
        for layer in (ours, theirs):
            layer.reset_parameters()
        assert_same_state(ours, theirs)


@pytest.mark.parametrize("entry", of_kind("layer"), ids=lambda entry: entry.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_of_the_catalogue_begins_as_torchs(entry, dtype):
    for seed in range(4):
        case = entry.case(dtype, seed)
        case.reference.to(getattr(torch, dtype))
        seed_both(seed)
        for model in (case.layer, case.reference):
            for module in model.modules():
                for name in ("reset_parameters", "_reset_parameters"):
                    getattr(module, name, lambda: None)()
        assert_same_state(case.layer, case.reference)


@pytest.mark.parametrize(("name", "options"), MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_models(name, options, dtype):
    for seed in SPECIAL_SEEDS[:5]:
        seed_both(seed)
        ours = getattr(models, name)(**options, dtype=np.dtype(dtype))
        theirs = getattr(torch_models, name)(**options, dtype=getattr(torch, dtype))
        assert_same_state(ours, theirs)


@given(seed=seeds, shape=shapes, dtype=dtypes, name=st.sampled_from(DRAWS), data=st.data())
def test_initializers(seed, shape, dtype, name, data):
    options = {}
    if name.startswith("kaiming"):
        options["mode"] = data.draw(st.sampled_from(["fan_in", "fan_out"]))
        options["nonlinearity"] = data.draw(st.sampled_from(["leaky_relu", "relu", "tanh", "linear", "selu"]))
        options["a"] = data.draw(st.sampled_from([0, 0.01, 0.2, math.sqrt(5)]))
    elif name.startswith("xavier"):
        options["gain"] = data.draw(st.sampled_from([1.0, math.sqrt(2), 5 / 3]))
    if 0 in shape and name.startswith(("xavier", "kaiming")):
        shape = tuple(side + 1 for side in shape)
    target, tensor = nn.Parameter(np.empty(shape, dtype)), torch.empty(shape, dtype=getattr(torch, dtype))
    seed_both(seed)
    assert getattr(init, name)(target, **options) is target
    getattr(torch.nn.init, name)(tensor, **options)
    if "uniform" in name or dtype == "float64" or x86_functions():
        np.testing.assert_array_equal(target.data, tensor.numpy())
    assert random.get_state() == torch_random.get_state()


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("shape", [(1, 1), (4, 6)])
def test_defaults_are_torchs(name, shape):
    seed_both(5)
    ours = getattr(init, name)(np.empty(shape))
    theirs = getattr(torch.nn.init, name)(torch.empty(shape, dtype=torch.float64))
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_orthogonals_default_and_shapes_are_torchs(shape):
    seed_both(5)
    ours = init.orthogonal_(np.empty(shape))
    theirs = torch.nn.init.orthogonal_(torch.empty(shape, dtype=torch.float64))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-13)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_layer_without_inputs_has_a_bias_of_zeros_as_in_torch():
    np.testing.assert_array_equal(nn.Linear(0, 3).bias.data, torch.nn.Linear(0, 3).bias.detach().numpy())
    assert not nn.Linear(0, 3).bias.data.any()


@given(seed=seeds, shape=shapes, dtype=dtypes, gain=st.sampled_from([1.0, math.sqrt(2), 0.01]))
def test_orthogonal(seed, shape, dtype, gain):
    """Rows or columns are orthonormal, and equal to PyTorch's, from the same draws, up to the factorization's rounding.

    The result is the orthogonal factor of a random matrix that may be ill-conditioned, so the allowed difference is
    the rounding of the entries times the condition number.
    """
    seed_both(seed)
    ours = init.orthogonal_(np.empty(shape, dtype), gain)
    theirs = torch.nn.init.orthogonal_(torch.empty(shape, dtype=getattr(torch, dtype)), gain).numpy()
    assert random.get_state() == torch_random.get_state()
    if ours.size == 0:
        return
    rows = ours.reshape(shape[0], -1).astype(np.float64) / gain
    eps = np.finfo(dtype).eps
    gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=50 * eps)
    random.manual_seed(seed)
    drawn = random.randn(*rows.shape, dtype=dtype)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=50 * eps * gain * np.linalg.cond(drawn))


BOUNDS = [
    {},
    {"std": 0.02},
    {"mean": 1.5, "std": 2.0},
    {"a": -0.1, "b": 0.4},
    {"a": 1.0, "b": 3.0},
    {"a": -3.0, "b": -1.0, "mean": 0.5, "std": 0.9},
    {"mean": -1.0, "a": -1.0, "b": np.inf},
]


@pytest.mark.skipif(not TRUNCATES_BY_REJECTION, reason="this release of PyTorch draws other numbers")
@given(seed=seeds, shape=shapes, dtype=dtypes, options=st.sampled_from(BOUNDS))
def test_truncated_normal(seed, shape, dtype, options):
    target, tensor = nn.Parameter(np.empty(shape, dtype)), torch.empty(shape, dtype=getattr(torch, dtype))
    seed_both(seed)
    assert init.trunc_normal_(target, **options) is target
    torch.nn.init.trunc_normal_(tensor, **options)
    if dtype == "float64" or x86_functions():
        np.testing.assert_array_equal(target.data, tensor.numpy())
        assert random.get_state() == torch_random.get_state()
    assert target.data.dtype == dtype


@pytest.mark.parametrize("options", BOUNDS)
def test_truncated_normals_are_distributed_as_a_normal_number_within_the_bounds(options):
    """Their distribution function is the normal one, stretched from its values at the bounds to 0 and 1."""
    random.manual_seed(0)
    x = np.sort(init.trunc_normal_(np.empty(20_000), **options))
    mean, std, a, b = ({"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0} | options).values()
    assert a <= x[0] <= x[-1] <= b
    share = np.array([math.erf((one - mean) / std / math.sqrt(2)) for one in (a, b, *x)])
    expected = (share[2:] - share[0]) / (share[1] - share[0])
    assert np.abs(expected - np.arange(len(x)) / len(x)).max() < 0.015


def test_truncated_normal_fills_any_layout_and_generator():
    target = np.empty((4, 6)).T
    init.trunc_normal_(target, generator=random.Generator(3))
    if TRUNCATES_BY_REJECTION:
        theirs = torch.nn.init.trunc_normal_(
            torch.empty((4, 6), dtype=torch.float64).T, generator=torch.Generator().manual_seed(3)
        )
        np.testing.assert_array_equal(target, theirs.numpy())
    assert (np.abs(target) <= 2).all()


def test_truncated_normal_warns_and_refuses():
    for module, array in ((init, np.empty(3)), (torch.nn.init, torch.empty(3))):
        with pytest.warns(UserWarning, match="mean.* is more than 2 std from"):
            module.trunc_normal_(array, mean=5.0)
        with pytest.raises(RuntimeError, match="uniform_"):
            module.trunc_normal_(array, a=1.0, b=-1.0)
    for std in (0.0, -1.0, math.nan):
        with pytest.raises(RuntimeError, match=f"trunc_normal_: expected std of more than 0, got {std}"):
            init.trunc_normal_(np.empty(3), std=std)


def test_constants_and_arrays():
    array = np.empty((2, 3), np.float32)
    assert init.ones_(array) is array
    assert (array == 1).all()
    assert (init.zeros_(array) == 0).all()
    assert (init.constant_(nn.Parameter(array), 0.3).data == np.float32(0.3)).all()


def test_empty_weights_draw_nothing():
    random.manual_seed(0)
    before = random.get_state()
    init.kaiming_uniform_(np.empty((3, 0)))
    init.kaiming_normal_(np.empty((0, 3)))
    assert random.get_state() == before


def test_a_generator_of_ones_own():
    ours, theirs = random.Generator(3), torch.Generator().manual_seed(3)
    before = random.get_state()
    for name in [*DRAWS, "orthogonal_"]:
        getattr(init, name)(np.empty((2, 3)), generator=ours)
        getattr(torch.nn.init, name)(torch.empty((2, 3), dtype=torch.float64), generator=theirs)
    assert random.rand(1, generator=ours) == torch.rand(1, generator=theirs).numpy()
    assert random.get_state() == before


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
@pytest.mark.parametrize("param", [None, 0.2, 1])
def test_gains(name, param):
    assert init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


def test_an_unknown_gain_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of conv1d, .*, leaky_relu, linear, .*; got 'softplus'"):
        init.calculate_gain("softplus")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("calculate_gain", ("softplus",)),
        ("calculate_gain", ("leaky_relu", "steep")),
        ("calculate_gain", ("leaky_relu", True)),
        ("xavier_uniform_", (np.empty(3),)),
        ("xavier_normal_", (np.empty(3),)),
        ("kaiming_uniform_", (np.empty(3),)),
        ("kaiming_normal_", (np.empty((2, 2)), 0, "fan_sideways")),
        ("kaiming_uniform_", (np.empty((2, 2)), 0, "fan_in", "softplus")),
        ("orthogonal_", (np.empty(3),)),
    ],
)
def test_refusals(name, arguments):
    in_torch = [torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in arguments]
    before = random.get_state()
    with pytest.raises(ValueError):  # noqa: PT011 - PyTorch's kind is as broad
        getattr(init, name)(*arguments)
    with pytest.raises(ValueError):  # noqa: PT011
        getattr(torch.nn.init, name)(*in_torch)
    assert random.get_state() == before
