"""What a module saves by name for its backward is as safe as what a layer saves."""

import copy
import pickle
import queue
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.strategies import array, seeds
from scratch import optim

STEPS = "forward", "forward without grad", "backward", "backward twice", "train", "eval", "failing forward"


class Scaled(nn.Module):
    """y = w x^2."""

    def __init__(self, size=3):
        super().__init__()
        self.w = nn.Parameter(array((size,), seed=9))

    def forward(self, x, fails=False):
        """Return the scaled squares."""
        self.save_for_backward(x=x)
        if fails:
            raise ValueError("half-way")
        return self.w.data * x**2

    def backward(self, grad_output):
        """Undo forward."""
        self.w.add_grad((self.saved("x") ** 2 * grad_output).sum(axis=0))
        return 2 * self.w.data * self.saved("x") * grad_output


def expected(x, g):
    """Return the gradients of the input and the parameter, by autograd."""
    x, w = torch.tensor(x, requires_grad=True), torch.tensor(Scaled().w.data, requires_grad=True)
    (w * x**2).backward(torch.tensor(g))
    return x.grad.numpy(), w.grad.numpy()


def check_backward(module, x, g):
    module.zero_grad()
    grad_x = module.backward(g)
    for got, right in zip((grad_x, module.w.grad), expected(x, g), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-14)


@given(order=st.lists(st.sampled_from(STEPS), max_size=12), seed=seeds)
def test_a_backward_gives_the_gradient_of_the_only_forward_it_can_mean_or_raises(order, seed):
    module, waiting = Scaled(), []
    for number, step in enumerate(order):
        x, g = array((2, 3), seed=[seed, number]), array((2, 3), seed=[seed, number, 1])
        if step == "forward":
            module(x)
            waiting.append(x.copy())
            x[...] = 7  # it is the caller's
        elif step == "forward without grad":
            with scratch.no_grad():
                module(x)
        elif step == "failing forward":
            with pytest.raises(ValueError, match="half-way"):
                module(x, fails=True)
        elif step in ("train", "eval"):
            getattr(module, step)()
            waiting = []
        elif len(waiting) != 1:
            with pytest.raises(RuntimeError, match="forward"):
                module.backward(g)
            waiting = []
        else:
            if step == "backward twice":
                with scratch.retain_graph():
                    check_backward(module, waiting[0], g)
            check_backward(module, waiting.pop(), g)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("backward", "Scaled: backward was called before forward"),
        ("forward backward backward", "Scaled: backward was called a second time after one forward"),
        ("forward forward backward", "Scaled: 2 forwards have run .*no_grad.* call train.. or eval.. on this module"),
        ("forward train backward", "Scaled: what forward saved was dropped, since train"),
        ("forward forward backward? backward", "Scaled: what forward saved was dropped, since .* an error was raised"),
        ("forward write backward", "Scaled: w was written to by an optimizer's step"),
    ],
)
def test_the_errors_are_those_of_layers(steps, message):
    module, x = Scaled(), array((2, 3))
    *before, last = steps.split()
    for step in before:
        if step == "write":
            module.w.grad = np.ones(3)
            optim.SGD(module.parameters(), 1.0).step()
        elif step == "backward?":
            with pytest.raises(RuntimeError, match="2 forwards"):
                module.backward(x)
        else:
            getattr(module, step)(*[x] * (step != "train"))
    with pytest.raises(RuntimeError, match=f"^{message}"):
        getattr(module, last)(x)
    module(x)
    module.backward(x)


def test_a_backward_in_another_thread_is_refused():
    module, found = Scaled(), []

    def backward():
        try:
            module.backward(array((2, 3)))
        except RuntimeError as error:
            found.append(str(error))

    module(array((2, 3)))
    thread = threading.Thread(target=backward)
    thread.start()
    thread.join()
    assert "Scaled: backward was called in another thread" in found[0]


class InTwoSteps(nn.Module):
    """It saves two values, one after the other, and waits for its turn before each."""

    def __init__(self, turns):
        super().__init__()
        self.turns = turns

    def forward(self, name):
        self.turns["main"].put(None)
        for key in ("one", "other"):
            self.turns[name].get()
            self.save_for_backward(**{key: name})
            self.turns["main"].put(None)

    def backward(self, grad_output):
        return self.saved("one", "other")


def test_what_two_threads_save_is_never_mixed():
    turns, found = {name: queue.Queue() for name in ("a", "b", "main")}, []
    module = InTwoSteps(turns)

    def run(name):
        module(name)
        turns[name].get()
        try:
            found.append(module.backward(None))
        except RuntimeError as error:
            found.append(str(error))

    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in "ab"]
    for thread in threads:
        thread.start()
    for _ in threads:
        turns["main"].get(timeout=10)
    for name in "baab":
        turns[name].put(None)
        turns["main"].get(timeout=10)
    turns["b"].put(None)
    threads[1].join(timeout=10)
    assert "forwards have run" in found[0]


def test_inside_retain_graph_the_latest_of_several_forwards_is_meant():
    module, x, g = Scaled(), array((2, 3)), array((2, 3), seed=1)
    module(2 * x)
    module(x)
    with scratch.retain_graph():
        check_backward(module, x, g)
    module(x)
    with pytest.raises(RuntimeError, match="3 forwards"):
        module.backward(g)


class Peeking(Scaled):
    """Its forward reads what it saved."""

    def forward(self, x):
        y = super().forward(x)
        assert self.saved("x").shape == x.shape
        return y


def test_a_forward_that_reads_what_it_saved_still_waits_for_its_backward():
    module, x = Peeking(), array((2, 3))
    module(x)
    module.backward(x)
    module(x)
    with pytest.raises(RuntimeError, match="Peeking: 2 forwards"):
        module(x)


def test_only_a_write_to_a_parameter_of_its_own_counts():
    module, other, x, g = Scaled(), Scaled(), array((2, 3)), array((2, 3), seed=1)
    module.child = Scaled()
    module(x)
    for one in (other, module.child):
        one.w.grad = np.ones(3)
        optim.SGD(one.parameters(), 1.0).step()
    assert np.array_equal(module.backward(g), expected(x, g)[0])


class Several(nn.Module):
    """It saves arrays in a tuple and in a list."""

    def forward(self, x, h):
        """Return a sum."""
        self.save_for_backward(states=(x, [h]), size=len(x))
        return x + h

    def backward(self, grad_output):
        """Return what was saved."""
        return self.saved("size", "states")


def test_what_the_caller_may_write_to_is_copied_and_what_nobody_can_is_not():
    module, x, h = Several(), array((2, 3)), array((2, 3), seed=1)
    h.setflags(write=False)
    module(x, h)
    before = x.copy()
    x[...] = 7
    size, (kept, (state,)) = module.backward(h)
    assert size == 2
    assert np.array_equal(kept, before)
    assert not kept.flags.writeable
    assert state is h


class Shifted(Scaled):
    """y = m w x^2, with a forward that calls the forward above it; both save, and one uses the other's name."""

    def forward(self, x):
        y = super().forward(x)
        self.save_for_backward(mask=x > 0)
        return y * (x > 0)

    def backward(self, grad_output):
        grad_x = super().backward(grad_output * self.saved("mask"))
        return grad_x * self.saved("mask")


def test_a_forward_and_the_forward_above_it_are_one():
    module, x, g = Shifted(), array((2, 3)), array((2, 3), seed=1)
    for _ in range(2):
        module(x)
        check_backward(module, x * (x > 0), g)
    module(x)
    module(x)
    with pytest.raises(RuntimeError, match="Shifted: 2 forwards"):
        module.backward(g)


class Nested(nn.Module):
    """A tree of sums of squares: the module applies itself to the branches."""

    def forward(self, tree):
        values = np.stack([self(one) if isinstance(one, list) else one for one in tree])
        self.save_for_backward(values=values)
        return (values**2).sum(axis=0)

    def backward(self, grad_output):
        return 2 * self.saved("values") * grad_output


def test_a_module_that_applies_itself_has_several_forwards():
    module, x = Nested(), array((3,))
    module([x, x])
    module.backward(x)
    module([x, [x, x]])
    with pytest.raises(RuntimeError, match="Nested: 2 forwards"):
        module.backward(x)


class Passes:
    """A forward and a backward that are not a module's."""

    def forward(self, x):
        self.save_for_backward(x=x)
        return x**2

    def backward(self, grad_output):
        return 2 * self.saved("x") * grad_output


class Mixed(Passes, nn.Module):
    """A module that has both of its passes from there."""


class Noisy(nn.Linear):
    """A layer of the user's: a linear layer whose output is scaled by what it saves."""

    def forward(self, x):
        self.save_for_backward(scale=np.abs(x).max())
        return super().forward(x) * np.abs(x).max()

    def backward(self, grad_output):
        return super().backward(grad_output * self.saved("scale"))


@pytest.mark.parametrize("make", [Mixed, lambda: Noisy(3, 3, dtype=np.float64)])
def test_passes_of_a_mixin_and_of_a_layers_subclass_are_told_apart(make):
    module, x, other, g = make(), array((2, 3)), array((2, 3), seed=1), array((2, 3), seed=2)
    module(x)
    right = module.backward(g)
    module(x)
    with scratch.no_grad():
        module(other)
    assert np.array_equal(module.backward(g), right)
    with pytest.raises(RuntimeError, match="a second time"):
        module.backward(g)
    module(x)
    module(other)
    with pytest.raises(RuntimeError, match="2 forwards"):
        module.backward(g)
    module.train()
    reused = nn.Reused(module)
    reused(x)
    reused(other)
    reused.backward(g)
    assert np.array_equal(reused.backward(g), right)


def test_a_reused_module_undoes_each_application_by_itself():
    reused, xs, gs = nn.Reused(Scaled()), [array((2, 3), seed=n) for n in range(3)], array((3, 2, 3), seed=5)
    handles = [reused.forward_with_handle(x)[1] for x in xs]
    for place in (1, 2, 0):
        reused.zero_grad()
        grad_x = reused.backward(gs[place], forward=handles[place])
        right = expected(xs[place], gs[place])
        np.testing.assert_allclose(grad_x, right[0], rtol=1e-12)
        np.testing.assert_allclose(reused.module.w.grad, right[1], rtol=1e-12)
    with pytest.raises(RuntimeError, match="no forward left"):
        reused.backward(gs[0])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_and_pickles_hold_nothing_that_was_saved(duplicate):
    module = Scaled()
    empty = len(pickle.dumps(module))
    module(np.ones((5000, 3)))
    assert len(pickle.dumps(module)) == empty
    with pytest.raises(RuntimeError, match="Scaled: backward was called before forward"):
        duplicate(module).backward(np.ones((5000, 3)))
    module.backward(np.ones((5000, 3)))


def test_a_backward_that_raises_uses_nothing_up():
    module, x, g = Scaled(), array((2, 3)), array((2, 3), seed=1)
    module(x)
    with pytest.raises(ValueError, match="broadcast"):
        module.backward(array((4, 5)))
    check_backward(module, x, g)


class Policy(nn.Module):
    """Its passes have names of their own."""

    def density(self, x):
        """Return x^2."""
        self.save_for_backward(x=x)
        return x**2

    def forward(self, x):
        """Return 2 x."""
        self.save_for_backward(x=x)
        return 2 * x

    def step_back(self, grad_output):
        """Undo density, or forward."""
        return self.saved("x") * grad_output


@pytest.mark.parametrize("name", ["density", "forward"])
def test_methods_of_other_names_can_be_called_step_after_step(name):
    policy, g = Policy(), array((2, 3), seed=1)
    for seed in range(3):
        x = array((2, 3), seed=seed)
        getattr(policy, name)(x)
        assert np.array_equal(policy.step_back(g), x * g)
    policy.density(g)
    policy(g)
    with pytest.raises(RuntimeError, match="2 forwards"):
        policy.step_back(g)


def test_the_methods_of_a_class_keep_their_names_and_texts():
    assert Scaled.forward.__doc__ == "Return the scaled squares."
    assert Scaled.backward.__qualname__ == "Scaled.backward"
    assert Shifted(1)(input=np.ones((2, 1))).shape == (2, 1)
    inherits = type("Inherits", (nn.Linear,), {})
    for owner in (nn.Linear, nn.Sequential, nn.Reused, nn.GRUCell, nn.MSELoss, inherits):
        for method in (owner.forward, owner.backward):  # in a small network each call counts
            assert not method.__code__.co_filename.endswith("saving.py")
