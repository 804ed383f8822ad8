"""What an exercise is. This module imports nothing heavy, so that listing the exercises is quick."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    name : str
        The name on the command line and in the file's name: "linear".
    title : str
        What the learner does, in a few words.
    layer : str
        The public layer, loss or optimizer that it belongs to: "Linear", "Adam".
    task : str
        What the learner reads first: sentences, wrapped when they are printed.
    """

    name: str
    title: str
    layer: str
    task: str

    kind = ""
    """"write it", "find the mistake" or "explain it"."""


@dataclass(frozen=True)
class Derived(Exercise):
    """An exercise on the statements of a derivation.

    Attributes
    ----------
    module : str
        The file with the derivation: "scratch.nn.linear".
    function : str
        The forward function, or the update rule.
    entry : str
        The catalogue's entry (`parity_tests.catalogue`) that draws cases for it; the layer's by default.
    """

    module: str = ""
    function: str = ""
    entry: str = ""

    @property
    def cases(self) -> str:
        """The name of the catalogue's entry."""
        return self.entry or self.layer

    @cached_property
    def source(self) -> ModuleType:
        """The module with the derivation."""
        return importlib.import_module(self.module)


@dataclass(frozen=True)
class Write(Derived):
    """An exercise whose statements are left blank.

    Attributes
    ----------
    blank : str
        The labels of the statements that are cut out, "B2 B1"; "B" for all of backward.
    """

    blank: str = "B"
    kind = "write it"


@dataclass(frozen=True)
class Find(Derived):
    """A mistake from the museum, put into the plain functions.

    Attributes
    ----------
    exhibit : str
        The class of `parity_tests.museum` that makes this mistake.
    label : str
        The statement that is wrong.
    wrong : str
        What replaces it.
    """

    exhibit: str = ""
    label: str = ""
    wrong: str = ""
    kind = "find the mistake"


@dataclass(frozen=True)
class Explain(Exercise):
    """A prediction, answered before it is computed.

    Attributes
    ----------
    choices : tuple of str
        The possible answers, for the letters a, b, c, ...; empty if the answer is a number or a shape.
    compute : callable
        Returns the answer, and the lines that show the computation.
    hints : tuple of str
        One for each time the learner asks.
    """

    choices: tuple[str, ...] = ()
    compute: Callable[[], tuple[object, list[str]]] = lambda: (None, [])
    hints: tuple[str, ...] = ()
    kind = "explain it"


@dataclass(frozen=True)
class Method(Write):
    """The backward of a class made of other layers; ``module`` and ``function`` name the class.

    Attributes
    ----------
    replaces : tuple of pair of str
        A statement of the method and its replacement; "..." stands for what is cut out.
    told : tuple of str
        The hints, where the class has no derivation of its own.
    """

    replaces: tuple[tuple[str, str], ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindMethod(Method):
    """A mistake from the museum, put into a class made of other layers by ``replaces``.

    Attributes
    ----------
    exhibit : str
        The class of `parity_tests.museum` that makes this mistake.
    """

    exhibit: str = ""
    kind = "find the mistake"
