"""A layer that somebody else wrote, read by trying it out, and wrapped so that `parity_tests.check` can run it.

Names alone are not trusted: what the layer learns, and where its gradients are, is found out by running it (`explore`).
"""

import copy
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading import collect, examples, generators, shapes
from parity_tests.diagnosis.reading.evaluation_mode import switch_to_evaluation
from parity_tests.diagnosis.reading.explore import explore
from parity_tests.diagnosis.reading.learned import Learned
from parity_tests.diagnosis.reading.moving import equal, nudged, same
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import Plan
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.trials import Trials
from parity_tests.diagnosis.reading.views import Parts


class Parameter:
    """A parameter as `check` wants it: ``data`` and ``grad``, in PyTorch's order of axes."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.grad = data, None


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

    Attributes
    ----------
    data_summed : bool
        Whether the gradients of a network's data are meant as those of the loss summed over the examples.
    reshaped : list of str
        What would be said of gradients whose shape the layer's own step mends.
    positive : list of str
        Parameters that have positive numbers, because forward gives NaN for others.
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
        self.data_summed = False
        self._axes: list[int | None] | None = None
        self.title, self.training = self.found.title, plan.options.training
        self.world = self.found.world
        self.unmatched: list[str] = []
        self.not_kept: list[str] = []
        self.positive: list[str] = []
        self.reshaped: list[str] = []
        self.parameters: dict[str, Parameter] = {}
        self.buffers: dict[str, tuple[Place, np.ndarray]] = {}
        self._first: dict[str, np.ndarray] = {}
        self.jacobian = False
        if not self.training and self.found.owner is not None:
            switch_to_evaluation(self.found, self.stage)
        self.reading, self.optimizers = explore(Trials(plan, self.stage, inputs), constants)
        self.forget()
        for one in self.reading.learned:
            if one.own_name in self.parameters:  # self.w, and w of the file
                root = self.world.roots[one.place.root]
                one.prefix = f"{getattr(root, '__name__', type(root).__name__)}."
            one.name = one.own_name
            self.parameters[one.name] = Parameter(self.values(one))

    def values(self, one: Learned) -> np.ndarray:
        """Return a parameter's numbers at the layer's start, as they are compared."""
        return one.view.there(np.asarray(self.world.get(one.place))).astype(self.dtype)

    # What `check` calls.

    def forward(self, *inputs: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """Run the layer's forward from its start, with the current parameters."""
        if self.averages:
            self.example_axes(inputs)
        self.world.restore()
        self.backwards, self.last = 0, inputs
        self.write()
        return self._forward(inputs)

    __call__ = forward

    def example_axes(self, inputs: tuple[np.ndarray, ...]) -> list[int | None]:
        """Return the axis of the examples in each input, None for what all of them share."""
        if self._axes is None:
            averages, self.averages = self.averages, False
            try:
                in_columns = int(self.plan.options.in_columns)
                self._axes = examples.axes(self.forward, inputs, self.data(inputs), in_columns)
            finally:
                self.averages = averages
        return self._axes

    def data(self, inputs: tuple[np.ndarray, ...]) -> list[int]:
        """Return which inputs are data: those without a gradient if they are several, weights being the others."""
        without = [i for i in range(len(inputs)) if i not in self.reading.inputs]
        return without if len(without) > 1 else list(range(len(inputs)))

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
        leaves = self._backward(tuple(np.asarray(grad) for grad in grads))
        for learned in self.reading.learned:
            self._collect(learned, leaves)
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
        self.flush()
        self.write()
        generators.put_back(self.world.draws)
        self._forward(self.last)
        if equal(first, self.outputs):
            return
        sources = [one.gradient for one in self.reading.learned if one.gradient is not None]
        held = {source.place: self.world.get(source.place) for source in sources if source.place is not None}
        self.world.restore()
        for place, values in held.items():
            self.world.put(place, values)
        self.write()
        self._forward(self.last)

    def flush(self) -> None:
        """Empty the lists that grow with each forward, where the layer has a method for it."""
        if self.reading.flush:
            with self.stage(self.reading.flush):
                getattr(self.found.owner, self.reading.flush)()

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

    def write(self) -> None:
        """Write the parameters and the buffers into the layer and, before the first backward, zeros into gradients."""
        for learned in self.reading.learned:
            self.world.put(learned.place, learned.view.back(self.parameters[learned.name].data, learned.shape))
        for place, values in self.buffers.values():
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
        if (held.dtype == self.dtype or held.dtype.kind == "c") and held.flags.writeable:
            held[...] = 0  # in place: another name may stand for the same array
        else:
            self.world.put(place, np.zeros(held.shape, held.dtype if held.dtype.kind == "c" else self.dtype))

    def _backward(self, grads: tuple[np.ndarray, ...]) -> dict[str, np.ndarray | None]:
        self.optimizers.put_back()
        self._before = {id(learned): np.array(self.world.get(learned.place)) for learned in self.reading.learned}
        with self.stage("backward"):
            leaves = self.plan.backward(grads)
        for grad, given in zip(self.plan.passed, grads, strict=False):
            if np.ndim(grad) and not same(grad, self.plan.undressed(given)):
                self._fault(f"{self.found.backward_name} writes to the gradient it receives: work on a copy")
        for learned in self.reading.learned:
            now = self.world.get(learned.place)
            stepped = learned.gradient is not None and learned.gradient.step
            if not stepped and not same(self._before[id(learned)], now):
                words = self.world.words(learned.place)
                self._fault(f"{words} was written to by {self.found.backward_name}")
        return leaves

    def _look_for_writes(self, inputs: tuple[np.ndarray, ...]) -> None:
        for i, values in enumerate(inputs):
            before = self.plan.dressed(values, i)
            if not same(before, self.plan.inputs[i]):
                front = self.input_names(len(inputs))[i]
                self._fault(
                    f"{self.found.forward_name} writes to its input {front}, which belongs to the caller; "
                    f"work on a copy, {front} = {front}.copy()"
                )

    def _fault(self, sentence: str) -> None:
        if sentence not in self.faults:
            self.faults.append(sentence)

    def input_names(self, count: int) -> list[str]:
        """Return forward's own names of the inputs, in the order of the inputs."""
        return self.plan.input_names(count)

    # Gradients.

    def _examples(self) -> int:
        axis = self.example_axes(self.last)[0]
        return self.last[0].shape[axis] if self.last[0].ndim and axis is not None else 1

    def _collect(self, learned: Learned, leaves: collect.Leaves) -> None:
        name, parameter = learned.name, self.parameters[learned.name]
        found = collect.of_parameter(learned, self.world, leaves, self._before[id(learned)], self.plan.factor)
        if found is None:
            parameter.grad = None
            return
        if not isinstance(learned.view, Parts):
            found = self._real(found, self.world.words(learned.place))
        if self.averages:
            found = found * self._examples()
        seen = self._in_view(learned, found)
        if self.backwards == 1:
            self._first |= {name: seen}
            parameter.grad = seen
            return
        afresh = learned.gradient.step or learned.gradient.place is None or bool(self.reading.flush)
        parameter.grad, added = collect.after_second(self._first.get(name), seen, afresh)
        if added is not None:
            self.accumulates[name] = added

    def _real(self, found: np.ndarray, of: str) -> np.ndarray:
        if found.dtype.kind == "c":
            self._fault(
                f"the gradient of {of} is {found.dtype}, expected {self.dtype}: {of} is real; take the real part"
            )
        return found.real

    def _in_view(self, learned: Learned, found: np.ndarray) -> np.ndarray:
        bare, wanted = (tuple(n for n in shape if n != 1) for shape in (found.shape, learned.shape))
        if bare != wanted:
            return found
        said = shapes.enlarged(self.world.words(learned.place), learned.shape, found.shape)
        if said and said not in self.reshaped:
            self._fault(said)
        return learned.view.there(found.reshape(learned.shape))

    def _input_gradient(self, index: int, source: Source, leaves: collect.Leaves) -> np.ndarray | None:
        found = collect.of_input(source, self.world, leaves)
        if found is None:
            return None
        found = self._real(found, self.input_names(len(self.last))[index])
        if self.averages and self.example_axes(self.last)[index] is None:
            found = found * self._examples()
        shape = np.shape(self.plan.inputs[index])
        if index not in self.data(self.last) and found.size == np.prod(shape) == 1 and found.ndim < len(shape):
            found = found.reshape(shape)  # of a bias (1,): a step leaves its shape as it is
        if self.data_summed:
            found = found / self._examples()
        self.jacobian = collect.is_jacobian(found, self.plan.factor, shape)
        if self.jacobian:
            return self.plan.undressed(collect.of_jacobian(found, self.plan.factor, shape))
        return self.plan.undressed(collect.times(found, self.plan.factor, self.plan.mean))
