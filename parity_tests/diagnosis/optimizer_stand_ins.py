"""What somebody's optimizer may be given: parameters and gradients as arrays, as objects, as a layer, as a network."""

from collections.abc import Iterator

import numpy as np

NAMES = {"W": ("W", "weights", "weight", "w"), "b": ("b", "biases", "bias")}
GRADIENTS = ("d{}", "grad_{}", "dLd{}", "{}_grad")


class Gradient(np.ndarray):
    """A gradient that is a variable itself, as DeZero's: its ``data`` is the array."""

    data = property(lambda self: self.view(np.ndarray))


class Variable:
    """A parameter as PyTorch's optimizers and ours take it, under the names that a toy framework's layer uses."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.grad, self.requires_grad = data, None, True
        self.value = self.w = data

    shape = property(lambda self: self.data.shape)


class Layer:
    """A layer with ``W`` and ``b``, under the usual names, and gradients under theirs."""

    def __init__(self, params: dict[str, np.ndarray]) -> None:
        self.params = self.parameters = params
        self.take(params)

    def take(self, params: dict[str, np.ndarray]) -> None:
        """Hold these arrays."""
        for key, names in NAMES.items():
            vars(self).update(dict.fromkeys(names, params[key]))

    def give(self, gradients: dict[str, np.ndarray]) -> None:
        """Hold these gradients."""
        self.grads = self.gradients = gradients
        for key, names in NAMES.items():
            for form in GRADIENTS:
                vars(self).update(dict.fromkeys([form.format(name) for name in names], gradients[key]))


class Network:
    """A network of one layer, and all in which its parameters and gradients are held; they are kept in step.

    Attributes
    ----------
    by_key, numbered : dict of str to numpy.ndarray
        The parameters as "W" and "b", and as "W1" and "b1".
    arrays : list of numpy.ndarray
        The parameters in a list.
    variables : list of Variable
        The parameters as objects.
    layer : Layer
        The layer that has them.
    """

    def __init__(self, start: dict[str, np.ndarray]) -> None:
        self.by_key = {key: np.array(values) for key, values in start.items()}
        self.numbered = {f"{key}1": values for key, values in self.by_key.items()}
        self.arrays = list(self.by_key.values())
        self.variables = [Variable(values) for values in self.arrays]
        self.layer = Layer(self.by_key)
        self.layers = [self.layer]
        self._before = {key: np.array(values) for key, values in start.items()}

    def give(self, gradients: dict[str, np.ndarray]) -> None:
        """Hold these gradients."""
        self.gradients = {key: np.array(values) for key, values in gradients.items()}
        self.layer.give(self.gradients)
        for variable, values in zip(self.variables, self.gradients.values(), strict=True):
            variable.grad = values.view(Gradient)

    def params(self) -> list:
        """Return the parameters: arrays, as Seidman's networks do."""
        return self.arrays

    def param_grads(self) -> list[np.ndarray]:
        """Return the gradients in the same order."""
        return list(self.gradients.values())

    def params_and_grads(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the pairs, as joelnet's networks do."""
        yield from zip(self.arrays, self.gradients.values(), strict=True)

    def after(self, returned: object) -> dict[str, np.ndarray]:
        """Return the parameters after a step: what was returned, else whatever has changed; hold them everywhere."""
        found = {}
        for number, (key, before) in enumerate(self._before.items()):
            held = [self.by_key[key], self.numbered[f"{key}1"], self.arrays[number]]
            held += [getattr(self.variables[number], name) for name in ("data", "value", "w")]
            held += [getattr(self.layer, name) for name in NAMES[key]]
            changed = (one for one in held if not np.array_equal(one, before))
            given = _returned(returned, key, number, len(self._before))
            found[key] = next(changed, held[0]) if given is None else given
            if np.shape(found[key]) != before.shape:
                raise TypeError(f"the parameter has shape {np.shape(found[key])} after the step, not {before.shape}")
        self._hold(found)
        self._before = {key: np.array(values, np.float64) for key, values in found.items()}
        return self._before

    def _hold(self, found: dict[str, np.ndarray]) -> None:
        for number, (key, values) in enumerate(found.items()):
            self.by_key[key] = self.numbered[f"{key}1"] = self.arrays[number] = values
            self.variables[number].data = self.variables[number].value = self.variables[number].w = values
        self.layer.take(found)


def _returned(returned: object, key: str, number: int, count: int) -> np.ndarray | None:
    if isinstance(returned, tuple) and returned and isinstance(returned[0], dict | list):
        returned = returned[0]  # the parameters, and the state
    if isinstance(returned, dict):
        return next((returned[name] for name in (key, f"{key}1") if name in returned), None)
    return returned[number] if isinstance(returned, list | tuple) and len(returned) == count else None
