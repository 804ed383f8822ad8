"""The optimizers against PyTorch's over hundreds of steps, options crossed, and what must hold without it."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
from parity_tests.harness.optimizer_pair import NAMES, Pair, cases, decays, each_optimizer
from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch import nn, optim
from scratch.kernels import flat_parameters as flat
from scratch.nn import Parameter
from scratch.optim.adadelta import adadelta
from scratch.optim.adagrad import adagrad
from scratch.optim.adam import adam
from scratch.optim.adamw import adamw
from scratch.optim.nadam import nadam
from scratch.optim.radam import radam
from scratch.optim.rmsprop import rmsprop
from scratch.optim.sgd import sgd


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
    assert (1 in pair.optimizer.state_dict()["state"]) == (name == "Adagrad")  # whose sums are there from the beginning
    pair.compare()
    pair.step(3)
    pair.compare()


@each_optimizer
def test_gradients_of_nan_and_infinity_are_torchs(name, options):
    pair = Pair(name, options, shapes=[(6,)])
    for _ in range(8):  # RAdam divides from the sixth step on
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
    """The next step notices a new array and writes to it from then on; it notices new numbers in the old one, too."""
    pair = Pair(name, options)
    pair.step(2)
    new, old = array((3, 4), seed=77), pair.ours[0].data
    kept = old.copy()
    pair.ours[0].data = new
    pair.ours[1].data[...] = 5.0
    with torch.no_grad():
        pair.torchs[0].copy_(torch.tensor(new))
        pair.torchs[1].fill_(5.0)
    pair.step(2)
    pair.compare()
    assert pair.ours[0].data is new
    np.testing.assert_array_equal(old, kept)


@each_optimizer
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_a_step_writes_into_the_array_that_a_parameter_has(monkeypatch, name, options, layout):
    for block in (5, flat.BLOCK):
        monkeypatch.setattr(flat, "BLOCK", block)
        pair = Pair(name, options)
        pair.ours[0].data = {
            "C": np.array,
            "F": np.asfortranarray,
            "strided": lambda values: np.repeat(values, 2, axis=1)[:, ::2],
        }[layout](pair.ours[0].data)
        arrays = [parameter.data for parameter in pair.ours]
        pair.step(3, 0.3)
        pair.compare()
        assert all(parameter.data is array for parameter, array in zip(pair.ours, arrays, strict=True))


@each_optimizer
@pytest.mark.parametrize("cut", [np.s_[:], np.s_[1:, :2], np.s_[::2]], ids=str)
@pytest.mark.parametrize("between", [False, True])
def test_arrays_tied_by_hand_stay_tied(name, options, cut, between):
    """Two parameters share memory: the second starts from what the first's update left, as in PyTorch."""
    ours, torchs = array((4, 3)), torch.tensor(array((4, 3)))
    views, torch_views = (
        [ours, array((2,), seed=1), ours[cut]],
        [torchs, torch.tensor(array((2,), seed=1)), torchs[cut]],
    )
    if not between:
        views, torch_views = views[::2], torch_views[::2]
    params, torch_params = [Parameter(view) for view in views], [torch.nn.Parameter(view) for view in torch_views]
    optimizer, torch_optimizer = (
        getattr(optim, name)(params, **options),
        getattr(torch.optim, name)(torch_params, **options),
    )
    rng = np.random.default_rng(0)
    for _ in range(4):
        for one, other in zip(params, torch_params, strict=True):
            one.grad = rng.normal(size=one.shape)
            other.grad = torch.tensor(one.grad)
        optimizer.step()
        torch_optimizer.step()
    np.testing.assert_allclose(ours, torchs.numpy(), rtol=1e-12)
    assert params[0].data is ours


def test_what_was_taken_from_a_model_before_its_optimizer_was_made_stays_live():
    model = nn.Linear(3, 2)
    weight, state = model.weight.data, model.state_dict()
    before = weight.copy()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(array((4, 3), "float32"))
    model.backward(array((4, 2), "float32", seed=1))
    optimizer.step()
    assert model.weight.data is weight is state["weight"]
    assert np.abs(weight - before).min() > 0.01


def test_read_only_data_is_refused_before_anything_is_written():
    pair = Pair("SGD", {"lr": 0.1})
    pair.give_gradients()
    pair.ours[3].data = pair.ours[3].data.copy()
    pair.ours[3].data.flags.writeable = False
    before = pair.ours[0].data.copy()
    with pytest.raises(RuntimeError, match=r"SGD: a parameter of shape \(2, 3, 1, 2\) .* has data that is read-only"):
        pair.optimizer.step()
    np.testing.assert_array_equal(pair.ours[0].data, before)


@each_optimizer
def test_a_parameter_that_requires_no_gradient_stays(name, options):
    pair = Pair(name, options)
    pair.step(2)
    before, state = pair.ours[1].data.copy(), pair.optimizer.state_dict()["state"].get(1)
    steps = state and state.get("step")
    pair.ours[1].requires_grad = False
    pair.give_gradients()
    pair.optimizer.step()
    np.testing.assert_array_equal(pair.ours[1].data, before)
    if steps is not None:
        assert pair.optimizer.state_dict()["state"][1]["step"] == steps


@each_optimizer
def test_plain_and_fast_take_the_same_steps_and_may_take_turns(name, options):
    fast, plain, mixed = (Pair(name, options) for _ in range(3))
    for number in range(6):
        for pair, mode in ((fast, False), (plain, True), (mixed, number % 2 == 0)):
            with scratch.plain(mode):
                pair.step(1, 0.3)
    for others in zip(fast.ours, plain.ours, mixed.ours, strict=True):
        for other in others[1:]:
            np.testing.assert_array_equal(others[0].data, other.data, strict=True)


@pytest.mark.parametrize("rule", [sgd, adam, adamw, nadam, radam, rmsprop, adagrad, adadelta])
@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("t", [1, 3, 9])
def test_rules_write_to_no_argument_and_return_new_arrays(rule, flag, t):
    names = list(inspect.signature(rule).parameters)
    shapes = [() if name == "p" else (3, 4) for name in names[: names.index("t")]]
    arrays = [np.abs(np.array(array(shape, seed=seed))) / 10**seed for seed, shape in enumerate(shapes)]
    arrays = [np.asarray(one) for one in arrays]
    for one in arrays:
        one.flags.writeable = False
    numbers = {"lr": 0.1, "momentum": 0.9 * flag, "dampening": 0.0, "weight_decay": 0.1 * flag}
    numbers |= {"betas": (0.9, 0.99), "eps": 1e-8, "alpha": 0.9, "rho": 0.9, "lr_decay": 0.1, "momentum_decay": 0.1}
    options = {name: numbers.get(name, flag) for name in names[names.index("t") + 1 :]}
    returned = rule(*arrays, t, **options)
    assert len(returned) == len(arrays) - 1
    assert not any(np.shares_memory(new, old) for new in returned for old in arrays)


@each_optimizer
def test_options_that_come_from_numpy_leave_the_dtype_alone(name, options):
    pair = Pair(name, options, "float32")
    for key in ("lr", "weight_decay"):
        group = pair.optimizer.param_groups[0]
        group[key] = np.float64(group[key])
    pair.step(3)
    pair.compare()


@pytest.mark.parametrize(("key", "value"), [("lr", np.nan), ("lr", "0.1"), ("lr", np.ones(2)), ("weight_decay", None)])
@pytest.mark.parametrize("name", NAMES)
def test_a_changed_option_is_checked_before_the_next_step(name, key, value):
    pair = Pair(name, {})
    pair.give_gradients()
    before = pair.ours[0].data.copy()
    pair.optimizer.param_groups[0][key] = value
    with pytest.raises((TypeError, ValueError), match=f"^{name}: expected {key} "):
        pair.optimizer.step()
    np.testing.assert_array_equal(pair.ours[0].data, before)


def test_data_of_another_shape_or_dtype_is_refused():
    for new in (np.zeros((4, 3)), np.zeros((3, 4), np.float32)):
        pair = Pair("SGD", {})
        pair.give_gradients()
        pair.ours[0].data = new
        with pytest.raises(RuntimeError, match=r"a parameter of shape \(3, 4\) and dtype float64 was given data of"):
            pair.optimizer.step()


@pytest.mark.parametrize("grad", [np.zeros(4), np.zeros(3, np.float32), 1.0, [1.0, 2.0, 3.0]])
def test_a_gradient_that_does_not_fit_is_refused_before_anything_is_written(grad):
    parameters = [Parameter(np.zeros(2)), Parameter(np.zeros(3))]
    optimizer = optim.SGD(parameters)
    parameters[0].grad, parameters[1].grad = np.ones(2), grad
    with pytest.raises(RuntimeError, match=r"SGD: expected a gradient of shape \(3,\) and dtype float64, got"):
        optimizer.step()
    assert not parameters[0].data.any()


def test_the_gradient_of_a_parameter_without_axes_may_be_a_scalar():
    parameter = Parameter(np.array(1.0))
    parameter.grad = np.float64(2.0)
    optim.SGD([parameter], lr=0.25).step()
    assert parameter.data == 0.5


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
    if name == "Adagrad" and torch.__version__ < (2, 14):
        # PyTorch 2.11 makes Adagrad's state in the constructor only, and fails on a group that is added later.
        total = torch.full_like(pair.torchs[-1], options.get("initial_accumulator_value", 0.0))
        pair.torch_optimizer.state[pair.torchs[-1]] = {"step": torch.tensor(0.0), "sum": total}
    pair.step(3)
    pair.compare()


@each_optimizer
def test_options_may_change_between_steps(name, options):
    """Any option may, but those that decide what is kept (momentum, amsgrad, centered); SGD's momentum may, too."""
    pair = Pair(name, options)
    changes = {"lr": 0.05, "weight_decay": 0.3, "maximize": True}
    if name == "SGD":
        changes |= {"momentum": 0.7, "nesterov": False, "dampening": 0.5}
    if name == "NAdam":
        changes |= {"momentum_decay": 0.2, "betas": (0.6, 0.8)}
    pair.step(2)
    for key, value in changes.items():
        pair.optimizer.param_groups[0][key] = pair.torch_optimizer.param_groups[0][key] = value
        pair.step(2)
    pair.compare()


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


@pytest.mark.skipif(
    "decoupled_weight_decay" not in torch.optim.Adam([torch.zeros(1)]).defaults, reason="PyTorch too old"
)
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
    """weight_decay lambda adds the gradient lambda w of lambda/2 |w|^2, not the 2 lambda w of lambda |w|^2."""
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


def test_nadams_momentum_product_is_each_parameters_own():
    """Two parameters that took as many steps have different products, if the momentum changed in between."""
    pair = Pair("NAdam", {"lr": 0.1}, shapes=[(3,), (2,)])
    for absent, beta in ((0, 0.9), (1, 0.5)):
        pair.optimizer.param_groups[0]["betas"] = pair.torch_optimizer.param_groups[0]["betas"] = (beta, 0.99)
        pair.give_gradients()
        pair.ours[absent].grad = pair.torchs[absent].grad = None
        pair.optimizer.step()
        pair.torch_optimizer.step()
    pair.step(3)
    pair.compare()
    products = [state["mu_product"] for state in pair.optimizer.state_dict()["state"].values()]
    assert products[0] < products[1]
    pair.optimizer.load_state_dict({"state": {}, "param_groups": pair.optimizer.state_dict()["param_groups"]})
    pair.give_gradients()
    pair.optimizer.step()
    assert pair.optimizer.state_dict()["state"][0]["mu_product"] > 0.25  # it began at 1 again


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_radams_first_five_steps_are_those_of_sgd(scale):
    parameter = Parameter(np.zeros(9))
    parameter.grad = scale * array((9,), seed=3)
    optimizer = optim.RAdam([parameter], lr=0.25)
    for t in range(1, 6):
        optimizer.step()
        np.testing.assert_allclose(parameter.data, -0.25 * t * parameter.grad, rtol=1e-12)
    optimizer.step()
    np.testing.assert_allclose(
        parameter.data + 1.25 * parameter.grad,
        -0.25 * 0.0258211 * np.sign(parameter.grad),
        rtol=1e-3,
        atol=1e-11 * scale,
    )


@pytest.mark.parametrize(("size", "step"), [(1e3, 1.0), (1e-4, 1.0), (1e-6, 100 / 101), (1e-8, 0.5)])
def test_rmsprops_eps_stands_outside_of_the_root(size, step):
    """Gradients down to about eps = 1e-8 give steps of lr; with eps under the root, down to sqrt(eps) = 1e-4."""
    parameter = Parameter(np.zeros(1))
    optimizer = optim.RMSprop([parameter], lr=0.25, alpha=0.0)
    parameter.grad = np.array([size])
    optimizer.step()
    np.testing.assert_allclose(parameter.data, -0.25 * step, rtol=1e-3)


def test_rmsprop_is_not_corrected_for_its_start_and_takes_ten_times_lr_at_first():
    parameter = Parameter(np.zeros(3))
    parameter.grad = array((3,))
    optim.RMSprop([parameter], lr=0.25).step()
    np.testing.assert_allclose(parameter.data, -2.5 * np.sign(parameter.grad), rtol=1e-6)


def test_the_sums_of_adagrad_are_there_before_the_first_step():
    pair = Pair("Adagrad", {"initial_accumulator_value": 0.5})
    pair.compare()
    state = pair.optimizer.state_dict()["state"][1]
    np.testing.assert_array_equal(state["sum"], np.full(5, 0.5))
    assert state["step"] == 0
    pair.step(2)
    pair.optimizer.load_state_dict({"state": {}, "param_groups": pair.optimizer.state_dict()["param_groups"]})
    np.testing.assert_array_equal(pair.optimizer.state_dict()["state"][1]["sum"], np.full(5, 0.5))


def test_adagrads_sums_of_a_state_without_steps_are_loaded():
    pair, other = Pair("Adagrad", {"initial_accumulator_value": 0.5}), Pair("Adagrad", {})
    other.optimizer.load_state_dict(pair.optimizer.state_dict())
    other.torch_optimizer.load_state_dict(pair.torch_optimizer.state_dict())
    other.compare()
    other.step(3)
    other.compare()


def test_adadelta_starts_with_steps_made_of_eps():
    """The paper's units: the first step's size comes from eps, and the gradient's size has no effect."""
    for size in (1e2, 1e5):
        parameter = Parameter(np.zeros(1))
        parameter.grad = np.array([size])
        optim.Adadelta([parameter], rho=0.75, eps=1e-6).step()
        np.testing.assert_allclose(parameter.data, -2e-3, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_options_that_choose_between_torchs_implementations_are_taken_only_where_they_ask_for_nothing(name):
    cls, w = getattr(optim, name), Parameter(np.ones(2))
    taken = {"foreach": False, "fused": None, "capturable": False, "differentiable": False}
    assert cls([w], **taken).defaults == cls([w]).defaults
    for option in taken:
        with pytest.raises(TypeError, match=rf"{name}: {option}=True is not supported: it .*; leave it out"):
            cls([w], **{option: True})
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        cls([w], other=1)
    assert "lr" in inspect.signature(cls).parameters


@pytest.mark.parametrize("name", NAMES)
def test_a_step_calls_its_closure_first_and_returns_its_loss_as_torchs_does(name):
    ours, theirs = Parameter(np.array([1.0, -2.0])), torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer, reference = getattr(optim, name)([ours], lr=0.1), getattr(torch.optim, name)([theirs], lr=0.1)

    def loss():
        optimizer.zero_grad()
        ours.add_grad(2 * ours.data)
        return (ours.data**2).sum()

    def torch_loss():
        reference.zero_grad()
        y = (theirs**2).sum()
        y.backward()
        return y

    for _ in range(3):
        np.testing.assert_allclose(optimizer.step(loss), reference.step(torch_loss).item(), rtol=1e-12)
        np.testing.assert_allclose(ours.data, theirs.detach(), rtol=1e-12)
    assert optimizer.step() is None
