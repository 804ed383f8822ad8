"""What the arguments of a network's method are: inputs and a target, or what forward returned."""

import inspect
import types
from collections.abc import Callable

from parity_tests.diagnosis import targets
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import method_called
from parity_tests.diagnosis.reading.lookup import named_in
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.request import Request


def with_shape_of_target(request: Request, module: types.ModuleType) -> Request:
    """Return the request of a method: of its arguments the last is the target, if the request names one."""
    method = named_in(module, request.names, request.path.name)
    _, *parameters = inspect.signature(method).parameters.values()
    wanted = [p for p in parameters if p.default is p.empty and not words.RATES.match(p.name)]
    return targets.with_shape_of_target(request, len(wanted) - 1)


def takes_what_forward_returns(network: object, method: Callable) -> bool:
    """Return whether an argument is called as a cache that forward returns: it is no input."""
    forward = method_called(network, words.FORWARD)
    made = return_names(undecorated(forward)) if forward is not None else []
    return any(words.CACHES.search(name) and name in made for name in inspect.signature(method).parameters)
