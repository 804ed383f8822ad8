"""A classifier built on the learner's functions, trained step by step beside the same one in PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import engines
from benchmarks.exercises.milestones.learners import Learners, engine
from benchmarks.tasks import digits, moons
from benchmarks.tasks.task import Data


@dataclass(frozen=True)
class Plan:
    """What is trained, on which data, and until when.

    ``close`` is how far the gradients of the two may differ, relative to the largest; ``close_steps`` is for how many
    steps, since rounding errors grow with the steps. Both plans are in float64: in float32 rounding would also decide
    which of two nearly equal pixels wins a pooling window.
    """

    load: Callable[[Path], Data]
    network: str
    options: dict
    accuracy: float
    epochs: int
    batch_size: int
    lr: float
    dtype: str
    close: float
    close_steps: int


PLANS = {
    "mlp": Plan(moons.load, "MLP", {"hid": 32}, 0.93, 25, 64, 3e-3, "float64", 1e-6, 200),
    "cnn": Plan(digits.load, "SmallCNN", {"pdrop": 0.0}, 0.98, 27, 128, 1e-3, "float64", 1e-6, 5),
}


@dataclass
class Training:
    """The result: the losses of both at each step, the test accuracies at each epoch, and where they diverged."""

    losses: dict[str, list[float]] = field(default_factory=lambda: {"torch": [], "yours": []})
    accuracies: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    parted: tuple[int, str, float] | None = None


def train(plan: Plan, learners: Learners, say: Callable[[str], None], seed: int = 0) -> Training:
    """Train both from one seed on the same batches; stop when the learner's is accurate enough, or they diverge."""
    engines.draw_alike()
    both = {"yours": engine(learners, plan.dtype), "torch": engines.get("torch", plan.dtype)}
    models, criteria, optimizers = {}, {}, {}
    for name, one in both.items():
        one.manual_seed(seed)
        models[name] = one.place(getattr(one.models, plan.network)(**plan.options, dtype=one.dtype))
        criteria[name] = one.place(one.nn.CrossEntropyLoss())
        optimizers[name] = one.optim.Adam(models[name].parameters(), lr=plan.lr)
    data, rng, found = plan.load(Path()), np.random.default_rng(seed), Training()
    x_test = data.x_test.astype(plan.dtype)
    for epoch in range(1, plan.epochs + 1):
        order = rng.permutation(len(data.x_train))
        for start in range(0, len(order), plan.batch_size):
            rows = order[start : start + plan.batch_size]
            batch = data.x_train[rows].astype(plan.dtype), data.y_train[rows]
            for name, one in both.items():
                models[name].train()
                found.losses[name].append(one.loss_backward(models[name], criteria[name], *batch))
            step = len(found.losses["yours"])
            if found.parted is None and step <= plan.close_steps:
                found.parted = _apart(both, models, found, plan.close)
            for optimizer in optimizers.values():
                optimizer.step()
        accuracies = {name: _accuracy(one, models[name], x_test, data.y_test) for name, one in both.items()}
        found.accuracies.append(accuracies["yours"])
        found.theirs.append(accuracies["torch"])
        say(
            f"  epoch {epoch:2}: loss {found.losses['yours'][-1]:.4f}, PyTorch's {found.losses['torch'][-1]:.4f};  "
            f"accuracy {accuracies['yours']:.1%}, PyTorch's {accuracies['torch']:.1%}"
        )
        if (accuracies["yours"] >= plan.accuracy and epoch >= 3) or found.parted is not None:
            break
    return found


def _accuracy(one: engines.Engine, model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return float((one.predict(model, x).argmax(axis=1) == y).mean())


def _apart(both: dict, models: dict, found: Training, close: float) -> tuple[int, str, float] | None:
    """Return the step, what differs and the relative distance, if the loss or a gradient is off by more than close."""
    step = len(found.losses["yours"])
    ours, theirs = found.losses["yours"][-1], found.losses["torch"][-1]
    if not abs(ours - theirs) <= close * max(1.0, abs(theirs)):
        return step, "the loss", abs(ours - theirs) / abs(theirs)
    grads = {name: one.grads(models[name]) for name, one in both.items()}
    # Backward begins at the last layer, so the first gradient that goes wrong is the last in the list.
    for name in reversed(grads["torch"]):
        got, wanted = grads["yours"][name], grads["torch"][name]
        size = np.abs(wanted).max(initial=0) or 1.0
        distance = np.abs(got - wanted).max(initial=0) / size
        if not distance <= close:
            return step, f"the gradient of {name}", float(distance)
    return None
