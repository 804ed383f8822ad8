"""A backward in two methods, one for the gradient of the input and one for those of the parameters, read as one."""

import inspect
import re
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.names import BACKWARD_PARTS
from parity_tests.diagnosis.reading.running import NotUnderstoodError

OF_INPUT = re.compile(r"(^|_)(inputs?|x|data)(_|$)", re.I)
NONE = re.compile(r"zero|clip|reset|check|numerical|set_", re.I)
OF_PARAMETERS = re.compile(r"(^|_)(params?|parameters?|weights?)(_|$)", re.I)


def backward_of(thing: object) -> Callable | None:
    """Return both methods as one, such as ``get_input_grad`` and ``get_params_grad``; None if there are not both."""
    own = [name for name in dir(type(thing)) if not name.startswith("_") and callable(getattr(thing, name, None))]
    own = [name for name in own if any(part in name.lower() for part in BACKWARD_PARTS) and not NONE.match(name)]
    of_input, of_parameters = ([name for name in own if one.search(name)] for one in (OF_INPUT, OF_PARAMETERS))
    if len(of_input) != 1 or len(of_parameters) != 1 or of_input == of_parameters:
        return None
    first, second = getattr(thing, of_input[0]), getattr(thing, of_parameters[0])
    wanted = [list(inspect.signature(one).parameters.values()) for one in (first, second)]
    if any(p.kind is not p.POSITIONAL_OR_KEYWORD for one in wanted for p in one):
        return None
    every = {p.name: p for one in wanted[::-1] for p in one}
    required = [p for p in every.values() if p.default is p.empty]
    optional = [p for p in every.values() if p.default is not p.empty]

    def backward(*values: object, **named: object) -> tuple:
        given = dict(zip([p.name for p in (*required, *optional)], values, strict=False)) | named
        ours = [{p.name: given[p.name] for p in one if p.name in given} for one in wanted]
        return first(**ours[0]), *_one_by_one(second(**ours[1]), thing, of_parameters[0])

    return Called(backward, first, f"({of_input[0]}, {of_parameters[0]})").taking([*required, *optional])


def _one_by_one(returned: object, thing: object, name: str) -> list:
    """Return the gradients in what the second method returns, nothing if that leaves them in attributes.

    Numbers one by one are those of the object's own arrays, in the order in which it got them.
    """
    if returned is None:
        return []
    several = list(returned) if isinstance(returned, tuple | list) else [returned]
    if len(several) < 2 or any(isinstance(one, dict) or np.ndim(one) for one in several):
        return several
    held = [value for value in vars(thing).values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
    ends = np.cumsum([value.size for value in held])
    if not held or ends[-1] != len(several):
        raise NotUnderstoodError(
            f"{name} returns {len(several)} numbers one by one: return an array for each parameter"
        )
    parts = np.split(np.array(several, np.float64), ends[:-1])
    return [part.reshape(value.shape) for part, value in zip(parts, held, strict=True)]
