"""A layer that somebody else wrote, read by trying it out, and wrapped so that `parity_tests.check` can run it.

Names alone are not trusted. What a layer learns is what its output depends on: every array that can be reached from it
is changed a little, and forward is run again. An array that backward writes or returns is a parameter's gradient if its
name, its numbers or its shape fit. What changes the output and has no gradient is named.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.reading import beside, examples, floats, generators, shapes
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.gradients import assign
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.places import Place
from parity_tests.diagnosis.reading.plans import RATE, Plan
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.steps import Optimizers
from parity_tests.diagnosis.reading.views import View, same
from parity_tests.harness.arrays import array

SLOPE_STEP = 2.0**-12


@dataclass
class Learned:
    """A parameter of the learner's: where it lies, how PyTorch would have it, and where its gradient comes from."""

    place: Place
    shape: tuple[int, ...]
    view: View
    gradient: Source | None = None
    name: str = ""
    moves: bool = True
    integer: bool = False


class Parameter:
    """A parameter as `check` wants it: ``data`` and ``grad``, in PyTorch's order of axes."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.grad = data, None


@dataclass
class Reading:
    """What was found out about a layer, in the order in which it is reported."""

    learned: list[Learned] = field(default_factory=list)
    inputs: dict[int, Source] = field(default_factory=dict)
    unseen: list[tuple[Place, tuple]] = field(default_factory=list)
    state: list[tuple[Place, tuple]] = field(default_factory=list)
    constants: list[tuple[Place, tuple]] = field(default_factory=list)
    beside: list[tuple[str, tuple]] = field(default_factory=list)
    adaptive: dict[Place, Place] = field(default_factory=dict)
    unused: list[tuple[Place, tuple]] = field(default_factory=list)
    random: bool = False


class Learner:
    """Somebody's layer with the methods that `check` calls.

    Parameters
    ----------
    plan : Plan
        How it is called.
    inputs : tuple of numpy.ndarray
        Inputs to try it on.
    dtype : str
        What its parameters are converted to.
    constants : tuple of str
        Names of arrays (or of inputs) that should have no gradient.
    stage : Stage
        Where its code runs.
    averages : bool
        Whether the gradients of what all examples share are meant as means over the examples.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: tuple[np.ndarray, ...],
        dtype: str = "float64",
        constants: tuple[str, ...] = (),
        stage: Stage | None = None,
        averages: bool = False,
    ) -> None:
        self.plan, self.found, self.dtype = plan, plan.found, dtype
        self.constants, self.stage, self.averages = constants, stage or Stage(), averages
        self._axes: list[int | None] | None = None
        self.title, self.training = self.found.title, plan.options.training
        self.world = self.found.world
        self.reading = Reading()
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.accumulates: dict[str, bool] = {}
        self.unmatched: list[str] = []
        self.parameters: dict[str, Parameter] = {}
        self.buffers: dict[str, tuple[Place, np.ndarray]] = {}
        self._values: dict[Place, np.ndarray] = {}
        if not self.training and self.found.owner is not None:
            self._evaluation_mode()
        self._explore(inputs)
        self._name_parameters()

    # What `check` calls.

    def forward(self, *inputs: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """Run the layer's forward from its start, with the current parameters."""
        if self.averages:
            self.example_axes(inputs)
        self.world.restore()
        self.backwards, self.last = 0, inputs
        self._write()
        self._draws = generators.states(generators.generators(self.world.roots)) if self.world.draws else []
        return self._forward(inputs)

    __call__ = forward

    def example_axes(self, inputs: tuple[np.ndarray, ...]) -> list[int | None]:
        """Return the axis of the examples in each input, None for what all of them share."""
        if self._axes is None:
            averages, self.averages = self.averages, False
            try:
                self._axes = examples.axes(self.forward, inputs, int(self.plan.options.in_columns))
            finally:
                self.averages = averages
        return self._axes

    def _forward(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray | tuple[np.ndarray, ...]:
        with self.stage("forward", reseed=True):
            outputs = self.plan.forward(inputs)
        self._look_for_writes(inputs)
        for name, (place, values) in self.buffers.items():
            found = self.world.get(place)
            if np.shape(found) == values.shape:
                self.buffers[name] = (place, np.array(found, values.dtype))
        made = tuple(np.array(y) for y in outputs)
        self.outputs = made
        return made if len(made) > 1 else made[0]

    def backward(self, *grads: np.ndarray | float) -> tuple[np.ndarray | None, ...] | np.ndarray | None:
        """Run the layer's backward; a second one after a second forward, as a training loop has it."""
        self.backwards += 1
        if self.backwards > 1:
            self._forward_again()
        before = {name: self._gradient(learned) for name, learned in self._learned() if self.backwards > 1}
        leaves = self._backward(tuple(np.asarray(grad) for grad in grads))
        for name, learned in self._learned():
            self._collect(name, learned, before.get(name), leaves)
        found = [self._input_gradient(i, source, leaves) for i, source in sorted(self.reading.inputs.items())]
        places = sorted(self.reading.inputs)
        if not places:
            return None
        returned = [None] * (places[-1] + 1)
        for place, values in zip(places, found, strict=True):
            returned[place] = values
        return tuple(returned) if len(returned) != 1 else returned[0]

    def _forward_again(self) -> None:
        # Without a reset; where forward carries a state on and gives another output, with a reset of all but gradients.
        first = self.outputs
        self._write()
        generators.put_back(self._draws)
        self._forward(self.last)
        if equal(first, self.outputs):
            return
        sources = [one.gradient for one in self.reading.learned if one.gradient is not None]
        held = {source.place: self.world.get(source.place) for source in sources if source.place is not None}
        self.world.restore()
        for place, values in held.items():
            self.world.put(place, values)
        self._write()
        self._forward(self.last)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters under PyTorch's names, or under their own where none matched."""
        yield from self.parameters.items()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the parameters' arrays and those of the buffers that PyTorch has, too."""
        state = {name: parameter.data for name, parameter in self.parameters.items()}
        return state | {name: values for name, (_, values) in self.buffers.items()}

    def __deepcopy__(self, memo: dict) -> "Learner":
        """Copy the numbers; the layer itself is put back to its start before each forward."""
        other = copy.copy(self)
        other._first = {}
        other.parameters = {name: Parameter(np.array(p.data)) for name, p in self.parameters.items()}
        other.buffers = {name: (place, np.array(values)) for name, (place, values) in self.buffers.items()}
        return other

    @property
    def without_gradient(self) -> list[int]:
        """The floating inputs that have no gradient."""
        return [i for i, values in enumerate(self.last) if values.dtype.kind == "f" and i not in self.reading.inputs]

    def depends_on(self, index: int) -> bool:
        """Return whether an output changes when an input is moved."""
        inputs = self.last
        self.forward(*inputs)
        usual = list(self.outputs)
        try:
            self.forward(*(nudged(x) if i == index else x for i, x in enumerate(inputs)))
            return not equal(usual, list(self.outputs))
        except LearnerRaisedError:
            return True
        finally:
            self.last = inputs

    def forget(self) -> None:
        """Start a new comparison: forget what was found wrong in earlier runs."""
        self.faults, self.accumulates = [], {}
        for one in self.reading.learned:
            if one.integer:
                own = self.world.words(one.place)
                self._fault(f"{own} holds integers: a small step does not change it; make it float")

    # One run.

    def _write(self) -> None:
        for name, learned in self._learned():
            self.world.put(learned.place, learned.view.back(self.parameters[name].data, learned.shape))
        for place, values in self.buffers.values():
            self.world.put(place, np.array(values))
        for place, values in self._values.items():
            self.world.put(place, np.array(values))
        for learned in self.reading.learned:
            if learned.gradient is not None and learned.gradient.place is not None and not learned.gradient.step:
                for place in learned.gradient.places if self.backwards == 0 else ():
                    self._zero(place)

    def _zero(self, place: Place) -> None:
        held = self.world.get(place)
        # A dictionary of gradients may begin as a copy of the parameters', with the same arrays in it.
        if not isinstance(held, np.ndarray) or any(held is self.world.get(one.place) for one in self.reading.learned):
            return
        if held.dtype == self.dtype and held.flags.writeable:
            held[...] = 0  # in place: another name may stand for the same array
        else:
            self.world.put(place, np.zeros(held.shape, self.dtype))

    def _backward(self, grads: tuple[np.ndarray, ...]) -> dict[str, np.ndarray | None]:
        self.optimizers.put_back()
        self._before = {id(learned): np.array(self.world.get(learned.place)) for learned in self.reading.learned}
        with self.stage("backward"):
            leaves = self.plan.backward(grads)
        for grad, given in zip(self.plan.passed, grads, strict=False):
            if np.ndim(grad) and not np.array_equal(grad, self.plan._undressed(given), equal_nan=True):
                self._fault(f"{self.found.backward_name} writes to the gradient it receives: work on a copy")
        for learned in self.reading.learned:
            now = self.world.get(learned.place)
            stepped = learned.gradient is not None and learned.gradient.step
            if not stepped and not np.array_equal(self._before[id(learned)], now, equal_nan=True):
                words = self.world.words(learned.place)
                self._fault(f"{words} was written to by {self.found.backward_name}")
        return leaves

    def _look_for_writes(self, inputs: tuple[np.ndarray, ...]) -> None:
        fronts = self.input_names(len(inputs))
        for i, values in enumerate(inputs):
            before = self.plan._dressed(values, i)
            if not np.array_equal(before, self.plan.inputs[i], equal_nan=True):
                self._fault(
                    f"{self.found.forward_name} writes to its input {fronts[i]}, which belongs to the caller; "
                    f"work on a copy, {fronts[i]} = {fronts[i]}.copy()"
                )

    def _fault(self, sentence: str) -> None:
        if sentence not in self.faults:
            self.faults.append(sentence)

    def input_names(self, count: int) -> list[str]:
        """Return forward's own names of the inputs, in the order of the inputs."""
        fronts = [p.name for p in self.found.parameters(self.found.forward) if p.name not in self.plan.options.extras]
        found = [f"input {i}" for i in range(count)]
        if self.plan.listed:
            return [f"{fronts[0]}[{i}]" for i in range(count)]
        for place, index in enumerate(self.plan.order):
            if place < len(fronts):
                found[index] = fronts[place]
        return found

    # Gradients.

    def _learned(self) -> Iterator[tuple[str, Learned]]:
        for learned in self.reading.learned:
            yield learned.name, learned

    def _gradient(self, learned: Learned, leaves: dict | None = None) -> np.ndarray | None:
        source = learned.gradient
        if source is None:
            return None
        if source.step:
            return (self._before_of(learned) - np.asarray(self.world.get(learned.place))) / source.rate
        parts = [self.world.get(p) for p in source.places] if source.places else [(leaves or {}).get(source.leaf)]
        if any(part is None for part in parts):
            return None
        found = sum(np.array(part) for part in parts[1:]) + np.array(parts[0]) if parts[1:] else np.array(parts[0])
        if np.ndim(self.plan.factor) == 0 and self.plan.factor != 1 and found.dtype.kind == "f":
            found = found * found.dtype.type(self.plan.factor)
        return found

    def _examples(self) -> int:
        axis = self.example_axes(self.last)[0]
        return self.last[0].shape[axis] if self.last[0].ndim and axis is not None else 1

    def _before_of(self, learned: Learned) -> np.ndarray:
        return self._before[id(learned)]

    def _collect(self, name: str, learned: Learned, before: np.ndarray | None, leaves: dict) -> None:
        parameter, found = self.parameters[name], self._gradient(learned, leaves)
        if found is None:
            if learned.gradient is not None:
                parameter.grad = None
            return
        if self.averages:
            found = found * self._examples()
        seen = self._in_view(learned, found)
        if self.backwards == 1:
            self._first = getattr(self, "_first", {}) | {name: seen}
            parameter.grad = seen
            return
        first = self._first.get(name)
        afresh = learned.gradient.step or learned.gradient.place is None
        if first is not None and first.shape == seen.shape:
            # The second upstream gradient is the first times -1/2 (`SECOND`): assigned gradients follow it.
            assigned = np.allclose(seen, -0.5 * first, rtol=1e-4 if seen.dtype == np.float32 else 1e-9, atol=0)
            if afresh or assigned:
                if not afresh and np.any(first):
                    self.accumulates[name] = False
                parameter.grad = first + seen
                return
            if np.any(first) and np.allclose(
                seen, 0.5 * first, rtol=1e-4 if seen.dtype == np.float32 else 1e-9, atol=0
            ):
                self.accumulates[name] = True
        parameter.grad = seen

    def _in_view(self, learned: Learned, found: np.ndarray) -> np.ndarray:
        bare, wanted = (tuple(n for n in shape if n != 1) for shape in (found.shape, learned.shape))
        if bare != wanted:
            return found
        if said := shapes.enlarged(self.world.words(learned.place), learned.shape, found.shape):
            self._fault(said)
        return learned.view.there(found.reshape(learned.shape))

    def _input_gradient(self, index: int, source: Source, leaves: dict) -> np.ndarray | None:
        found = self.world.get(source.place) if source.place is not None else leaves.get(source.leaf)
        if found is None:
            return None
        found = np.array(found)
        if self.averages and self.example_axes(self.last)[index] is None:
            found = found * self._examples()
        factor = self.plan.factor
        if np.ndim(factor) == 0:
            found = found * found.dtype.type(factor) if found.dtype.kind == "f" and factor != 1 else found
        elif factor.shape == found.shape:
            found = found * factor
        elif found.ndim > factor.ndim and found.shape[: factor.ndim] == factor.shape:
            found = found * factor.reshape(*factor.shape, *[1] * (found.ndim - factor.ndim))
            if self.plan.mean:
                found = found * factor.size
        return self.plan._undressed(found)

    # Finding out.

    def _evaluation_mode(self) -> None:
        owner = self.found.owner
        if callable(getattr(owner, "eval", None)):
            with self.stage("eval()"):
                owner.eval()
        for name in ("training", "train", "is_training", "train_mode", "train_flg", "is_train"):
            if isinstance(getattr(owner, name, None), bool):
                setattr(owner, name, False)
        if isinstance(getattr(owner, "mode", None), str):
            owner.mode = "test"
        self.world.snapshot()

    def _outputs_with(self, inputs: tuple, changes: dict[Place, np.ndarray]) -> list[np.ndarray]:
        self.world.restore()
        for place, values in changes.items():
            self.world.put(place, np.array(values))
        with self.stage("forward", reseed=True):
            return [np.array(y) for y in self.plan.forward(inputs)]

    def _explore(self, inputs: tuple[np.ndarray, ...]) -> None:
        self._outputs_with(inputs, {})
        self._built_on_the_way(inputs)
        self.world.restore()
        # First with random numbers in everything that has the name of a gradient's owner: a bias or a last layer of
        # zeros would hide what lies behind it.
        places = {place: np.array(values) for place, values in self.world.places() if values.size}
        written, leaves = self._written(inputs, {})
        self.world.restore()
        arrays = {
            place: values
            for place, values in places.items()
            if values.dtype.kind in "fiu"
            and (not floats.is_float(self.world, place) or self._may_be_learned(place, written, leaves))
        }
        drawn: dict[Place, np.ndarray] = {}
        depends: dict[Place, np.ndarray] = {}
        for _ in range(3):
            new = self._moving(inputs, {p: v for p, v in arrays.items() if p not in depends}, drawn)
            depends |= new
            named = {p: v for p, v in arrays.items() if v.dtype.kind == "f" and self._owner_of_gradient(p, written)}
            before = set(drawn)
            for number, (place, values) in enumerate((depends | named).items()):
                if place not in drawn and values.dtype.kind == "f" and not self._is_state(place):
                    drawn[place] = array(values.shape, "float64", seed=11 + number)
            if set(drawn) == before:
                break
            try:
                self._outputs_with(inputs, drawn)
            except LearnerRaisedError:
                drawn = {}
                break
        written, leaves = self._written(inputs, drawn)
        self._sort(inputs, arrays, depends, drawn, written, leaves)
        if self.plan.beside():
            self.reading.beside = beside.not_compared(self, inputs, drawn)

    def _may_be_learned(self, place: Place, written: dict, leaves: dict) -> bool:
        return (
            floats.is_held_as_parameter(self.world, place)
            or self._owner_of_gradient(place, written)
            or any(words.alike(place.last, owner) for name in leaves for owner in words.undressed(name))
        )

    def _is_state(self, place: Place) -> bool:
        return words.meaning(place.last) in ("running_mean", "running_var")

    def _built_on_the_way(self, inputs: tuple) -> None:
        # Parameters that the first forward creates: what exists after it and changes a second forward.
        self.world.restore()
        known = {place for place, _ in self.world.places()}
        draws = generators.states(generators.generators(self.world.roots))

        def forward() -> list[np.ndarray]:
            generators.put_back(draws)
            with self.stage("forward", reseed=True):
                return [np.array(y) for y in self.plan.forward(inputs)]

        first = forward()
        now = dict(self.world.places(aliases=True))
        own = [values for place, values in now.items() if place in known]  # forward may keep them in a cache, too
        later = {
            place: np.array(values)
            for place, values in now.items()
            if place not in known
            and values.ndim
            and values.dtype.kind == "f"
            and not any(np.may_share_memory(values, other) for other in own)
        }
        if not later:
            return
        held = copy.deepcopy(later)
        if not equal(first, forward()):
            return
        for place, values in held.items():
            self.world.put(place, nudged(values))
            moved = forward()
            self.world.put(place, values)
            if not equal(first, moved):
                forward()
                generators.put_back(draws)
                self.world.snapshot()
                return

    def _moving(
        self, inputs: tuple, candidates: dict[Place, np.ndarray], drawn: dict[Place, np.ndarray]
    ) -> dict[Place, np.ndarray]:
        base = self._outputs_with(inputs, drawn)
        found = {}
        for place, values in candidates.items():
            try:
                moved = self._outputs_with(inputs, drawn | {place: nudged(drawn.get(place, values))})
            except LearnerRaisedError:
                continue  # an index or a size: it cannot be moved a little
            if not equal(base, moved):
                found[place] = values
        return found

    def _written(
        self, inputs: tuple, drawn: dict[Place, np.ndarray]
    ) -> tuple[dict[Place, np.ndarray], dict[str, np.ndarray | None]]:
        # What backward leaves behind: every array that is new or has changed, and what it returns.
        outputs = self._outputs_with(inputs, drawn)
        before = {place: np.array(values) for place, values in self.world.places(aliases=True)}
        grads = upstream(outputs)
        with self.stage("backward"):
            leaves = self.plan.backward(grads)
        after = {place: np.array(values) for place, values in self.world.places(aliases=True)}
        changed = {
            place: values
            for place, values in after.items()
            if place not in before or not np.array_equal(before[place], values, equal_nan=True)
        }
        held = {place: self.world.get(place) for place in changed}
        self.written_arrays = {p: id(v) if isinstance(v, np.ndarray) else p for p, v in held.items()}
        return changed, leaves

    def _owner_of_gradient(self, place: Place, written: dict[Place, np.ndarray]) -> bool:
        return any(
            any(words.alike(one.last, owner) for owner in words.undressed(grad.last)) and one != grad
            for grad in written
            for one in self.world.aliases(place)
        )

    def _sort(
        self,
        inputs: tuple,
        arrays: dict,
        depends: dict,
        drawn: dict,
        written: dict[Place, np.ndarray],
        leaves: dict[str, np.ndarray | None],
    ) -> None:
        self.world.restore()
        with self.stage("forward", reseed=True):
            self.plan.forward(inputs)
        kept = {p: v for p, v in arrays.items() if np.array_equal(self.world.get(p), v, equal_nan=True)}
        reading = self.reading
        owners = {
            p: v
            for p, v in arrays.items()
            if p in depends or (v.dtype.kind == "f" and p in kept and self._owner_of_gradient(p, written))
        }
        gradients_of_others = {
            p for p in owners if p not in depends and any(words.undressed(p.last)) and self._is_gradient(p, owners)
        }
        wanted = {p: v for p, v in owners.items() if p not in gradients_of_others}
        learned = [p for p in wanted if not self._is_constant(p)]

        def slope(place: Place, along: np.ndarray) -> float:
            return self._slope(inputs, drawn, place, drawn.get(place, wanted[place]), along)

        sources, input_sources = assign(self, inputs, {p: wanted[p] for p in learned}, written, leaves, slope)
        self._keep_optimizers(inputs, sources)
        for place, values in wanted.items():
            if place not in learned:
                reading.constants.append((place, values.shape))
            elif sources.get(place) is not None:
                one = Learned(place, values.shape, same(values.shape), sources[place], place.name, place in depends)
                one.integer = values.dtype.kind in "iu"
                reading.learned.append(one)
            elif place not in depends:
                continue
            elif self._is_state(place) or (place not in kept and self._follows_input(inputs, place)):
                reading.state.append((place, values.shape))
            elif values.dtype.kind in "iu" and not self._fractions_matter(inputs, place, values):
                reading.constants.append((place, values.shape))
            else:
                reading.unseen.append((place, values.shape))
        for place, values in arrays.items():
            if place not in kept and place not in written and place not in wanted:
                reading.state.append((place, values.shape))
            elif place not in wanted and place in kept and place not in written and self._is_weight(place, values):
                reading.unused.append((place, values.shape))
        reading.inputs = input_sources
        looked_at = {place for place, _ in [*reading.state, *reading.unseen, *reading.constants]}
        self.world.release(set(depends) | set(written) | looked_at)
        for one in reading.learned:
            if one.integer:
                self._fault(
                    f"{self.world.words(one.place)} holds integers: a small step does not change it; make it float"
                )

    def _keep_optimizers(self, inputs: tuple[np.ndarray, ...], sources: dict[Place, Source | None]) -> None:
        # A step that is not the rate times the gradient does not tell the gradient: it does not double with it.
        taken = {place: one.optimizer for place, one in sources.items() if one is not None and one.optimizer}
        self.world.restore()
        self.optimizers = Optimizers(self.world, set(taken.values()))
        moved = [self._moved_by(inputs, list(taken), factor) for factor in (1.0, 2.0)] if taken else []
        for place, optimizer in taken.items():
            once, twice = (one[place] for one in moved)
            if not np.allclose(twice, 2 * once, rtol=1e-6, atol=1e-9 * np.abs(twice).max(initial=0)):
                self.reading.adaptive[place], sources[place] = optimizer, None

    def _moved_by(self, inputs: tuple[np.ndarray, ...], places: list[Place], factor: float) -> dict[Place, np.ndarray]:
        grads = tuple(factor * grad for grad in upstream(self._outputs_with(inputs, {})))
        before = {place: np.array(self.world.get(place)) for place in places}
        with self.stage("backward"):
            self.plan.backward(grads)
        return {place: np.asarray(self.world.get(place)) - before[place] for place in places}

    def _follows_input(self, inputs: tuple, place: Place) -> bool:
        # What forward makes of its input is state, such as a running mean; a weight that it rewrites is none.
        found = []
        for given in (inputs, tuple(nudged(x) if x.dtype.kind == "f" else x[::-1] for x in inputs)):
            self._outputs_with(given, {})
            found.append(np.array(self.world.get(place)))
        return not np.array_equal(*found, equal_nan=True)

    def _is_weight(self, place: Place, values: np.ndarray) -> bool:
        return values.dtype.kind == "f" and self.world.prefixes[place.root] == "self" and words.is_weight(place.last)

    def _is_constant(self, place: Place) -> bool:
        return any(p.last in self.constants or p.name in self.constants for p in self.world.aliases(place))

    def _slope(self, inputs: tuple, drawn: dict, place: Place, values: np.ndarray, along: np.ndarray) -> float:
        # Of the sum of the outputs times `upstream`, with which `written` was made.
        ends = []
        for step in (SLOPE_STEP, -SLOPE_STEP):
            outputs = self._outputs_with(inputs, drawn | {place: values + step * along})
            ends.append(sum((grad * y).sum() for grad, y in zip(upstream(outputs), outputs, strict=True)))
        return (ends[0] - ends[1]) / (2 * SLOPE_STEP)

    def _is_gradient(self, place: Place, owners: dict) -> bool:
        return any(
            other != place and any(words.alike(other.last, name) for name in words.undressed(place.last))
            for other in owners
        )

    def _fractions_matter(self, inputs: tuple, place: Place, values: np.ndarray) -> bool:
        try:
            self._outputs_with(inputs, {place: values + 0.25})
        except LearnerRaisedError:
            return False
        return True

    def _name_parameters(self) -> None:
        for one in self.reading.learned:
            one.name = one.place.name.removesuffix(".data").removesuffix(".value")
            self.parameters[one.name] = Parameter(np.array(self.world.get(one.place), self.dtype))


def upstream(outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return random upstream gradients for outputs, the same ones each time."""
    return tuple(array(np.shape(y), "float64", seed=31 + i) for i, y in enumerate(outputs))


__all__ = ["RATE", "Learned", "Learner", "Parameter", "Reading", "upstream"]
