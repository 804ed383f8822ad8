"""What every optimizer has in common: parameter groups, their options, and a state that can be saved.

An optimizer is a rule, which is a pure function (`scratch.optim.sgd`, `scratch.optim.adam`, `scratch.optim.adamw`), and
a class around it, which is the same for all. A step reads a parameter's values, its gradient and the optimizer's state,
calls the rule, and writes the results back:

    w, m, v, v_max = adam(w, g, m, v, v_max, t, lr=..., betas=..., ...)

The step writes into the array ``Parameter.data`` in place. That array stays the same object, so everything that holds
it (a state dict, a second parameter that is tied to it) sees the new values, as in PyTorch.

Weight decay. ``weight_decay`` = lambda adds lambda w to the gradient of a parameter w. That is the gradient of
lambda/2 |w|^2, so PyTorch's convention is that the loss has gained lambda/2 |w|^2. A textbook that penalizes with
lambda |w|^2 has the gradient 2 lambda w, and needs a ``weight_decay`` of twice its lambda here. Biases and the scales
of normalization layers decay like all the rest, unless they are in a group of their own with ``weight_decay`` 0.

In plain SGD this is the same as shrinking w by the factor 1 - lr lambda at every step, hence the name. In Adam it is
not: see `scratch.optim.adam`.

PyTorch's counterpart: ``torch.optim.Optimizer``. Left out: hooks, ``named_parameters()`` as ``params``, a learning rate
that is a tensor, and the options that choose between PyTorch's implementations (``foreach``, ``fused``, ``capturable``,
``differentiable``): every optimizer takes None and False for these, which is what it does anyway, and refuses True.
Deliberate differences: a parameter that appears twice in a group is refused, where PyTorch warns and steps twice;
options are checked in every group and after every change, not just in the constructor; a parameter whose
``requires_grad`` is False takes no step, even if it still has an old gradient.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from scratch import dispatch
from scratch.checks import FLOAT_DTYPES, name_of
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter, clear_grads, writes
from scratch.optim.loading import check_entry, check_groups
from scratch.optim.state import State

Params = Iterable[Parameter] | Iterable[dict]
Rule = Callable[..., tuple[np.ndarray, ...]]


# PyTorch's options that change no number, and why there is nothing to choose here.
IMPLEMENTATIONS = {
    "foreach": "it chooses between implementations of the same step, and here there is one",
    "fused": "it chooses between implementations of the same step, and here there is one",
    "capturable": "it is for CUDA graphs, and there are none here",
    "differentiable": "it is for autograd through a step, and there is no autograd here",
}


def without_implementations(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that takes `IMPLEMENTATIONS`, too, and raises ``TypeError`` if one of them is asked for."""

    @functools.wraps(init)
    def checked(self: "Optimizer", *arguments: Any, **options: Any) -> None:
        for name, reason in IMPLEMENTATIONS.items():
            value = options.pop(name, None)
            if value is not None and value is not False:
                raise TypeError(f"{name_of(self)}: {name}={value!r} is not supported: {reason}; leave it out")
        init(self, *arguments, **options)

    return checked


def update(rule: Rule, state: State, places: list[int], names: tuple[str | None, ...], options: dict) -> None:
    """Take a step with the parameters at ``places``, one after the other.

    ``names`` are those of the state arrays that the rule takes and returns after w; None where the options need none.
    """
    for index in places:
        parameter, t = state.parameters[index], state.steps[index] + 1
        kept = [None if name is None else state.view(name, index) for name in names]
        w, *kept_next = rule(parameter.data, parameter.grad, *kept, t, **options)
        parameter.data[...] = w
        for array, array_next in zip(kept, kept_next, strict=True):
            if array is not None:
                array[...] = array_next
        if any(names):
            state.steps[index] = t


@functools.cache
def options_of(rule: Rule) -> tuple[str, ...]:
    """Return the names of the options that a rule takes."""
    parameters = inspect.signature(rule).parameters.values()
    return tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)


class Optimizer:
    """Base class of the optimizers; a subclass sets `rule`, and defines `check_options` and `kept`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        What to optimize. A dict is a group: its parameters under "params", and the options that differ from the rest.
    defaults : dict
        The options of a group that does not set its own.

    Attributes
    ----------
    rule : function
        ``rule(w, g, *state, t, **options) -> (w, *state)``, which computes a step for one parameter and writes to none
        of its arguments. It is given only the options that it names.
    state_names, optional_names : tuple of str
        PyTorch's names of the arrays in the rule's state, in the rule's order; and of those that are optional.
    scalars : dict of float
        The names among `state_names` of what is a single float32 number for each parameter, and what it starts at.
    counts_steps : bool
        Whether the state dict has the number of steps.
    param_groups : list of dict
        Each group's "params" and options, which may be changed between steps (``group["lr"] *= 0.1``).
    steps_taken : int
        How often `step` has been called on this object.

    Raises
    ------
    TypeError
        If ``params`` is a Module, a single Parameter or a set, or contains anything but parameters.
    KeyError
        If a group has no "params".
    ValueError
        If there is nothing to optimize, or a parameter appears twice.
    """

    rule: ClassVar[Rule]
    state_names: ClassVar[tuple[str, ...]] = ()
    optional_names: ClassVar[tuple[str, ...]] = ()
    scalars: ClassVar[dict[str, float]] = {}
    counts_steps: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = without_implementations(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict) -> None:
        self._check_iterable("params", params, Parameter)
        self.defaults = defaults
        self.steps_taken = 0
        self.param_groups: list[dict] = []
        self._states: list[list[State]] = []
        self._plans: list[tuple[dict, tuple]] = []
        groups: list = list(params)
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
        if "params" not in param_group:
            raise KeyError(f"{name_of(self)}: expected a parameter group to have 'params', got {list(param_group)}")
        params = param_group["params"]
        params = [params] if isinstance(params, Parameter) else params
        self._check_iterable("a group's params", params)
        params = list(params)
        taken = {id(parameter) for group in self.param_groups for parameter in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"{name_of(self)}: expected every param to be a Parameter, got {type(parameter).__name__}"
                )
            if parameter.dtype not in FLOAT_DTYPES:
                raise TypeError(f"{name_of(self)}: expected parameters of dtype float32 or float64, got a {parameter}")
            if id(parameter) in taken:
                raise ValueError(f"{name_of(self)}: a {parameter} appears in more than one place")
            taken.add(id(parameter))
        group = {**self.defaults, **param_group, "params": params}
        self._plans.append(self._make_plan(group))
        self.param_groups.append(group)
        by_dtype: dict[np.dtype, list[Parameter]] = {}
        for parameter in params:
            by_dtype.setdefault(parameter.dtype, []).append(parameter)
        self._states.append([State(name_of(self), parameters, self.scalars) for parameters in by_dtype.values()])

    def _check_iterable(self, name: str, params: Any, *refused: type) -> None:
        if isinstance(params, Module):
            raise TypeError(
                f"{name_of(self)}: expected {name} in an ordered iterable, got the module {type(params).__name__}; "
                "pass model.parameters()"
            )
        if isinstance(params, (set, frozenset, str, *refused)) or not isinstance(params, Iterable):
            raise TypeError(f"{name_of(self)}: expected {name} in an ordered iterable, got a {type(params).__name__}")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every gradient to None, or fill it with zeros: a parameter with a gradient of 0 still takes a step."""
        for group in self.param_groups:
            clear_grads(group["params"], set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient and requires one; others, and their state, stay as they are.

        Everything is checked before the first number is written. As in PyTorch, ``closure`` is called before that, to
        compute the gradients; what it returns, the loss, is returned.
        """
        loss = None if closure is None else closure()
        plain = dispatch.is_plain()
        # The fast update lays parameters end to end, where a rule cannot take a scalar of each.
        run = update if plain or self.scalars else dispatch.kernel_of(update)
        updates = []
        for number, states in enumerate(self._states):
            rule, names, options = self._plan(number)
            rule = rule if plain else dispatch.kernel_of(rule)
            updates += [(rule, state, state.taking_part(), names, options) for state in states]
        writes.note([state.parameters[place] for _, state, places, _, _ in updates for place in places])
        for arguments in updates:
            dispatch.run(run, *arguments)
        self.steps_taken += 1
        return loss

    def _plan(self, number: int) -> tuple[Rule, tuple[str | None, ...], dict]:
        """Return a group's rule, the names of the arrays that it keeps, and its options; updated if those changed."""
        group, (seen, plan) = self.param_groups[number], self._plans[number]
        try:
            unchanged = group == seen
        except ValueError:  # an array compares to an array; the check refuses it by name
            unchanged = False
        if not unchanged:
            self._plans[number] = seen, plan = self._make_plan(group)
        return plan

    def _make_plan(self, group: dict) -> tuple[dict, tuple[Rule, tuple[str | None, ...], dict]]:
        options = self.check_options(group)
        rule = self.rule_of(options)
        own = {name: options[name] for name in options_of(rule)}
        return {**group, **options}, (rule, self.kept(options), own)

    # What a subclass defines.

    def check_options(self, options: dict) -> dict:
        """Return the options as Python's own numbers, or raise if one is out of its domain."""
        raise NotImplementedError(f"{name_of(self)}: check_options is not defined")

    def kept(self, options: dict) -> tuple[str | None, ...]:
        """Return `state_names`, with None for an array that a step with these options does not keep."""
        return self.state_names

    def rule_of(self, options: dict) -> Rule:
        """Return the rule of a step with these options."""
        return type(self).rule

    # The state, under PyTorch's names.

    def _places(self) -> list[tuple[State, int]]:
        """Return where the state of each parameter is, in the order of the groups."""
        places: dict[int, tuple[State, int]] = {}
        for states in self._states:
            for state in states:
                places |= {id(parameter): (state, index) for index, parameter in enumerate(state.parameters)}
        return [places[id(parameter)] for group in self.param_groups for parameter in group["params"]]

    def state_dict(self) -> dict:
        """Return the state as PyTorch does: {"state": {number: {name: array}}, "param_groups": [...]}.

        Parameters are numbered in the order of the groups; one that has no state yet has no entry. The arrays are the
        optimizer's, not copies, as in PyTorch: copy them to keep a snapshot.
        """
        entries = {}
        for number, (state, index) in enumerate(self._places()):
            if state.exists(index):
                step = {"step": np.array(state.steps[index], np.float32)} if self.counts_steps else {}
                entries[number] = step | state.of(index)
        groups, start = [], 0
        for group in self.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            numbers = list(range(start, start + len(group["params"])))
            groups.append({**options, "params": numbers})
            start += len(numbers)
        return {"state": entries, "param_groups": groups}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state that `state_dict` returned, here or in PyTorch, including all groups' options.

        The numbers are copied into the optimizer's own arrays and converted to their dtypes; tensors work, too.
        Everything is checked before anything is changed.

        Raises
        ------
        TypeError
            If it is not a state dict.
        ValueError
            If the number of groups, the number of parameters in one, or the shape of an array differs; if an array is
            missing, unknown, or not of numbers; or if an option is out of its domain.
        """
        saved_groups, order = check_groups(
            name_of(self), state_dict, [len(group["params"]) for group in self.param_groups]
        )
        own = self._places()
        places: dict[Any, tuple[State, int]] = {}
        names = ("step", *self.state_names) if self.counts_steps else self.state_names
        loaded = {}
        for number, entry in state_dict["state"].items():
            places[number] = state, index = own[order[number]]
            shapes = {name: () if name == "step" or name in self.scalars else state.shapes[index] for name in names}
            loaded[number] = check_entry(name_of(self), number, entry, shapes, self.optional_names)
        changed = []
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            changed.append({name: value for name, value in saved.items() if name != "params"})
            self.check_options({**group, **changed[-1]})
        for states in self._states:
            for state in states:
                state.forget()
        for number, arrays in loaded.items():
            state, index = places[number]
            # Without a number of steps, all that matters is whether there was a step.
            state.steps[index] = int(arrays.pop("step")) if self.counts_steps else len(arrays)
            for name, array in arrays.items():
                dispatch.run(np.copyto, state.view(name, index), array, "unsafe")
        for group, options in zip(self.param_groups, changed, strict=True):
            group.update(options)
