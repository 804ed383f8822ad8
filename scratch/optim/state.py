"""An optimizer's memory of past steps: their number, and running means, under PyTorch's names.

For each name (``exp_avg``, say) there is one array, in which the numbers of all parameters lie end to end. Each
parameter's numbers are a view of it. The plain update takes these views one by one, and the fast one takes long
stretches of the array (`scratch.kernels.flat_parameters`).
"""

from typing import Any

import numpy as np

from scratch.nn.parameter import Parameter


class State:
    """The state of an optimizer for parameters of one dtype, in one group.

    Parameters
    ----------
    owner : str
        The optimizer's name, for messages.
    parameters : list of Parameter
    scalars : dict of float
        The names of single numbers that are kept for each parameter, and what they start at.

    Attributes
    ----------
    parameters : list of Parameter
    steps : list of int
        How many updates each parameter's state has seen.
    starts : list of int
        Where each parameter's numbers begin in an array of the state; the last entry is the size of the array.
    layout : object
        What the fast update remembers from step to step; None at first, and after a parameter was given another array.
    """

    def __init__(self, owner: str, parameters: list[Parameter], scalars: dict[str, float]) -> None:
        self.owner, self.parameters = owner, parameters
        self.dtype, self.shapes = parameters[0].dtype, [parameter.shape for parameter in parameters]
        self.steps = [0] * len(parameters)
        self.starts = [0]
        for parameter in parameters:
            self.starts.append(self.starts[-1] + parameter.data.size)
        self.layout: Any = None
        self._seen: list[np.ndarray | None] = [None] * len(parameters)
        self._arrays: dict[str, np.ndarray] = {}
        self._initial: dict[str, float] = {}
        self._scalars = {name: np.full(len(parameters), start, np.float32) for name, start in scalars.items()}
        self._scalars_at_first = scalars

    def start_at(self, name: str, value: float) -> None:
        """Create the array of a name before the first step, filled with one value."""
        self._initial[name] = value
        self._arrays[name] = np.full(self.starts[-1], value, self.dtype)

    def exists(self, index: int) -> bool:
        """Return whether one parameter has a state: from its first step on, or from the beginning."""
        return self.steps[index] > 0 or bool(self._initial)

    def array(self, name: str) -> np.ndarray:
        """Return the numbers of a name for all parameters, end to end; zeros at first."""
        if name not in self._arrays:
            self._arrays[name] = np.zeros(self.starts[-1], self.dtype)
        return self._arrays[name]

    def of(self, index: int) -> dict[str, np.ndarray]:
        """Return the numbers kept for one parameter, in its shape: views, not copies."""
        return {name: self.view(name, index) for name in (*self._arrays, *self._scalars)}

    def view(self, name: str, index: int) -> np.ndarray:
        """Return the numbers of a name for one parameter, in its shape; a scalar, without axes."""
        if name in self._scalars:
            return self._scalars[name][index, ...]
        return self.array(name)[self.starts[index] : self.starts[index + 1]].reshape(self.shapes[index])

    def forget(self) -> None:
        """Return to the state before the first update."""
        self.steps = [0] * len(self.parameters)
        for name, array in self._arrays.items():
            array.fill(self._initial.get(name, 0))
        for name, numbers in self._scalars.items():
            numbers.fill(self._scalars_at_first[name])

    def taking_part(self) -> list[int]:
        """Return the places of the parameters that a step changes: those with a gradient that require one.

        Raises
        ------
        RuntimeError
            If the data or the gradient of one of them has another shape or dtype than the parameter had, or its data
            cannot be written to.
        """
        places, dtype = [], self.dtype
        for index, parameter in enumerate(self.parameters):
            grad, shape = parameter.grad, self.shapes[index]
            if grad is None or not parameter.requires_grad:
                continue
            if parameter.data is not self._seen[index]:
                self._meet(index, parameter.hold_arrays().data)
            if grad.__class__ is not np.ndarray or grad.shape != shape or grad.dtype != dtype:
                self._check_grad(grad, shape)
            places.append(index)
        return places

    def _meet(self, index: int, data: np.ndarray) -> None:
        """Check a parameter's array, if it is not the one that the parameter had at the step before."""
        whose = f"{self.owner}: a parameter of shape {self.shapes[index]} and dtype {self.dtype}"
        if data.shape != self.shapes[index] or data.dtype != self.dtype:
            raise RuntimeError(
                f"{whose} was given data of shape {data.shape} and dtype {data.dtype}; make a new optimizer"
            )
        if not data.flags.writeable:
            raise RuntimeError(f"{whose} has data that is read-only; a step writes to it, so assign a copy")
        self._seen[index] = data
        self.layout = None

    def _check_grad(self, grad: Any, shape: tuple[int, ...]) -> None:
        is_array = isinstance(grad, (np.ndarray, np.generic))
        if not is_array or grad.shape != shape or grad.dtype != self.dtype:
            found = f"{grad.shape} and {grad.dtype}" if is_array else f"a {type(grad).__name__}"
            raise RuntimeError(
                f"{self.owner}: expected a gradient of shape {shape} and dtype {self.dtype}, got {found}"
            )

    def __getstate__(self) -> dict:
        return {**vars(self), "layout": None}
