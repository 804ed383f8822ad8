"""The optimizers against PyTorch's over hundreds of steps, options crossed; their state moved between the engines."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.refusals import refuses_as_torch
from parity_tests.strategies import array, dtypes, layouts, seeds
from scratch import optim
from scratch.nn import Parameter
from scratch.optim import flat

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
cases = st.one_of(st.tuples(st.just("SGD"), sgd), st.tuples(st.sampled_from(["Adam", "AdamW"]), adam))
EACH = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
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
        """Hand both the gradient of a bowl plus noise; None for about a share ``absent`` of the parameters."""
        for ours, torchs in zip(self.ours, self.torchs, strict=True):
            ours.grad = torchs.grad = None
            if self.rng.random() >= absent:
                noise = np.asarray(self.rng.normal(size=ours.shape)).astype(self.dtype)
                ours.grad = np.asarray(0.3 * torchs.detach().numpy() + noise)
                torchs.grad = torch.tensor(ours.grad)

    def step(self, count=1, absent=0.0):
        for _ in range(count):
            self.give_gradients(absent)
            before = [None if parameter.grad is None else parameter.grad.copy() for parameter in self.ours]
            self.optimizer.step()
            self.torch_optimizer.step()
            for parameter, grad in zip(self.ours, before, strict=True):
                np.testing.assert_array_equal(parameter.grad, grad)

    def compare(self):
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
            for key in ("params", *self.optimizer.defaults):
                assert group[key] == expected[key]


def close(found, expected, dtype):
    bound = BOUND[dtype] * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def split(params, groups):
    if groups is None:
        return params
    return [{"params": params[:2]}, {"params": params[2:], **groups}]


@given(
    case=cases,
    groups=st.one_of(st.none(), st.fixed_dictionaries({"lr": st.just(0.03), "weight_decay": decays})),
    absent=st.sampled_from([0.0, 0.3]),
    block=st.sampled_from([7, flat.BLOCK]),
    layout=layouts,
    dtype=dtypes,
    seed=seeds,
)
def test_hundreds_of_steps_are_torchs(case, groups, absent, block, layout, dtype, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "BLOCK", block)
        pair = Pair(*case, dtype, seed, layout=layout, groups=groups)
        pair.step(120, absent)
        pair.compare()
        for group, torchs in zip(pair.optimizer.param_groups, pair.torch_optimizer.param_groups, strict=True):
            group["lr"] *= 0.5
            torchs["lr"] *= 0.5
        pair.step(80, absent)
        pair.compare()


@given(case=cases, absent=st.sampled_from([0.0, 0.3]), dtype=dtypes, seed=seeds)
def test_state_moves_between_the_engines(case, absent, dtype, seed):
    """Ours goes on from PyTorch's state, and PyTorch's from ours."""
    name, options = case
    pair = Pair(name, options, dtype, seed)
    pair.step(5, absent)
    ours, torchs = pair.optimizer.state_dict(), pair.torch_optimizer.state_dict()
    tensors = {n: {key: torch.tensor(v) for key, v in state.items()} for n, state in ours["state"].items()}
    torchs = copy.deepcopy(torchs)
    pair.torch_optimizer = getattr(torch.optim, name)(pair.torchs, lr=0.7)
    pair.torch_optimizer.load_state_dict({"state": tensors, "param_groups": ours["param_groups"]})
    pair.optimizer = getattr(optim, name)(pair.ours, lr=0.7)
    pair.optimizer.load_state_dict(torchs)
    pair.step(10, absent)
    pair.compare()


@given(case=cases, absent=st.sampled_from([0.0, 0.3]), dtype=dtypes, seed=seeds)
def test_resumed_is_bit_for_bit_uninterrupted(case, absent, dtype, seed):
    name, options = case
    whole, cut = Pair(name, options, dtype, seed), Pair(name, options, dtype, seed)
    whole.step(9, absent)
    cut.step(4, absent)
    saved = pickle.loads(pickle.dumps((cut.optimizer.state_dict(), [parameter.data for parameter in cut.ours])))
    state, values = saved
    cut.ours = [Parameter(np.array(value)) for value in values]
    cut.optimizer = getattr(optim, name)(cut.ours, lr=0.7)
    cut.optimizer.load_state_dict(state)
    cut.step(5, absent)
    for one, other in zip(whole.ours, cut.ours, strict=True):
        np.testing.assert_array_equal(one.data, other.data, strict=True)


@each_optimizer
@pytest.mark.parametrize("block", [1, 3, 5])
def test_blocks_change_no_bit(monkeypatch, name, options, block):
    whole = Pair(name, options)
    whole.step(5, 0.3)
    monkeypatch.setattr(flat, "BLOCK", block)
    cut = Pair(name, options)
    cut.step(5, 0.3)
    for one, other in zip(whole.ours, cut.ours, strict=True):
        np.testing.assert_array_equal(one.data, other.data, strict=True)


@each_optimizer
def test_a_parameter_without_gradient_stays(name, options):
    pair = Pair(name, options)
    pair.give_gradients()
    pair.ours[1].grad = pair.torchs[1].grad = None
    before = pair.ours[1].data.copy()
    pair.optimizer.step()
    pair.torch_optimizer.step()
    np.testing.assert_array_equal(pair.ours[1].data, before)
    assert 1 not in pair.optimizer.state_dict()["state"]
    pair.compare()
    pair.step(3)
    pair.compare()


@each_optimizer
def test_gradients_of_nan_and_infinity_are_torchs(name, options):
    pair = Pair(name, options, shapes=[(6,)])
    for _ in range(2):
        pair.ours[0].grad = np.array([np.nan, np.inf, -np.inf, 0.0, 1e200, 1e-200])
        pair.torchs[0].grad = torch.tensor(pair.ours[0].grad)
        pair.optimizer.step()
        pair.torch_optimizer.step()
        np.testing.assert_allclose(pair.ours[0].data, pair.torchs[0].detach().numpy(), rtol=1e-12)


@each_optimizer
def test_any_layout_of_a_gradient_will_do(name, options):
    ours, theirs = (Pair(name, options, shapes=[(3, 4), (4, 2)]) for _ in range(2))
    for pair in (ours, theirs):
        pair.give_gradients()
        if pair is theirs:
            for parameter in pair.ours:
                parameter.grad = np.asfortranarray(parameter.grad)
                parameter.grad.flags.writeable = False
        pair.optimizer.step()
    for one, other in zip(ours.ours, theirs.ours, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


@each_optimizer
def test_data_may_be_assigned_and_written(name, options):
    """A new array is noticed at the next step; so are new numbers in the old one."""
    pair = Pair(name, options)
    pair.step(2)
    new = array((3, 4), seed=77)
    kept = new.copy()
    pair.ours[0].data = new
    pair.ours[1].data[...] = 5.0
    with torch.no_grad():
        pair.torchs[0].copy_(torch.tensor(new))
        pair.torchs[1].fill_(5.0)
    pair.step(2)
    pair.compare()
    np.testing.assert_array_equal(new, kept)


def test_data_of_another_shape_or_dtype_is_refused():
    for new in (np.zeros((4, 3)), np.zeros((3, 4), np.float32)):
        pair = Pair("SGD", {})
        pair.give_gradients()
        pair.ours[0].data = new
        with pytest.raises(RuntimeError, match=r"a parameter of shape \(3, 4\) and dtype float64 was given data of"):
            pair.optimizer.step()


@pytest.mark.parametrize("grad", [np.zeros(4), np.zeros(3, np.float32)])
def test_a_gradient_that_does_not_fit_is_refused(grad):
    parameter = Parameter(np.zeros(3))
    optimizer = optim.SGD([parameter])
    parameter.grad = grad
    with pytest.raises(RuntimeError, match=r"expected a gradient of shape \(3,\) and dtype float64, got"):
        optimizer.step()


@each_optimizer
def test_both_dtypes_in_one_group(name, options):
    """Each dtype has its own array; the state's numbers keep the order of the parameters."""
    values = [array((2,), "float64", 1), array((3,), "float32", 2), array((4,), "float64", 3)]
    ours, torchs = [Parameter(v.copy()) for v in values], [torch.nn.Parameter(torch.tensor(v)) for v in values]
    optimizer, torch_optimizer = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(torchs, **options)
    for _ in range(3):
        for one, other in zip(ours, torchs, strict=True):
            one.grad, other.grad = one.data + 1, other.detach() + 1
        optimizer.step()
        torch_optimizer.step()
    for one, other in zip(ours, torchs, strict=True):
        assert one.data.dtype == other.detach().numpy().dtype
        np.testing.assert_allclose(one.data, other.detach().numpy(), rtol=1e-5)
    shapes = [{key: v.shape for key, v in s.items()} for s in optimizer.state_dict()["state"].values()]
    expected = [{k: tuple(v.shape) for k, v in s.items()} for s in torch_optimizer.state_dict()["state"].values()]
    assert shapes == expected


@each_optimizer
def test_two_optimizers_may_share_parameters(name, options):
    pair = Pair(name, options)
    second, torch_second = optim.SGD(pair.ours, lr=0.1), torch.optim.SGD(pair.torchs, lr=0.1)
    for _ in range(3):
        pair.step()
        second.step()
        torch_second.step()
    pair.compare()


@each_optimizer
def test_a_group_may_be_added_later(name, options):
    pair = Pair(name, options)
    pair.step(3)
    new = array((4, 2), seed=5)
    pair.ours.append(Parameter(new.copy()))
    pair.torchs.append(torch.nn.Parameter(torch.tensor(new)))
    pair.optimizer.add_param_group({"params": pair.ours[-1], "lr": 0.02})
    pair.torch_optimizer.add_param_group({"params": pair.torchs[-1], "lr": 0.02})
    pair.step(3)
    pair.compare()


@each_optimizer
def test_options_may_change_between_steps(name, options):
    """Momentum and amsgrad aside, which decide what is kept, every option may; SGD's momentum may, too."""
    pair = Pair(name, options)
    changes = {"lr": 0.05, "weight_decay": 0.3, "maximize": True}
    if name == "SGD":
        changes |= {"momentum": 0.7, "nesterov": False, "dampening": 0.5}
    pair.step(2)
    for key, value in changes.items():
        pair.optimizer.param_groups[0][key] = pair.torch_optimizer.param_groups[0][key] = value
        pair.step(2)
    pair.compare()


@each_optimizer
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"]
)
def test_a_copy_goes_its_own_way(name, options, copied):
    """A model and its optimizer copied together train on, apart and alike."""

    def train(model, optimizer):
        optimizer.zero_grad()
        model(array((4, 3)))
        model.backward(array((4, 2), seed=1))
        optimizer.step()

    model = nn.Linear(3, 2, dtype=np.float64)
    optimizer = getattr(optim, name)(model.parameters(), **options)
    train(model, optimizer)
    twin, twin_optimizer = copied((model, optimizer))
    before = model.weight.data.copy()
    train(twin, twin_optimizer)
    np.testing.assert_array_equal(model.weight.data, before)
    assert np.abs(twin.weight.data - before).max() > 1e-3
    train(model, optimizer)
    np.testing.assert_array_equal(model.weight.data, twin.weight.data)


def test_zero_grad():
    pair = Pair("SGD", {"momentum": 0.9})
    pair.give_gradients()
    grad = pair.ours[0].grad
    pair.optimizer.zero_grad(set_to_none=False)
    assert pair.ours[0].grad is grad
    assert not grad.any()
    pair.optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in pair.ours)
    pair.optimizer.zero_grad(set_to_none=False)
    pair.optimizer.step()
    assert pair.optimizer.state_dict()["state"] == {}


def test_decoupled_is_adamw_and_adamw_stays_so():
    one, other = (
        Pair("Adam", {"weight_decay": 0.3, "decoupled_weight_decay": True}),
        Pair("AdamW", {"weight_decay": 0.3}),
    )
    one.step(5)
    other.step(5)
    one.compare()
    for a, b in zip(one.ours, other.ours, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    l2 = Pair("Adam", {"weight_decay": 0.3})
    other.optimizer.load_state_dict(l2.optimizer.state_dict())
    other.torch_optimizer.load_state_dict(l2.torch_optimizer.state_dict())
    other.step(3)
    other.compare()


def test_l2_is_lambda_half_the_square():
    """weight_decay lambda is the gradient lambda w, of lambda/2 |w|^2; not the 2 lambda w of lambda |w|^2."""
    w = array((7,))
    parameter = Parameter(w.copy())
    parameter.grad = np.zeros(7)
    optim.SGD([parameter], lr=0.5, weight_decay=0.1).step()
    np.testing.assert_allclose(parameter.data, w - 0.5 * 0.1 * w, rtol=1e-15)


def test_adams_l2_is_no_decay_but_adamws_is():
    """Where the loss is flat, L2 in Adam moves every weight by lr, large or small; AdamW shrinks all by one factor."""
    for name, expected in (("Adam", [0.9, 9.9]), ("AdamW", [0.99, 9.9])):
        parameter = Parameter(np.array([1.0, 10.0]))
        parameter.grad = np.zeros(2)
        getattr(optim, name)([parameter], lr=0.1, weight_decay=0.1).step()
        np.testing.assert_allclose(parameter.data, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_adams_first_step_is_lr_times_the_sign(scale):
    g = scale * array((9,), seed=3)
    parameter = Parameter(np.zeros(9))
    parameter.grad = g
    optim.Adam([parameter], lr=0.25).step()
    np.testing.assert_allclose(parameter.data, -0.25 * np.sign(g), rtol=1e-4)


def parameters():
    return [Parameter(np.zeros(2)), Parameter(np.zeros(3))]


def tensors():
    return [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, {option: -0.1}) for name in ("SGD", "Adam", "AdamW") for option in ("lr", "weight_decay")],
        ("SGD", {"momentum": -0.1}),
        ("SGD", {"nesterov": True}),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        ("Adam", {"eps": -1e-8}),
        ("Adam", {"betas": (1.0, 0.9)}),
        ("Adam", {"betas": (0.9, -0.1)}),
        ("Adam", {"betas": (0, 0.9)}),
        ("AdamW", {"betas": (0.9, 1.5)}),
        ("AdamW", {"decoupled_weight_decay": True}),
    ],
)
def test_options_that_torch_refuses_are_refused(name, options):
    refuses_as_torch(
        lambda: getattr(optim, name)(parameters(), **options), lambda: getattr(torch.optim, name)(tensors(), **options)
    )


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_what_torch_will_not_optimize_is_refused(name):
    ours, torchs = getattr(optim, name), getattr(torch.optim, name)
    p, t = parameters(), tensors()
    refuses_as_torch(lambda: ours([]), lambda: torchs([]))
    refuses_as_torch(lambda: ours(p[0]), lambda: torchs(t[0]))
    refuses_as_torch(lambda: ours([p[0], 3]), lambda: torchs([t[0], 3]))
    refuses_as_torch(lambda: ours([p[0].data]), lambda: torchs([3]))
    refuses_as_torch(lambda: ours([{"lr": 1.0}]), lambda: torchs([{"lr": 1.0}]))
    refuses_as_torch(lambda: ours([{"params": {p[0]}}]), lambda: torchs([{"params": {t[0]}}]))
    refuses_as_torch(
        lambda: ours([{"params": p}, {"params": p[1:]}]), lambda: torchs([{"params": t}, {"params": t[1:]}])
    )
    refuses_as_torch(lambda: ours(p).add_param_group(p), lambda: torchs(t).add_param_group(t))
    refuses_as_torch(
        lambda: ours(p).add_param_group({"params": p[0]}), lambda: torchs(t).add_param_group({"params": t[0]})
    )
    with pytest.raises(ValueError, match=f"{name}: a Parameter.* stands in more than one place"):
        ours([p[0], p[0]])
    with pytest.raises(TypeError, match=f"{name}: expected params in an ordered iterable, got a set"):
        ours(set(p))
    for option in ("foreach", "fused", "capturable", "differentiable"):
        with pytest.raises(TypeError):
            ours(p, **{option: True})


@each_optimizer
def test_a_refused_state_changes_nothing(name, options):
    pair = Pair(name, {**options, "momentum": 0.9} if name == "SGD" else options)
    pair.step(2)
    before = copy.deepcopy(pair.optimizer.state_dict())
    small = Pair(name, options, shapes=[(3, 4)])
    refuses_as_torch(
        lambda: pair.optimizer.load_state_dict(small.optimizer.state_dict()),
        lambda: pair.torch_optimizer.load_state_dict(small.torch_optimizer.state_dict()),
    )
    grouped = Pair(name, options, groups={"lr": 0.5})
    refuses_as_torch(
        lambda: pair.optimizer.load_state_dict(grouped.optimizer.state_dict()),
        lambda: pair.torch_optimizer.load_state_dict(grouped.torch_optimizer.state_dict()),
    )
    transposed = copy.deepcopy(before)
    key = "momentum_buffer" if name == "SGD" else "exp_avg"
    transposed["state"][0][key] = transposed["state"][0][key].T
    with pytest.raises(
        ValueError, match=rf"{name}: expected {key} of parameter 0 to have shape \(3, 4\), got \(4, 3\)"
    ):
        pair.optimizer.load_state_dict(transposed)
    stray = copy.deepcopy(before)
    stray["state"]["0"] = stray["state"].pop(0)
    with pytest.raises(ValueError, match=f"{name}: the state is that of parameter '0', which is in no group"):
        pair.optimizer.load_state_dict(stray)
    after = pair.optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, state in before["state"].items():
        for key, value in state.items():
            np.testing.assert_array_equal(after["state"][number][key], value)
