"""The exercises in their order, and the milestones among them."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.exercises.exercise import Exercise
from benchmarks.exercises.sets import (
    activations,
    images,
    network,
    normalization,
    optimizers,
    policies,
    regularization,
    sequences,
)


@dataclass(frozen=True)
class Chapter:
    """Exercises that belong together, and the milestone that they lead to, if any."""

    title: str
    exercises: tuple[Exercise, ...]
    milestone: str = ""


CHAPTERS = (
    Chapter("A first network", network.EXERCISES, "mlp"),
    Chapter("Activations", activations.EXERCISES),
    Chapter("Dropout, softmax, losses", regularization.EXERCISES),
    Chapter("Optimizers", optimizers.EXERCISES),
    Chapter("Normalization", normalization.EXERCISES),
    Chapter("Images", images.EXERCISES, "cnn"),
    Chapter("Sequences", sequences.EXERCISES),
    Chapter("Tables, shortcuts, policies", policies.EXERCISES, "cartpole"),
)

NEEDED = {
    "mlp": ("relu", "linear", "cross_entropy"),
    "cnn": ("relu", "linear", "cross_entropy", "conv2d", "max_pool"),
    "cartpole": ("linear", "tanh", "actor_critic", "actor_critic_loss", "policy_gradient", "entropy"),
}
"""The exercises whose solutions a milestone trains."""


def all_exercises() -> tuple[Exercise, ...]:
    """Return every exercise, in the order in which they build on one another.

    Examples
    --------
    >>> first = all_exercises()[0]
    >>> first.name, first.layer, first.kind
    ('relu', 'ReLU', 'write it')
    """
    return tuple(exercise for chapter in CHAPTERS for exercise in chapter.exercises)


def named(name: str) -> Exercise | None:
    """Return the exercise with this name, or None."""
    return next((exercise for exercise in all_exercises() if exercise.name == name), None)


def file_name(exercise: Exercise) -> str:
    """Return the name of an exercise's file: its number and its name."""
    return f"{all_exercises().index(exercise) + 1:02}_{exercise.name}.py"


def on_layer(layer: str) -> Iterator[Exercise]:
    """Yield the exercises on a layer, loss or optimizer, for its page."""
    yield from (exercise for exercise in all_exercises() if exercise.layer == layer)
