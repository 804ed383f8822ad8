"""What saves for backward and what does not: as contexts, as decorators and as calls, beside torch's modes."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import torch_ref
from parity_tests.harness.refusals import refuses_as_torch
from scratch import nn
from scratch.grad_mode import recording

MODES = {
    "no_grad": (),
    "enable_grad": (),
    "inference_mode": (True,),
    "inference_mode off": (False,),
    "set_grad_enabled": (False,),
    "set_grad_enabled on": (True,),
}
ENGINES = (scratch, recording.get), (torch, torch.is_grad_enabled)


def make(library, name):
    """Return a mode of a library."""
    return getattr(library, name.split()[0])(*MODES[name])


@pytest.fixture(autouse=True)
def as_it_was():
    """Leave the modes on, whatever a test does."""
    yield
    torch.set_grad_enabled(True)
    recording.set(True)


def walk(library, is_on, uses):
    """Use modes inside one another, in several ways; return the mode after each step."""
    seen = []

    def look():
        seen.append(is_on())

    def go(rest):
        look()
        if not rest:
            return
        (how, name), *rest = rest
        if how == "with":
            with make(library, name):
                go(rest)
        elif how == "decorator":
            make(library, name)(go)(rest)
        elif how == "error":
            try:
                with make(library, name):
                    go(rest)
                    raise ValueError
            except ValueError:
                look()
        else:
            make(library, name if name.startswith("set") else "set_grad_enabled")
            go(rest)
        look()

    go(uses)
    library.set_grad_enabled(True)
    return seen


@given(
    st.lists(
        st.tuples(st.sampled_from(["with", "decorator", "error", "call"]), st.sampled_from(list(MODES))), max_size=5
    )
)
def test_modes_inside_one_another_are_torchs(uses):
    ours, theirs = (walk(*engine, uses) for engine in ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("name", ["no_grad", "enable_grad", "inference_mode"])
def test_a_decorator_needs_no_parentheses(name):
    for library, is_on in ENGINES:
        outside = name != "enable_grad"
        library.set_grad_enabled(outside)

        @getattr(library, name)
        def look(number, *, more=0):
            """Look."""
            return number + more, is_on()  # noqa: B023

        assert look(3, more=4) == (7, not outside)
        assert is_on() is outside
        assert (look.__name__, look.__doc__) == ("look", "Look.")


def test_a_method_is_decorated():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        @scratch.no_grad()
        def predict(self, x):
            return self.fc(x)

    model = Model()
    model.predict(np.ones((1, 2), np.float32))
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        model.fc.backward(np.ones((1, 2), np.float32))


def test_a_decorated_function_may_call_itself_and_fail():
    @scratch.no_grad()
    def count(number):
        if not number:
            raise KeyError
        try:
            return count(number - 1)
        finally:
            assert not recording.get()

    with pytest.raises(KeyError):
        count(3)
    assert recording.get()


def conversation(library, is_on, decorate):
    """Talk to a decorated generator; return what both sides saw."""
    seen = []

    def generator():
        got = None
        try:
            for _ in range(3):
                seen.append(("inside", is_on(), got))
                try:
                    got = yield is_on()
                except KeyError:
                    seen.append(("caught", is_on()))
            return "end"
        finally:
            seen.append(("finally", is_on()))

    for ending in ("exhaust", "close", "throw"):
        running = decorate(library)(generator)()
        seen.append((next(running), is_on()))
        seen.append((running.send(5), is_on()))
        seen.append((running.throw(KeyError()), is_on()))
        try:
            if ending == "exhaust":
                next(running)
            elif ending == "close":
                running.close()
            else:
                running.throw(ZeroDivisionError())
        except (StopIteration, ZeroDivisionError) as end:
            seen.append((type(end), getattr(end, "value", None)))
        seen.append(is_on())
    return seen


# PyTorch hands an exception on in a way that Python 3.12 and later warn of.
@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature of throw:DeprecationWarning")
@pytest.mark.parametrize("name", ["no_grad", "enable_grad", "inference_mode"])
def test_a_generator_runs_in_the_mode_and_its_caller_does_not(name):
    for outside in (True, False):
        told = []
        for library, is_on in ENGINES:
            library.set_grad_enabled(outside)
            told.append(conversation(library, is_on, lambda library: getattr(library, name)()))
        assert told[0] == told[1]


def test_a_call_sets_the_mode_from_there_on():
    for library, is_on in ENGINES:
        library.set_grad_enabled(False)
        assert not is_on()
        with library.set_grad_enabled(True) as nothing:
            assert is_on()
        assert nothing is None
        assert not is_on()
        later = library.set_grad_enabled(True)
        for _ in range(2):
            with later:
                assert is_on()
            assert not is_on()
        library.set_grad_enabled(True)


def test_one_mode_may_be_entered_in_itself():
    mode = scratch.no_grad()
    with mode:
        with mode:
            pass
        assert not recording.get()
    assert recording.get()


def test_another_thread_has_a_mode_of_its_own():
    seen = []
    with scratch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(recording.get()))
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize("wrong", [None, 1, "yes"])
def test_a_mode_is_true_or_false(wrong):
    refuses_as_torch(lambda: scratch.set_grad_enabled(wrong), lambda: torch.set_grad_enabled(wrong))
    assert recording.get()


def test_what_is_no_function_is_not_decorated():
    for decorate in (scratch.no_grad, scratch.no_grad(), scratch.enable_grad, scratch.inference_mode):
        for wrong in (3, nn.Linear, "ab"):
            with pytest.raises(TypeError, match="grad mode: expected a function to decorate, got"):
                decorate(wrong)


def test_both_engines_offer_them():
    for name in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled"):
        assert name in scratch.__all__
        assert getattr(torch_ref, name) is getattr(torch, name)


def test_forwards_are_recorded_again_inside_enable_grad():
    layer, x = nn.Linear(2, 2), np.ones((1, 2), np.float32)
    with scratch.no_grad(), scratch.enable_grad():
        layer(x)
    assert layer.backward(x).shape == (1, 2)
