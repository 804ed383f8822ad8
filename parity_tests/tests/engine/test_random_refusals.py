"""What the random draws and the generators' states refuse, and that a refusal leaves the generator as it was."""

import math

import numpy as np
import pytest

from scratch import random
from torch_ref import random as torch_random

REFUSED = {
    "seed above range": (ValueError, lambda: random.manual_seed(2**64)),
    "seed below range": (ValueError, lambda: random.manual_seed(-(2**63) - 1)),
    "seed of float": (TypeError, lambda: random.manual_seed(1.0)),
    "seed of str": (TypeError, lambda: random.manual_seed("1")),
    "seed of None": (TypeError, lambda: random.manual_seed(None)),
    "p above 1": (RuntimeError, lambda: random.bernoulli_(np.empty(3), 1.5)),
    "p below 0": (RuntimeError, lambda: random.bernoulli_(np.empty(3), -0.1)),
    "p NaN": (RuntimeError, lambda: random.bernoulli_(np.empty(3), math.nan)),
    "a above b": (RuntimeError, lambda: random.uniform_(np.empty(3), 1, 0)),
    "a NaN": (RuntimeError, lambda: random.uniform_(np.empty(3), math.nan, 1)),
    "b infinite": (RuntimeError, lambda: random.uniform_(np.empty(3), 0, math.inf)),
    "b too large": (RuntimeError, lambda: random.uniform_(np.empty(3, "float32"), 0, 1e39)),
    "b - a too large": (RuntimeError, lambda: random.uniform_(np.empty(3, "float32"), -3e38, 3e38)),
    "std below 0": (RuntimeError, lambda: random.normal_(np.empty(3), 0, -1)),
    "std NaN": (RuntimeError, lambda: random.normal_(np.empty(3), 0, math.nan)),
    "integers, uniform": (NotImplementedError, lambda: random.uniform_(np.empty(3, int))),
    "integers, normal": (NotImplementedError, lambda: random.normal_(np.empty(3, int))),
    "complex, bernoulli": (NotImplementedError, lambda: random.bernoulli_(np.empty(3, complex))),
    "a list": (TypeError, lambda: random.uniform_([1.0, 2.0])),
    "read-only": (ValueError, lambda: random.uniform_(np.broadcast_to(1.0, 3))),
    "negative permutation": (RuntimeError, lambda: random.randperm(-1)),
    "half a permutation": (TypeError, lambda: random.randperm(2.5)),
    "negative size": (RuntimeError, lambda: random.rand(2, -1)),
    "half a size": (TypeError, lambda: random.randn(2.5)),
    "empty range": (RuntimeError, lambda: random.randint(3, 3, (2,))),
    "negative size of integers": (RuntimeError, lambda: random.randint(0, 3, (-2,))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_leave_the_generator_as_it_was(name):
    kind, call = REFUSED[name]
    random.manual_seed(5)
    random.randn(1)
    before = random.get_state()
    with pytest.raises(kind):
        call()
    assert random.get_state() == before


NOTHING_TO_FILL = {
    "uniform_": random.uniform_,
    "bernoulli_": random.bernoulli_,
    "normal_": random.normal_,
    "rand": lambda _: random.rand(-1),
    "randn": lambda _: random.randn(-1),
    "randint": lambda _: random.randint(0, 3, (-1,)),
    "randperm": lambda _: random.randperm(-1),
}


@pytest.mark.parametrize("name", NOTHING_TO_FILL)
def test_a_refusal_names_the_draw(name):
    with pytest.raises((TypeError, RuntimeError), match=f"^{name}: expected"):
        NOTHING_TO_FILL[name](None)


def test_a_state_at_its_first_word_is_one():
    random.manual_seed(5)
    state = {**random.get_state(), "position": 0}
    random.set_state(state)
    assert random.get_state() == state


@pytest.mark.parametrize("engine", [random, torch_random])
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (TypeError, lambda state: None),
        (TypeError, lambda state: [1, 2, 3]),
        (RuntimeError, lambda state: {}),
        (RuntimeError, lambda state: {**state, "words": state["words"][1:]}),
        (RuntimeError, lambda state: {**state, "words": [2**32, *state["words"][1:]]}),
        (RuntimeError, lambda state: {**state, "words": [-1, *state["words"][1:]]}),
        (RuntimeError, lambda state: {**state, "words": [0.5, *state["words"][1:]]}),
        (RuntimeError, lambda state: {**state, "words": 5}),
        (RuntimeError, lambda state: {**state, "position": 625}),
        (RuntimeError, lambda state: {**state, "position": -1}),
        (RuntimeError, lambda state: {**state, "position": "0"}),
        (RuntimeError, lambda state: {**state, "seed": 2**64}),
        (RuntimeError, lambda state: {**state, "next_normal": "x"}),
    ],
)
def test_what_is_no_state_is_refused(engine, kind, change):
    engine.manual_seed(5)
    before = engine.get_state()
    with pytest.raises(kind):
        engine.set_state(change(before))
    assert engine.get_state() == before
