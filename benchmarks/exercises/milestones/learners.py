"""An engine that computes with the learner's functions wherever they have written them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks import engines
from benchmarks.exercises import catalogue
from benchmarks.exercises.exercise import FindMethod, Method, Write
from benchmarks.exercises.folder import Folder
from benchmarks.exercises.grading import cases, reading
from benchmarks.exercises.grading.limits import CALL, limited
from scratch import optim


class Learners:
    """The learner's solved exercises, loaded.

    Parameters
    ----------
    path : Path
        The folder.
    solved : list of str
        The names of the exercises that are right.

    Attributes
    ----------
    pairs : dict
        The learner's pair of functions for each plain pair.
    rules : dict of str to function
        The learner's update rules, by the optimizer's name.
    classes : dict of str to class
        The learner's versions of classes made of other layers, by name.
    used : list of str
        What has been put into a network, a loss or an optimizer so far: "linear", "adam".
    """

    def __init__(self, path: Path, solved: list[str]) -> None:
        self.pairs: dict[tuple[Callable, ...], tuple[Callable, ...]] = {}
        self.rules: dict[str, Callable] = {}
        self.classes: dict[str, type] = {}
        self.used: list[str] = []
        folder = Folder(path)
        for exercise in catalogue.all_exercises():
            if exercise.name not in solved or not isinstance(exercise, Write) or isinstance(exercise, FindMethod):
                continue
            file = folder.file(exercise)
            if not file.is_file():
                continue
            with limited(CALL):
                module = reading.load(file)
            if isinstance(exercise, Method):
                original = getattr(exercise.source, exercise.function)
                passes = {name: getattr(getattr(module, exercise.function), name) for name in ("forward", "backward")}
                self.classes[exercise.function] = type(exercise.function, (original,), passes)
            else:
                originals = cases.originals(exercise)
                functions = tuple(reading.function(module, file, one) for one in originals)
                if cases.is_rule(exercise):
                    self.rules[exercise.layer] = functions[0]
                else:
                    self.pairs[originals] = functions

    def put_into(self, model: Any) -> Any:
        """Make every layer of a model run the learner's functions, and return the model."""
        for layer in model.modules():
            for original, functions in self.pairs.items():
                if cases.put_in(layer, original, functions):
                    self._note(original[0].__name__)
            if type(layer).__name__ in self.classes:
                self._note(type(layer).__name__)
        return model

    def optimizer(self, name: str) -> type:
        """Return an optimizer class that uses the learner's update rule, if there is one."""
        cls = getattr(optim, name)
        if name not in self.rules:
            return cls
        self._note(name.lower())
        return type(name, (cls,), {"rule": self.rules[name]})

    def _note(self, name: str) -> None:
        if name not in self.used:
            self.used.append(name)


def engine(learners: Learners, dtype: str) -> engines.Engine:
    """Return the engine by hand, with the learner's functions in every network and loss that it makes."""
    found = engines.ScratchEngine(dtype, "cpu")
    found.place = learners.put_into  # type: ignore[method-assign]
    found.models = SimpleNamespace(**{**vars(found.models), **learners.classes})
    loss = learners.classes.get("ActorCriticLoss", found.actor_critic.ActorCriticLoss)
    found.actor_critic = SimpleNamespace(
        **{**vars(found.actor_critic), "ActorCriticLoss": lambda *arguments: learners.put_into(loss(*arguments))}
    )
    found.optim = SimpleNamespace(**{**vars(found.optim), "Adam": learners.optimizer("Adam")})
    return found
