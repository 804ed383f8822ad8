"""What has a page: found where the parity suite finds it, in the catalogue and in the engine's files."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from benchmarks.pages import docstring
from parity_tests import catalogue
from parity_tests.catalogue import Entry, LayerCase
from parity_tests.harness import derivation, pencil
from parity_tests.harness.derivation import Derivation, derivations
from scratch import optim

SHARED = "shared"
KINDS = (*(kind for kind in catalogue.KINDS if kind != "model"), SHARED)
TITLES = {"loss": "Losses", SHARED: "Shared steps"}


def title_of(kind: str) -> str:
    """Return the title of a kind of topic: "Layers"."""
    return TITLES.get(kind, f"{kind.capitalize()}s")


@dataclass(frozen=True)
class Topic:
    """A file of the engine that has a page.

    Attributes
    ----------
    module : module
    kind : str
        One of `KINDS`.
    classes : tuple of type
        Those in the catalogue, in its order.
    derivations : tuple of Derivation
    """

    module: ModuleType
    kind: str
    classes: tuple[type, ...]
    derivations: tuple[Derivation, ...]

    @property
    def file(self) -> str:
        """The file's name in the repository: "scratch/nn/linear.py"."""
        return f"{self.module.__name__.replace('.', '/')}.py"

    @property
    def path(self) -> str:
        """The page's name in the site."""
        return f"{self.module.__name__.replace('.', '/')}.html"

    @property
    def title(self) -> str:
        """What the file is about: "Batch normalization"."""
        return docstring.title_of(self.module.__doc__)[0]

    @property
    def sentence(self) -> str:
        """The rest of the first sentence, after the title."""
        return docstring.title_of(self.module.__doc__)[1]


def topics() -> list[Topic]:
    """Return every file that has a page: by kind, and within a kind in the catalogue's order."""
    classes: dict[str, list[type]] = {}
    kinds: dict[str, str] = {}
    for entry in catalogue.CATALOGUE:
        cls = class_of(entry)
        if cls is not None and cls not in classes.setdefault(cls.__module__, []):
            classes[cls.__module__].append(cls)
            kinds.setdefault(cls.__module__, entry.kind)
    for name in derivation.files():
        if derivations(name):
            kinds.setdefault(name, SHARED)
    found = []
    for name in sorted(kinds, key=lambda name: KINDS.index(kinds[name])):
        module = importlib.import_module(name)
        found.append(Topic(module, kinds[name], tuple(classes.get(name, ())), derivations(module)))
    return found


def class_of(entry: Entry) -> type | None:
    """Return the engine's class for a catalogue entry; None for a model, and for what the catalogue wraps itself."""
    if entry.kind in ("optimizer", "scheduler"):
        return getattr(optim, entry.name, None) or getattr(optim.lr_scheduler, entry.name)
    case = entry.case("float64", 0) if entry.kind in KINDS else None
    cls = pencil.class_of(entry.name) or (type(case.layer) if isinstance(case, LayerCase) else None)
    return cls if cls is not None and cls.__module__.startswith("scratch.") else None


def pairs_of(cls: type) -> Iterator[str]:
    """Yield the names of the plain functions that a class runs: its pairs' forwards, or its update rule."""
    for name, value in inspect.getmembers(cls):
        if isinstance(value, tuple) and len(value) == 2 and all(inspect.isfunction(one) for one in value):
            yield value[0].__name__
        elif name == "rule" and inspect.isfunction(value):
            yield value.__name__
