"""A ``fit(X, y)`` that makes its weights itself: a step of it begins at the weights that are there all the same.

Such a method sets the weights anew, to zeros or to random numbers, and loops over its iterations. It is run for one
iteration, and as soon as the loop begins, the weights from before the call are put back. So it takes one step from any
weights, as a training step does whose network has them from the start.
"""

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.assumed_losses import Loss, is_number
from parity_tests.diagnosis.lines.backward import tracing
from parity_tests.diagnosis.reading import holders, nested
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.moving import nudged
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.world import World
from parity_tests.diagnosis.trained import Trained, close

RECORDS = re.compile(r"^_*(train(ing)?_)?(loss|cost)(es|s)?(_?(history|hist|list|log))?_*$", re.I)
SAME = 1e-3
"""Within this, two ratios are the same."""
UNSURE = (
    "cannot tell whether {0} is right: it steps along the gradient of none of the usual losses, nor along a multiple "
    "of one. It may be wrong; or its loss is another (a hinge, one with a penalty), or it steps for each example, "
    "or has momentum. Name a method loss(X, y) in the class, or check a method that returns the gradients"
)


def resumed(
    network: object, method: Callable, batches: list[tuple[np.ndarray, ...]], world: World, stage: Stage
) -> "Fit | None":
    """Return the method as a step from the weights that are there; the network has weights from then on.

    None if it has no loop over iterations, if it goes on with the weights that the network has, or if it sets them to
    what depends on the data.
    """
    loop = next(_loops(network), None)
    if loop is None:
        return None
    fit = Fit(network, method, *loop, world)

    def begun(batch: tuple[np.ndarray, ...], places: dict[Place, np.ndarray]) -> dict[Place, np.ndarray]:
        with stage(method.__name__, reseed=True):
            return fit.run(batch, look_at=places)

    try:
        begun(batches[0], {})
        after = {place: np.array(values) for place, values in world.places() if values.dtype.kind == "f"}
        world.restore()
        first = begun(batches[0], after)
        world.restore()
        other = begun(batches[1], after)
        for place in first:
            world.put(place, nudged(after[place]))
        again = begun(batches[0], after)
    except LearnerRaisedError:
        world.restore()
        return None
    # What does not follow what was there before the call is set by it: also a bias that the first step leaves at 0.
    same = [p for p in first if first[p].shape == after[p].shape]
    fit.weights = [p for p in same if np.array_equal(first[p], again.get(p)) and np.array_equal(first[p], other.get(p))]
    moved = [p for p in same if not np.array_equal(first[p], after[p])]
    world.restore()
    if not moved or not set(moved) <= set(fit.weights):
        return None
    begun(batches[0], {})
    world.snapshot()
    return fit


@dataclass
class Fit:
    """A method with a loop over iterations; ``line`` is the first within it. ``weights`` are what it sets and moves."""

    network: object
    method: Callable
    code: types.CodeType
    line: int
    world: World
    weights: list[Place] = field(default_factory=list)
    computed: float | None = None

    @property
    def words(self) -> str:
        """What is said of it."""
        names = " and ".join(map(self.world.words, self.weights))
        return f"{self.method.__name__} sets {names} anew: a step begins at other numbers all the same"

    def recorded(self, batches: list[tuple[np.ndarray, ...]], stage: Stage, constants: tuple[str, ...]) -> Loss | None:
        """Return the loss that the method records as it goes.

        None if it records none, if it does so after the step, or if all weights follow another multiple of it: then the
        record is another mean of what is learned.
        """
        loss = Called(self._loss, self.method, "loss").taking(self._parameters[: len(batches[0])])
        try:
            trained = Trained(self.network, self.world, batches, stage, loss, self.step, constants)
            values = [trained.steps(1, slower) and self.computed for slower in (1.0, 0.5)]
            self.world.restore()
            if None in values or values[0] != values[1] or not set(self.weights) & set(trained.parameters):
                return None
            ratios = multiples(trained).values()
        except (LearnerRaisedError, NotUnderstoodError, TypeError):
            return None
        finally:
            self.world.restore()
        multiple = None not in ratios and np.ptp([*ratios]) < SAME and abs(max(ratios) - 1) > SAME
        return None if multiple else Loss(loss, f"the loss is that which {self.method.__name__} records")

    def is_unsure(self, trained: Trained) -> bool:
        """Return whether no array moves along a multiple of the gradient; a single number always does."""
        found = multiples(trained)
        self.world.restore()
        return all(found[place] is None for place, values in trained.parameters.items() if values.size > 1)

    def _loss(self, *batch: np.ndarray) -> float | None:
        rate = {p.name: 0.0 for p in self._parameters if words.RATES.match(p.name)}
        self.run(batch, rate, {place: np.array(self.world.get(place)) for place in self.weights})
        return self.computed

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.method).parameters.values())

    @property
    def step(self) -> Called:
        """The method as a training step."""

        def step(*batch: np.ndarray, **named: object) -> object:
            self.run(batch, named, {place: np.array(self.world.get(place)) for place in self.weights})
            return None

        return Called(step, self.method).taking(self._parameters)

    def run(
        self,
        batch: tuple[np.ndarray, ...],
        named: dict | None = None,
        put: dict[Place, np.ndarray] | None = None,
        look_at: dict[Place, np.ndarray] | None = None,
    ) -> dict[Place, np.ndarray]:
        """Call the method; return what is at some places as the loop begins, and put other numbers at some then."""
        seen: dict[Place, np.ndarray] = {}
        waits, self.computed = True, None

        def watch(frame: types.FrameType, event: str, _: object) -> None:
            nonlocal waits
            if event == "return" and frame.f_code is self.code:
                self.computed = _last_loss(frame.f_locals) or _last_loss(vars(self.network))
            if not waits or event != "line" or frame.f_code is not self.code or frame.f_lineno != self.line:
                return
            waits = False
            for place in look_at or ():
                values = np.asarray(self.world.get(place))
                if values.dtype.kind in "fiu":
                    seen[place] = np.array(values, np.float64)
            for place, values in (put or {}).items():
                self._put(place, values)

        with tracing(watch):
            self.method(*map(np.copy, batch), **(named or {}))
        return seen

    def _put(self, place: Place, values: np.ndarray) -> None:
        held = self.world.held(place)
        if isinstance(held, np.ndarray) and held.shape == values.shape and held.dtype.kind == "f":
            held[...] = values  # a variable of the method may hold it, too
        else:
            holders.put(self.world.roots[place.root], place.steps, values if values.ndim else float(values))


def multiples(trained: Trained) -> dict[Place, float | None]:
    """Return how many times the gradient each parameter moves by in the first step; None if it moves otherwise."""
    (first,), rate = trained.steps(1)
    found = {}
    for place, start in trained.parameters.items():
        move, grad = (start - first[place]) / rate, trained.gradient(place, trained.parameters)
        ratio = float(np.sum(move * grad) / (np.sum(grad**2) or 1.0))
        found[place] = ratio if np.any(move) and close(move, ratio * grad) else None
    return found


def _loops(network: object) -> Iterator[tuple[types.CodeType, int]]:
    """Yield the loops over iterations in a network's methods: the code, and the first line within."""
    for cls in type(network).__mro__:
        for function in vars(cls).values():
            code = getattr(function, "__code__", None)
            tree = nested.parsed(code) if code is not None and holders.is_theirs(cls) else None
            for node in ast.walk(tree) if tree is not None else ():
                over = node.iter if isinstance(node, ast.For) else node.test if isinstance(node, ast.While) else None
                if over is not None and any(map(_is_count, ast.walk(over))):
                    yield code, code.co_firstlineno + node.body[0].lineno - 1


def _last_loss(held: dict[str, object]) -> float | None:
    """Return what goes by the name of a loss, or the last number of a list of losses."""
    for name, value in held.items():
        last = value[-1] if isinstance(value, list) and value else value
        if RECORDS.match(name) and is_number(last):
            return float(last)
    return None


def _is_count(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(words.EPOCHS.match(name.strip("_")))
