"""Parameters laid end to end, so that an optimizer updates many of them with a dozen NumPy calls.

A network has many small parameters, and a NumPy call on a small array costs its overhead, not its arithmetic: a dozen
calls for each of ten parameters are 120 overheads, and a dozen for all of them are 12. So small parameters and their
gradients are copied end to end, and the new values are copied back, each into its parameter's own array.

A big array has the opposite problem: a dozen passes over numbers that do not stay in the cache. So a big parameter is
updated in blocks, each taken through all passes before the next, and without a copy: a block is a view of it.

Parameters whose arrays share memory are never in one stretch, since the second has to see the first one's new values.
"""

import itertools
from typing import Any, Protocol

import numpy as np

from scratch.kernels.blocks import blocks

# Numbers in a block. It stays in the outer cache with all that is read and written for it, and is large, so that calls
# are few and long: each may have to wait for the GIL.
BLOCK = 1 << 17
# Parameters are laid end to end up to so many numbers: with more, copying takes longer than the calls that it saves.
MOST_TOGETHER = 1 << 16


class Parameter(Protocol):
    """The part of a parameter that is used here."""

    data: np.ndarray
    grad: Any


class Stretch:
    """Parameters next to one another that an optimizer updates together: small ones, or a single one of any size.

    Parameters
    ----------
    parameters : list of Parameter
        If there are several, the data of each is contiguous.

    Attributes
    ----------
    size : int
        How many numbers they have.
    blocks : list of slice
        The parts of them that are updated at once.
    """

    def __init__(self, parameters: list[Parameter]) -> None:
        self._parameters = parameters
        self._arrays = [parameter.data for parameter in parameters]
        if len(parameters) > 1:
            self._arrays = [array.reshape(-1) for array in self._arrays]
        self.size = sum(array.size for array in self._arrays)
        self.blocks = blocks(self.size, 1, BLOCK)
        if len(parameters) > 1:
            self._together = np.empty(self.size, parameters[0].data.dtype)
            ends = itertools.accumulate([array.size for array in self._arrays], initial=0)
            self._parts = [self._together[start:end] for start, end in itertools.pairwise(ends)]

    def values(self) -> np.ndarray:
        """Return the values of all parameters as a vector; for a single one a view, where possible."""
        if len(self._arrays) == 1:
            return self._arrays[0].reshape(-1)
        return np.concatenate(self._arrays, out=self._together)

    def gradients(self) -> np.ndarray:
        """Return their gradients as a vector, to be read only."""
        grads = [parameter.grad for parameter in self._parameters]
        return grads[0].reshape(-1) if len(grads) == 1 else np.concatenate(grads, axis=None)

    def write_back(self, w: np.ndarray, block: slice) -> None:
        """Write a block of the vector `values` into the parameters' own arrays, unless it is a view of them."""
        if len(self._arrays) > 1:  # small ones: all in one block
            for array, part in zip(self._arrays, self._parts, strict=True):
                array[...] = part
        elif not self._arrays[0].flags.c_contiguous:
            self._arrays[0].flat[block] = w[block]


def stretches(parameters: list[Parameter]) -> list[Stretch]:
    """Cut a list of parameters of one dtype into stretches."""
    found: list[Stretch] = []
    members: list[Parameter] = []
    for parameter in parameters:
        if members and not _fits(parameter, members):
            found.append(Stretch(members))
            members = []
        members.append(parameter)
    return [*found, Stretch(members)]


def _fits(parameter: Parameter, members: list[Parameter]) -> bool:
    """Return whether a parameter can be in one stretch with others."""
    both = [*members, parameter]
    return (
        sum(one.data.size for one in both) <= MOST_TOGETHER
        and all(one.data.flags.c_contiguous for one in both)
        and not any(np.may_share_memory(parameter.data, one.data) for one in members)
    )
