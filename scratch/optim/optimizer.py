"""What every optimizer has in common: parameter groups, their options, and a state that can be saved.

Weight decay. ``weight_decay`` = lambda adds lambda w to the gradient of a parameter w. That is the gradient of
lambda/2 |w|^2, so PyTorch's convention is that the loss has gained lambda/2 |w|^2. A textbook that penalises with
lambda |w|^2 has the gradient 2 lambda w, and needs a ``weight_decay`` of twice its lambda here. Biases and the scales
of normalization layers decay like all others, unless they are in a group of their own with ``weight_decay`` 0.

In plain SGD this is the same as shrinking w by the factor 1 - lr lambda at every step, hence the name. In Adam it is
not: see `scratch.optim.adam`.

PyTorch's counterpart: ``torch.optim.Optimizer``. Left out: hooks, ``step``'s closure, ``named_parameters()`` as
``params``, and the options that choose between PyTorch's implementations (``foreach``, ``fused``, ``capturable``,
``differentiable``, a learning rate that is a tensor). Deliberate difference: a parameter that stands twice in a group
is refused, where PyTorch warns and steps twice.
"""

from collections.abc import Iterable

import numpy as np

from scratch.checks import name_of
from scratch.kernels.flat_parameters import Block, Flat
from scratch.nn.parameter import Parameter


class Optimizer:
    """Base class of the optimizers; a subclass defines `update`.

    Each ``Parameter.data`` becomes a view of an array that the optimizer owns (see `scratch.kernels.flat_parameters`). It may be
    written to or replaced at any time: the next step starts from what it finds.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize. A dict is a group: its parameters under "params", and the options that differ from the rest.
    defaults : dict
        The options of groups that do not say otherwise.

    Attributes
    ----------
    param_groups : list of dict
        Each group's "params" and options, which may be changed between steps (``group["lr"] *= 0.1``).

    Raises
    ------
    TypeError
        If ``params`` is a single Parameter or a set, or holds something else than parameters.
    ValueError
        If there is nothing to optimize, or a parameter stands in two places.
    """

    def __init__(self, params: Iterable[Parameter] | Iterable[dict], defaults: dict) -> None:
        if isinstance(params, (Parameter, set)):
            raise TypeError(f"{name_of(self)}: expected params in an ordered iterable, got a {type(params).__name__}")
        self.defaults = defaults
        self.param_groups: list[dict] = []
        self._flats: list[list[Flat]] = []
        groups = list(params)
        if not groups:
            raise ValueError(f"{name_of(self)}: expected at least one parameter, got none")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict) -> None:
        """Add a group: a dict with "params", and the options that differ from the optimizer's defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(
                f"{name_of(self)}: expected a parameter group to be a dict, got {type(param_group).__name__}"
            )
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(f"{name_of(self)}: expected a group's params in an ordered iterable, got a set")
        params = [params] if isinstance(params, Parameter) else list(params)
        taken = {id(parameter) for group in self.param_groups for parameter in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"{name_of(self)}: expected every param to be a Parameter, got {type(parameter).__name__}"
                )
            if id(parameter) in taken:
                raise ValueError(f"{name_of(self)}: a {parameter} stands in more than one place")
            taken.add(id(parameter))
        self.param_groups.append({**self.defaults, **param_group, "params": params})
        by_dtype: dict[np.dtype, list[Parameter]] = {}
        for parameter in params:
            by_dtype.setdefault(parameter.dtype, []).append(parameter)
        self._flats.append([Flat(parameters) for parameters in by_dtype.values()])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every gradient to None, or fill it with zeros: a parameter with a gradient of 0 still takes a step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.fill(0)

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def step(self) -> None:
        """Update every parameter that has a gradient; others, and their state, stay as they are."""
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            for flat in flats:
                for first, stop in flat.runs():
                    t = flat.steps[first] + 1
                    for block in flat.blocks(first, stop):
                        self.update(block, t, group)
                    if self.keeps_state(group):
                        flat.steps[first:stop] = [t] * (stop - first)

    def update(self, block: Block, t: int, group: dict) -> None:
        """Take the ``t``-th step (from 1) with the values ``block.w``, in place."""
        raise NotImplementedError(f"{name_of(self)}: update is not defined")

    def keeps_state(self, group: dict) -> bool:
        """Whether a step with this group's options changes the optimizer's state."""
        return True

    # The state, under PyTorch's names.

    def pack(self, t: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what the state dict holds of a parameter after its ``t``-th step."""
        return {"step": np.array(t, np.float32), **arrays}

    def unpack(self, state: dict[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
        """Undo `pack`."""
        arrays = {name: np.asarray(value) for name, value in state.items() if value is not None}
        return int(arrays.pop("step")), arrays

    def _places(self) -> list[tuple[Flat, int]]:
        """Where each parameter is, in the order of the groups."""
        places = {}
        for flats in self._flats:
            for flat in flats:
                places |= {id(parameter): (flat, index) for index, parameter in enumerate(flat.parameters)}
        return [places[id(parameter)] for group in self.param_groups for parameter in group["params"]]

    def state_dict(self) -> dict:
        """Return the state as PyTorch does: {"state": {number: {name: array}}, "param_groups": [...]}.

        Parameters are numbered in the order of the groups; one that has taken no step has no entry. The arrays are the
        optimizer's, not copies, as in PyTorch: copy them to keep a snapshot.
        """
        state = {}
        for number, (flat, index) in enumerate(self._places()):
            if flat.steps[index] > 0:
                state[number] = self.pack(flat.steps[index], flat.states_of(index))
        groups, start = [], 0
        for group in self.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            numbers = list(range(start, start + len(group["params"])))
            groups.append({**options, "params": numbers})
            start += len(numbers)
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over a state that `state_dict` returned, here or in PyTorch, with all groups' options.

        The arrays are copied and converted to the parameters' dtypes; tensors do as well. Everything is checked before
        anything is changed.

        Raises
        ------
        ValueError
            If the number of groups, the number of parameters in one, or the shape of an array differs.
        """
        saved_groups = state_dict["param_groups"]
        counts = [len(group["params"]) for group in self.param_groups]
        saved_counts = [len(group["params"]) for group in saved_groups]
        if counts != saved_counts:
            raise ValueError(f"{name_of(self)}: expected groups of {counts} parameters, got {saved_counts}")
        numbers = [number for group in saved_groups for number in group["params"]]
        places = dict(zip(numbers, self._places(), strict=True))
        loaded = {}
        for number, state in state_dict["state"].items():
            if number not in places:
                raise ValueError(f"{name_of(self)}: the state is that of parameter {number!r}, which is in no group")
            flat, index = places[number]
            loaded[number] = t, arrays = self.unpack(state)
            for name, array in arrays.items():
                if array.shape != flat.parameters[index].shape:
                    raise ValueError(
                        f"{name_of(self)}: expected {name} of parameter {number} to have shape "
                        f"{flat.parameters[index].shape}, got {array.shape}"
                    )
        for flats in self._flats:
            for flat in flats:
                flat.forget()
        for number, (t, arrays) in loaded.items():
            flat, index = places[number]
            flat.steps[index] = t
            for name, array in arrays.items():
                flat.state(name)
                flat.states_of(index)[name][...] = array
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            group.update({name: value for name, value in saved.items() if name != "params"})
