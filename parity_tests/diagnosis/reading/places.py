"""Where somebody's object keeps its numbers: every array that can be reached from it, with the path to it.

An array in an attribute, in a slot, in a dictionary or a list, in an object inside, in a class, in a function's closure
or among the file's own globals has a `Place`. A `World` remembers all of it, to restore it later.
"""

import contextlib
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading import generators, holders
from parity_tests.diagnosis.reading.holders import OPAQUE, Step
from parity_tests.diagnosis.reading.names import GRADIENTS
from parity_tests.diagnosis.reading.reached import DEEP, classes_and_files, functions

LARGE = 100_000
"""Arrays of more elements than this are not copied for each run: they are put back where a run has changed them."""


@dataclass(frozen=True)
class Place:
    """A path from one of the roots, in the steps of `parity_tests.diagnosis.reading.holders`."""

    root: int
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The keys joined with dots: "layers.0.W"; of ``self.__W`` "Linear__W", as a base class may have another."""
        return ".".join(str(key).lstrip("_" * (kind == "private")) for kind, key in self.steps)

    @property
    def last(self) -> str:
        """The last key that is a name: "W" of ``params["W"]``, of ``W.data`` and of ``self.__W``."""
        named = [step for step in self.steps if isinstance(step[1], str)]
        names = [_plain(step).removeprefix("__" * (step[0] == "private")) for step in named]
        if len(names) > 1 and names[-1] in ("data", "value", "val", "values", "array", "grad", "gradient", "g"):
            return names[-2]
        return names[-1] if names else ""

    @property
    def private_to(self) -> str:
        """The class whose private attribute it is: "_Linear" of ``self.__W``."""
        kind, key = self.steps[-1]
        return str(key).removesuffix(_plain(self.steps[-1])) if kind == "private" else ""

    def words(self, prefix: str = "self") -> str:
        """Return it as the code writes it: ``self.layers[0].params["W"]``."""
        said = prefix
        for kind, key in self.steps:
            if kind in ("attr", "private"):
                plain = _plain((kind, key))
                said += f".{plain}" if said else plain
            elif kind == "cell":
                said += f".{key}" if said else str(key)
            else:
                said += f"[{key!r}]".replace("'", '"')
        return said


def _plain(step: Step) -> str:
    # ``_Linear__W`` is what Python makes of ``__W`` in a class.
    kind, key = step
    return re.sub(r"^_.*?[^_](?=__)", "", key) if kind == "private" else str(key)


class World:
    """Everything that can be reached from the roots, with a start that can be restored.

    The classes of the objects that are reached are roots, too: a dictionary in a class body belongs to the class. So
    are the learner's other files. Functions are restored as roots are, as no copy is made of them.
    """

    def __init__(self, roots: list[object], prefixes: list[str]) -> None:
        classes, files = classes_and_files(roots)
        self.roots = [*roots, *classes, *files]
        self.prefixes = [*prefixes, *(one.__name__ for one in (*classes, *files))]
        self._functions = functions(self.roots)
        self.start: list[dict] = []
        self.draws: list[tuple[object, object]] = []
        self.snapshot()

    def words(self, place: Place) -> str:
        """Return a place as the code writes it."""
        return place.words(self.prefixes[place.root])

    def snapshot(self) -> None:
        """Remember the present state as the start."""
        groups: dict[int, list[Place]] = {}
        arrays: dict[int, np.ndarray] = {}
        for place, value in self._found(aliases=True):
            if isinstance(value, np.ndarray):
                groups.setdefault(id(value), []).append(place)
                arrays[id(value)] = value
        self._aliases = {place: tuple(group) for group in groups.values() for place in group}
        self._large = [value for value in arrays.values() if value.size > LARGE]
        self._shared: list[object] = []
        self.start = self._copies([holders.contents(one) for one in self._restored()])
        shared = {id(value) for one in self._shared for _, value in self._walk(0, (), one, set(), False)}
        watched = [value for key, value in arrays.items() if key in shared or value.size > LARGE]
        self._watched = [(value, value.copy()) for value in watched]
        self.draws = generators.states(generators.generators(self.roots))

    def restore(self) -> None:
        """Put everything back to the start, apart from what other files hold."""
        for held, values in self._watched:
            if held.flags.writeable and not np.array_equal(held, values):
                held[...] = values
        for one, contents in zip(self._restored(), self._copies(self.start), strict=True):
            holders.fill(one, contents)
        generators.put_back(self.draws)  # those that are not copied: of a class, of another module

    @contextlib.contextmanager
    def starting_here(self) -> Iterator[None]:
        """Take the present state as the start, for a while."""
        before = self.start, self.draws, self._aliases, self._large, self._watched
        self.snapshot()
        try:
            yield
        finally:
            self.start, self.draws, self._aliases, self._large, self._watched = before

    def release(self, kept: set[Place]) -> None:
        """Stop watching the large arrays that are at none of these places: a data set takes long to look at."""
        held = {id(self.get(place)) for place in kept}
        self._watched = [(value, values) for value, values in self._watched if id(value) in held]

    def _restored(self) -> list[object]:
        return [*self.roots, *self._functions]

    def _copies(self, contents: list[dict]) -> list[dict]:
        memo = {id(one): one for one in [*self.roots, *self._large]}
        return [{key: self._copy(value, memo) for key, value in one.items()} for one in contents]

    def _copy(self, value: object, memo: dict) -> object:
        try:
            return copy.deepcopy(value, memo)
        except Exception:
            self._shared.append(value)
            return value  # a file, a lock, a module: shared, as it cannot be copied

    def get(self, place: Place) -> object:
        """Return what is at a place now; None if the path no longer exists."""
        value = self.roots[place.root]
        for step in place.steps:
            try:
                value = holders.follow(value, step)
            except (AttributeError, KeyError, IndexError, TypeError, ValueError):
                return None
        return value

    def put(self, place: Place, value: object) -> None:
        """Put ``value`` at a place, and wherever else the same array is held."""
        held = self.get(place)
        if isinstance(held, np.ndarray) and isinstance(value, np.ndarray):
            if held.shape == value.shape and held.dtype == value.dtype and held.flags.writeable:
                held[...] = value
                return
        elif isinstance(held, float | np.floating) and isinstance(value, np.ndarray) and not value.ndim:
            value = float(value) if type(held) is float else value.dtype.type(value)
        elif isinstance(held, list) and isinstance(value, np.ndarray):
            value = value.tolist()
        for other in self.aliases(place):
            holders.put(self.roots[other.root], other.steps, value)

    def aliases(self, place: Place) -> tuple[Place, ...]:
        """Return every place at which, at the start, the same array is held."""
        return self._aliases.get(place, (place,))

    def places(self, aliases: bool = False) -> Iterator[tuple[Place, np.ndarray]]:
        """Yield each array (or list of numbers) that can be reached: with its first place, or with all of them."""
        for place, value in self._found(aliases):
            yield place, np.asarray(value)

    def _found(self, aliases: bool) -> Iterator[tuple[Place, object]]:
        seen: set[int] = {id(root) for root in self.roots}
        for number, root in enumerate(self.roots):
            for step, value in holders.children(root, top=True):
                yield from self._walk(number, (step,), value, seen, aliases)

    def _walk(
        self, root: int, steps: tuple[Step, ...], value: object, seen: set[int], aliases: bool
    ) -> Iterator[tuple[Place, object]]:
        if isinstance(value, OPAQUE) or len(steps) > DEEP:
            return
        if isinstance(value, np.ndarray | float | np.floating):
            if isinstance(value, np.ndarray):
                if id(value) in seen and not aliases:
                    return
                seen.add(id(value))
            if not isinstance(value, np.ndarray) or value.dtype.kind in "fciub":
                yield Place(root, steps), value
            elif value.dtype.kind in "OV":
                yield from self._inside(root, steps, value, seen, aliases)
            return
        if id(value) in seen:
            return
        seen.add(id(value))
        if _is_numbers(value):
            yield Place(root, steps), value
            if not GRADIENTS.match(str(steps[-1][1])):
                return  # a list of gradients may have one number for each of a list of parameters
        yield from self._inside(root, steps, value, seen, aliases)

    def _inside(
        self, root: int, steps: tuple[Step, ...], value: object, seen: set[int], aliases: bool
    ) -> Iterator[tuple[Place, object]]:
        for step, child in holders.children(value):
            yield from self._walk(root, (*steps, step), child, seen, aliases)


def _is_numbers(value: object) -> bool:
    # A list of numbers with a fraction among them stands for an array; one of whole numbers may be sizes.
    if not isinstance(value, list) or not value or not isinstance(value[0], list | float):
        return False
    try:
        array = np.array(value)
    except ValueError:
        return False
    return array.dtype.kind == "f" and array.ndim > 0 and not _holds_arrays(value)


def _holds_arrays(value: list) -> bool:
    return any(isinstance(v, np.ndarray) or (isinstance(v, list) and _holds_arrays(v)) for v in value)
