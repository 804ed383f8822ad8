"""Whole networks on real data: hundreds of training steps in both engines, and how far apart they end.

The engines start from one state dict, with dropout off, so that only the order of the batches is random; or from one
seed, with dropout on and nothing copied, so that the seed decides the weights, the order and the masks in both.
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

import scratch
from benchmarks import engines, tasks
from parity_tests.harness import budget

LR = {"moons": 3e-3, "digits": 1e-3, "mnist": 1e-3}
BATCH = {"moons": 64, "digits": 8, "mnist": 8}
WIDEST = {"moons": 64, "digits": 64 * 7 * 7, "mnist": 64 * 7 * 7}  # the longest sum of a forward pass
DATA = Path(os.environ.get("BACKPROP_DATA", "data"))
HAS_MNIST = any(DATA.rglob("train-images-idx3-ubyte*"))


def thorough():
    return settings.default is settings.get_profile("thorough")


class Run:
    """A network trained in one engine: the losses, the final numbers, the orders of the batches."""

    def __init__(self, engine, dtype, task, steps, *, dropout=0.0, seed=0, state=None, **options):
        self.engine = engines.get(engine, dtype)
        data = tasks.get(task).load(DATA)
        rows = min(len(data.x_train), max(1, steps // 4) * BATCH[task])
        epochs = -(-steps * BATCH[task] // rows)
        self.engine.manual_seed(seed)
        if task == "moons":
            self.model = self.engine.models.MLP(pdrop=dropout, dtype=self.engine.dtype, **options)
        else:
            self.model = self.engine.models.SmallCNN(pdrop=dropout, dtype=self.engine.dtype, **options)
        if state is not None:
            self.engine.load_state(self.model, state)
        self.start, self.orders = self.engine.state(self.model), []
        self.engine.manual_seed(seed + 1)
        history = self.engine.train.fit(
            self.model,
            self.engine.nn.CrossEntropyLoss(),
            self.engine.optim.Adam(self.model.parameters(), lr=LR[task], weight_decay=1e-4),
            (self.engine.asarray(data.x_train[:rows]), self.engine.asarray(data.y_train[:rows])),
            (self.engine.asarray(data.x_test[:16]), self.engine.asarray(data.y_test[:16])),
            epochs=epochs,
            batch_size=BATCH[task],
            on_step=lambda progress: self.orders.append(self.engine.numpy(progress.order).copy()),
        )
        self.losses = np.array(history.step_loss)
        self.end = self.engine.state(self.model)


def apart(found, expected):
    """Return for each array of a state the largest difference, relative to its largest number."""
    assert found.keys() == expected.keys()
    return {name: np.abs(found[name] - values).max() / np.abs(values).max() for name, values in expected.items()}


def assert_agree(ours, theirs, steps):
    assert len(ours.losses) >= steps
    assert theirs.losses[-20:].mean() < theirs.losses[:5].mean()
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-10, atol=0)
    # A bias does nothing in front of a batch norm, which subtracts the mean: its gradient is 0 up to rounding. Adam
    # divides a gradient by its size, and so turns that rounding into steps.
    idle = {"net.0.bias", "net.4.bias"} if "net.5.weight" in theirs.end else set()
    for name, difference in apart(ours.end, theirs.end).items():
        assert difference <= (1e-5 if name in idle else 1e-9), name


NETWORKS = [("moons", 200, {}), ("moons", 200, {"use_bn": True}), ("digits", 200, {})]
each_network = pytest.mark.parametrize(("task", "steps", "options"), NETWORKS, ids=["mlp", "mlp-bn", "cnn"])


@each_network
def test_from_one_state_dict_without_dropout(task, steps, options):
    """The state comes from PyTorch, with another seed."""
    start = Run("torch", "float64", task, 1, seed=9, **options).end
    theirs = Run("torch", "float64", task, steps, state=start, **options)
    ours = Run("scratch", "float64", task, steps, state=start, **options)
    assert_agree(ours, theirs, steps)


@each_network
def test_from_one_seed_with_dropout(task, steps, options):
    """One seed gives both engines the same masks."""
    steps = steps if thorough() or task == "moons" else 60
    ours, theirs = (Run(name, "float64", task, steps, dropout=0.3, **options) for name in engines.NAMES)
    assert_agree(ours, theirs, steps)


@each_network
def test_float32_strays_no_further_than_torch(task, steps, options):
    """Training amplifies the rounding of float32, in PyTorch as here.

    The truth is PyTorch's float64 run from the same float32 numbers. How far rounding carries a float32 run from it is
    measured on PyTorch itself, from the same weights and from weights moved at random by a unit in the last place. Now
    and then a ReLU gets a number so close to 0 that rounding decides its sign, or a maximum gets two numbers as close
    to each other, and from there on the run trains another network. That can happen to any run, early or late, but an
    engine's error shows in all of its runs. So our run that strays least is compared with PyTorch's run that strays
    most. ``budget.allowance`` adds what one forward pass may lose, for the steps before PyTorch's first error, and its
    factor 4. The largest error so far counts, not the current one, because two runs that have parted may cross.
    """
    steps = steps if thorough() or task == "moons" else 60
    start = Run("torch", "float32", task, 1, **options).start
    truth = Run("torch", "float64", task, steps, state=start, **options)
    starts = [start, *(moved(start, seed) for seed in range(9 if task == "moons" else 3))]
    runs = {
        name: [Run(name, "float32", task, steps, state=state, **options) for state in starts] for name in engines.NAMES
    }

    errors = {
        name: [np.maximum.accumulate(np.abs(run.losses - truth.losses)) for run in runs[name]] for name in engines.NAMES
    }
    allowed = [
        budget.allowance(np.dtype(np.float32), loss, WIDEST[task], error)
        for loss, error in zip(truth.losses, np.max(errors["torch"], axis=0), strict=True)
    ]
    assert (np.min(errors["scratch"], axis=0) <= allowed).all()
    ours, theirs = ([apart(run.end, truth.end) for run in runs[name]] for name in engines.NAMES)
    for name in truth.end:
        assert min(one[name] for one in ours) <= budget.FACTOR * max(one[name] for one in theirs), name


def moved(state, seed):
    """Return a state with each floating number a unit in the last place larger or smaller."""
    rng = np.random.default_rng(seed)
    signs = {name: rng.choice([np.inf, -np.inf], values.shape) for name, values in state.items()}
    return {
        name: np.nextafter(values, signs[name].astype(values.dtype)) if values.dtype.kind == "f" else values
        for name, values in state.items()
    }


@pytest.mark.skipif(not HAS_MNIST, reason="BACKPROP_DATA names no folder with MNIST")
def test_mnist():
    steps = 200 if thorough() else 20
    ours, theirs = (Run(name, "float64", "mnist", steps, dropout=0.2) for name in engines.NAMES)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-10)
    assert max(apart(ours.end, theirs.end).values()) <= 1e-9


# One integer is all that they share.


def test_the_same_seed_gives_the_same_orders_and_masks(monkeypatch):
    ours, theirs = [], []
    draw, dropout = scratch.nn.Dropout.draw, torch.nn.functional.dropout

    def record(layer, x):
        drawn = draw(layer, x)
        ours.append(drawn / (1 - layer.p))
        return drawn

    def record_torchs(tensor, p, training, inplace):
        state = torch.get_rng_state()
        theirs.append(dropout(torch.ones_like(tensor), p, training).detach().numpy())
        torch.set_rng_state(state)
        return dropout(tensor, p, training, inplace)

    monkeypatch.setattr(scratch.nn.Dropout, "draw", record)
    monkeypatch.setattr(torch.nn.functional, "dropout", record_torchs)
    one, other = (Run(name, "float32", "moons", 60, dropout=0.3, seed=2**40 + 5) for name in engines.NAMES)
    theirs = [mask for mask in theirs if len(mask) != 16]  # the test set's: evaluation draws none
    assert len(ours) == len(theirs) >= 120
    for mask, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mask, expected)
    for order, expected in zip(one.orders, other.orders, strict=True):
        np.testing.assert_array_equal(order, expected)
    assert any((one != two).any() for one, two in pairwise(one.orders))


def test_an_epoch_of_moons_from_one_seed_alone():
    """The recipe of the task, batch norm and dropout on, float64, nothing copied: every loss within 1e-9."""
    recipe, losses = tasks.get("moons").recipe, []
    for name in engines.NAMES:
        engine = engines.get(name, "float64")
        data = tasks.get("moons").load(DATA)
        engine.manual_seed(0)
        model = tasks.get("moons").build(engine, recipe.dropout)
        train_set, test_set = (
            (engine.asarray(x), engine.asarray(y))
            for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
        )
        history = engine.train.fit(
            model,
            engine.nn.CrossEntropyLoss(),
            engine.optim.Adam(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay),
            train_set,
            test_set,
            epochs=1,
            batch_size=recipe.batch_size,
        )
        losses.append(history.step_loss)
    assert len(losses[0]) == 24
    np.testing.assert_allclose(*losses, rtol=1e-9)
