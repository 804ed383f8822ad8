"""Parameters laid end to end in one array, so that an optimizer updates all of them with a dozen NumPy calls.

A network has many small parameters, and a NumPy call on a small array costs its overhead, not its arithmetic: a dozen
calls for each of ten parameters are 120 overheads, and a dozen for all of them are 12. So `Flat` copies the parameters
into one array and makes each ``Parameter.data`` a view of its slice; the optimizer's own numbers (momentum, say) are
laid out alike. The gradients arrive as separate arrays and are copied end to end at each step; the copy is the
optimizer's to work in.

A big array has the opposite trouble: a dozen passes over numbers that do not stay in the cache. So a long stretch is
updated in blocks of `BLOCK` numbers, each taken through all passes before the next.
"""

from collections.abc import Iterator

import numpy as np

from scratch.nn.parameter import Parameter

# Half a megabyte of float32 an array: few enough calls, and most of what a block touches stays in the caches. Adam on
# 1.7 million numbers took less than half the time of an update left whole; on 0.4 million it made no difference.
BLOCK = 1 << 17


class Block:
    """A stretch of a `Flat`, and the arrays that an update works on, all of one shape (size,).

    Attributes
    ----------
    w : numpy.ndarray
        The values, to be changed in place.
    g : numpy.ndarray
        The gradient, a copy: the update may change it.
    temp : numpy.ndarray
        Room for the update, whose contents mean nothing.
    """

    def __init__(self, flat: "Flat", start: int, stop: int) -> None:
        self._flat, self._slice = flat, slice(start, stop)
        self._states: dict[str, np.ndarray] = {}
        self.w = flat.data[start:stop]
        self.g, self.temp = flat.room[:, : stop - start]
        self._pieces = []
        for index, (first, last) in enumerate(zip(flat.starts, flat.starts[1:], strict=False)):
            if first < stop and start < last:
                self._pieces.append((index, slice(max(start - first, 0), min(stop, last) - first)))

    def state(self, name: str) -> np.ndarray:
        """Return the optimizer's own numbers called ``name``; zeros at first."""
        if name not in self._states:
            self._states[name] = self._flat.state(name)[self._slice]
        return self._states[name]

    def gather(self, grads: dict[int, np.ndarray]) -> None:
        """Copy the parameters' gradients, given as vectors, into ``g``."""
        np.concatenate([grads[index][piece] for index, piece in self._pieces], out=self.g)


class Flat:
    """Parameters of one dtype in one array.

    Parameters
    ----------
    parameters : list of Parameter
        Their ``data`` become views of this object's.

    Attributes
    ----------
    parameters : list of Parameter
    steps : list of int
        How many updates each parameter's state has seen.
    data : numpy.ndarray
        The values of all parameters.
    """

    def __init__(self, parameters: list[Parameter]) -> None:
        self.parameters = parameters
        self.steps = [0] * len(parameters)
        self.starts = [0]
        for parameter in parameters:
            self.starts.append(self.starts[-1] + parameter.data.size)
        dtype = parameters[0].dtype
        self.data = np.empty(self.starts[-1], dtype)
        self.room = np.empty((2, min(BLOCK, self.data.size)), dtype)
        self._states: dict[str, np.ndarray] = {}
        self._blocks: dict[tuple[int, int], list[Block]] = {}
        self._views = [self._cut(self.data, index) for index in range(len(parameters))]
        for index in range(len(parameters)):
            self._adopt(index)

    def state(self, name: str) -> np.ndarray:
        """Return the numbers called ``name`` that the optimizer keeps, one for each of ``data``'s; zeros at first."""
        if name not in self._states:
            self._states[name] = np.zeros_like(self.data)
        return self._states[name]

    def states_of(self, index: int) -> dict[str, np.ndarray]:
        """Return the numbers that the optimizer keeps for a parameter, in its shape: views, not copies."""
        return {name: self._cut(array, index) for name, array in self._states.items()}

    def forget(self) -> None:
        """Return to the state before the first update."""
        self.steps = [0] * len(self.parameters)
        for array in self._states.values():
            array.fill(0)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Yield (first, last + 1) of neighbours that have a gradient and the same number of steps behind them."""
        first = 0
        last_step = None
        for index, parameter in enumerate(self.parameters):
            step = None if parameter.grad is None else self.steps[index]
            if step != last_step:
                if last_step is not None:
                    yield first, index
                first, last_step = index, step
        if last_step is not None:
            yield first, len(self.parameters)

    def blocks(self, first: int, stop: int) -> Iterator[Block]:
        """Yield the blocks of the parameters from ``first`` to before ``stop``, each with its gradient gathered."""
        grads = {}
        for index in range(first, stop):
            parameter = self.parameters[index]
            if parameter.data is not self._views[index]:
                self._adopt(index)
            grad = parameter.grad
            if grad.shape != parameter.data.shape or grad.dtype != self.data.dtype:
                raise RuntimeError(
                    f"optimizer: expected a gradient of shape {parameter.shape} and dtype {self.data.dtype}, "
                    f"got {grad.shape} and {grad.dtype}"
                )
            grads[index] = grad.reshape(-1)
        if (first, stop) not in self._blocks:
            start, end = self.starts[first], self.starts[stop]
            size = self.room.shape[1]
            self._blocks[first, stop] = [Block(self, at, min(at + size, end)) for at in range(start, end, size or 1)]
        for block in self._blocks[first, stop]:
            block.gather(grads)
            yield block

    def _cut(self, array: np.ndarray, index: int) -> np.ndarray:
        return array[self.starts[index] : self.starts[index + 1]].reshape(self.parameters[index].shape)

    def _adopt(self, index: int) -> None:
        # At first, and again where somebody assigned a new array to the parameter's data.
        parameter, view = self.parameters[index], self._views[index]
        if parameter.data.shape != view.shape or parameter.data.dtype != view.dtype:
            raise RuntimeError(
                f"optimizer: a parameter of shape {view.shape} and dtype {view.dtype} was given data of shape "
                f"{parameter.data.shape} and dtype {parameter.data.dtype}; make a new optimizer"
            )
        view[...] = parameter.data
        parameter.data = view

    def __reduce__(self) -> tuple:
        # A copy must cut its own views: those of a plain copy would be arrays of their own.
        return _copied, (self.parameters, self.steps, self._states)


def _copied(parameters: list[Parameter], steps: list[int], states: dict[str, np.ndarray]) -> Flat:
    flat = Flat(parameters)
    flat.steps, flat._states = steps, states
    return flat
