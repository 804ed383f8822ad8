"""Where somebody's object keeps its numbers: every array that can be reached from it, with the path to it.

An array in an attribute, in a slot, in a dictionary or a list, in an object inside, in a class, in a function's closure
or among the file's own globals has a `Place`. A `World` remembers all of it, to restore it later.
"""

import collections
import contextlib
import copy
import operator
import re
import sys
import types
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading import buffers, elsewhere, generators, holders
from parity_tests.diagnosis.reading.holders import OPAQUE, Step
from parity_tests.diagnosis.reading.names import GRADIENTS
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.reached import DEEP, classes_and_files, folders, functions, named_files

LARGE = 100_000
"""Arrays of more elements than this are not copied for each run: they are put back where a run has changed them."""


class World:
    """Everything that can be reached from the roots, with a start that can be restored.

    The classes of the objects that are reached are roots, too: a dictionary in a class body belongs to the class. So
    are the learner's other files. Functions are restored as roots are, as no copy is made of them.
    """

    def __init__(self, roots: list[object], prefixes: list[str]) -> None:
        self.roots, self.prefixes = list(roots), list(prefixes)
        self._modules, self._folders = set(sys.modules), folders(roots)
        self._elsewhere = types.SimpleNamespace()
        self._fixed: dict[int, object] = {}
        self._showing: dict[int, object] = {}  # figures and the like are not copied
        self.start: list[dict] = []
        self.draws: list[tuple[object, object]] = []
        self._add([self._elsewhere], [""])
        self._look_again()
        self.snapshot()

    def look_again(self) -> None:
        """Put everything back to the start, with what a first forward imported, made or cached."""
        self.restore()
        if self._look_again():
            self.snapshot()

    def _look_again(self) -> bool:
        before = len(self.roots), set(self._fixed)
        while True:
            classes, files = classes_and_files(self.roots)
            files += [
                one for one in named_files([*self.roots, *files], self._folders, self._modules) if one not in files
            ]
            if not classes and not files:
                break
            self._add([*classes, *files], [one.__name__ for one in (*classes, *files)])
        self._functions = functions(self.roots)
        vars(self._elsewhere).clear()
        known: set[int] = set()
        collections.deque(self._found(aliases=True, seen=known), maxlen=0)
        found = elsewhere.numbers(self.roots, self.prefixes, known)
        vars(self._elsewhere).update(found)
        self._fixed = {id(value): value for value in found.values()}
        return before != (len(self.roots), set(self._fixed))

    def _add(self, roots: list[object], prefixes: list[str]) -> None:
        self.roots += roots
        self.prefixes += prefixes

    def words(self, place: Place) -> str:
        """Return a place as the code writes it."""
        return place.words(self.prefixes[place.root])

    def snapshot(self) -> None:
        """Remember the present state as the start."""
        groups: dict[int, list[Place]] = {}
        arrays: dict[int, np.ndarray] = {}
        for place, value in self._found(aliases=True):
            if isinstance(value, np.ndarray) or not isinstance(value, float | np.floating | list | tuple | bytes):
                groups.setdefault(id(value), []).append(place)
                arrays[id(value)] = value
        arrays |= self._fixed
        self._aliases = {place: tuple(group) for group in groups.values() for place in group}
        large = {key for key, value in arrays.items() if _is_kept(value)}
        self._kept = [value for key, value in arrays.items() if key in large or key in self._fixed]
        self._shared: list[object] = []
        self.draws = generators.states(generators.generators(self.roots))
        self.start = self._copies([holders.contents(one) for one in self._restored()])
        empty = [one for one, held in zip(self.roots, self.start, strict=False) if isinstance(one, type) and not held]
        self._empty = {id(one): dict(vars(one)) for one in empty}
        shared = {id(value) for one in self._shared for _, value in self._walk(0, (), one, set(), False)}
        watched = [value for key, value in arrays.items() if key in shared | large | set(self._fixed)]
        self._watched = [(value, np.array(buffers.seen_as_array(value))) for value in watched]

    def restore(self) -> None:
        """Put everything back to the start, apart from what other files hold."""
        for held, values in self._watched:
            buffers.write(held, values)
        for one, contents in zip(self._restored(), self._copies(self.start), strict=True):
            if not self._is_still_empty(one):
                holders.fill(one, contents)
        generators.put_back(self.draws)

    @contextlib.contextmanager
    def starting_here(self) -> Iterator[None]:
        """Take the present state as the start, for a while."""
        before = self.start, self.draws, self._aliases, self._kept, self._watched, self._empty
        self.snapshot()
        try:
            yield
        finally:
            self.start, self.draws, self._aliases, self._kept, self._watched, self._empty = before

    def release(self, kept: set[Place]) -> None:
        """Stop watching the large arrays that are at none of these places: a data set takes long to look at."""
        held = {id(self.held(place)) for place in kept}
        self._watched = [(value, values) for value, values in self._watched if id(value) in held]

    def _is_still_empty(self, one: object) -> bool:
        # Most classes of a file hold no data, and most forwards give them none.
        before = self._empty.get(id(one))
        if before is None or before.keys() != vars(one).keys():
            return False
        return all(map(operator.is_, before.values(), vars(one).values()))

    def _restored(self) -> list[object]:
        return [*self.roots, *self._functions]

    def _copies(self, contents: list[dict]) -> list[dict]:
        # A generator's state is put back. To copy it, number by number, would take longer than most forwards.
        plain = [one for one, _ in self.draws if type(one) in generators.KINDS]
        memo = {id(one): one for one in [*self.roots, *self._kept, *self._showing.values(), *plain]}
        return [{key: self._copy(value, memo) for key, value in one.items()} for one in contents]

    def _copy(self, value: object, memo: dict) -> object:
        try:
            return copy.deepcopy(value, memo)
        except Exception:
            self._shared.append(value)
            return value  # a file, a lock, a module: shared, as it cannot be copied

    def get(self, place: Place) -> object:
        """Return what is at a place now, as an array if it stands for one; None if the path no longer exists."""
        return buffers.seen_as_array(self.held(place))

    def held(self, place: Place) -> object:
        """Return what is at a place now, of whichever kind; None if the path no longer exists."""
        value = self.roots[place.root]
        for step in place.steps:
            if step == ("attr", "data") and buffers.is_tensor(value):
                continue  # ``tensor.data`` is another object each time
            try:
                value = holders.follow(value, step)
            except (AttributeError, KeyError, IndexError, TypeError, ValueError):
                return None
        return value

    def labels(self, place: Place) -> list[Place]:
        """Return a place under each name on the way to what was found elsewhere, the last one first; else itself."""
        if self.roots[place.root] is not self._elsewhere:
            return [place]
        words = re.findall(r"[A-Za-z_]\w*", str(place.steps[0][1]))
        return [Place(place.root, (("attr", word),)) for word in reversed(words)]

    def is_fixed(self, place: Place) -> bool:
        """Return whether what is at a place can only be written to: nothing can be put in its place."""
        held = self.held(place)
        return id(held) in self._fixed or buffers.is_tensor(held) or buffers.is_buffer(held)

    def put(self, place: Place, value: object) -> None:
        """Put ``value`` at a place, and wherever else the same array is held."""
        held = self.held(place)
        if isinstance(value, np.ndarray):
            if (id(held) in self._fixed or buffers.takes(held, value)) and buffers.write(held, value):
                return
            if isinstance(held, float | np.floating):
                if not value.ndim:
                    value = float(value) if type(held) is float else value.dtype.type(value)
            else:
                value = buffers.like(held, value)
        for other in self.aliases(place):
            holders.put(self.roots[other.root], other.steps, value)

    def aliases(self, place: Place) -> tuple[Place, ...]:
        """Return every place at which, at the start, the same array is held."""
        return self._aliases.get(place, (place,))

    def places(self, aliases: bool = False) -> Iterator[tuple[Place, np.ndarray]]:
        """Yield each array (or list of numbers) that can be reached: with its first place, or with all of them."""
        for place, value in self._found(aliases):
            there = np.asarray(buffers.seen_as_array(value))
            yield place, there.copy() if buffers.is_buffer(value) else there  # while it is seen, it cannot grow

    def _found(self, aliases: bool, seen: set[int] | None = None) -> Iterator[tuple[Place, object]]:
        seen = set() if seen is None else seen
        seen |= {id(root) for root in self.roots}
        # An array that is found elsewhere, too, goes by the place that has a path.
        for number, root in sorted(enumerate(self.roots), key=lambda pair: pair[1] is self._elsewhere):
            for step, value in holders.children(root, top=True):
                yield from self._walk(number, (step,), value, seen, aliases)

    def _walk(
        self, root: int, steps: tuple[Step, ...], value: object, seen: set[int], aliases: bool
    ) -> Iterator[tuple[Place, object]]:
        if holders.only_shows(value):
            self._showing[id(value)] = value
            return
        if len(steps) > DEEP or (isinstance(value, OPAQUE) and not buffers.is_buffer(value)):
            return
        if buffers.is_tensor(value) or buffers.is_buffer(value):
            if id(value) in seen and not aliases:
                return
            seen.add(id(value))
            yield from _of_buffer(root, steps, value)
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
        if buffers.is_list_of_floats(value):
            yield Place(root, steps), value
            if not GRADIENTS.match(str(steps[-1][1])):
                return  # a list of gradients may have one number for each of a list of parameters
        yield from self._inside(root, steps, value, seen, aliases)

    def _inside(
        self, root: int, steps: tuple[Step, ...], value: object, seen: set[int], aliases: bool
    ) -> Iterator[tuple[Place, object]]:
        for step, child in holders.children(value):
            yield from self._walk(root, (*steps, step), child, seen, aliases)


def _is_kept(value: object) -> bool:
    # A copy of an array of a class of the learner's would lack its attributes.
    return np.size(buffers.seen_as_array(value)) > LARGE or bool(getattr(value, "__dict__", {}))


def _of_buffer(root: int, steps: tuple[Step, ...], value: object) -> Iterator[tuple[Place, object]]:
    # A tensor has its numbers in ``data``, and what PyTorch's autograd leaves in ``grad``.
    if not buffers.is_tensor(value):
        yield Place(root, steps), value
        return
    yield Place(root, (*steps, ("attr", "data"))), value
    if value.is_leaf and value.grad is not None:
        yield Place(root, (*steps, ("attr", "grad"))), value.grad
