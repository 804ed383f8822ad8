"""All parameters of a model as one vector, and back: for a search or a line search over models, or a distance of two.

PyTorch's counterparts: ``torch.nn.utils.parameters_to_vector``, ``vector_to_parameters``. Differs from PyTorch: the
numbers are copied into the parameters' own arrays, which an optimizer may hold, and converted to their dtypes, where
PyTorch makes the parameters views of the vector; and a vector that is too long is refused.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.checks import FLOAT_DTYPES, check_is_array
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter, writes


def parameters_to_vector(parameters: Iterable[Parameter]) -> np.ndarray:
    """Return the values of all parameters end to end, in a new array.

    Parameters
    ----------
    parameters : iterable of Parameter
        Whose values, each in C order.

    Returns
    -------
    numpy.ndarray
        (numbers of all parameters,)

    Raises
    ------
    TypeError
        If ``parameters`` is a Module, or contains anything but parameters.
    RuntimeError
        If there are none.

    Examples
    --------
    >>> parameters_to_vector([Parameter(np.zeros((1, 2))), Parameter(np.ones(1))])
    array([0., 0., 1.])
    """
    every = _listed("parameters_to_vector", parameters)
    if not every:
        raise RuntimeError("parameters_to_vector: expected at least one parameter, got none")
    return np.concatenate([parameter.data for parameter in every], axis=None)


def vector_to_parameters(vec: np.ndarray, parameters: Iterable[Parameter]) -> None:
    """Copy the numbers of a vector into the parameters, in order.

    Parameters
    ----------
    vec : numpy.ndarray, (numbers of all parameters,)
        As `parameters_to_vector` returns it.
    parameters : iterable of Parameter
        What to write to.

    Raises
    ------
    TypeError
        If ``vec`` is not an array, ``parameters`` is a Module, or it contains anything but parameters.
    RuntimeError
        If the vector does not have as many numbers, or a parameter's array is read-only. Then nothing has been changed.

    Examples
    --------
    >>> parameter = Parameter(np.zeros((1, 2)))
    >>> vector_to_parameters(np.array([3.0, 4.0]), [parameter])
    >>> parameter.data
    array([[3., 4.]])
    """
    owner = "vector_to_parameters"
    check_is_array(owner, vec, "vec", FLOAT_DTYPES[0])
    every = _listed(owner, parameters)
    ends = list(itertools.accumulate([parameter.numel() for parameter in every], initial=0))
    if vec.shape != (ends[-1],):
        raise RuntimeError(f"{owner}: expected vec of shape {(ends[-1],)}, got {vec.shape}")
    for parameter in every:
        if not parameter.data.flags.writeable:
            raise RuntimeError(f"{owner}: the data of a {parameter} is read-only; assign a copy")
    writes.note(every)
    for parameter, (start, end) in zip(every, itertools.pairwise(ends), strict=True):
        dispatch.run(np.copyto, parameter.data, vec[start:end].reshape(parameter.shape), "unsafe")


def refuse_module(owner: str, parameters: Any) -> None:
    """Raise ``TypeError`` if a module was passed in place of its parameters."""
    if isinstance(parameters, Module):
        raise TypeError(
            f"{owner}: expected parameters, got the module {type(parameters).__name__}; pass model.parameters()"
        )


def _listed(owner: str, parameters: Any) -> list[Parameter]:
    refuse_module(owner, parameters)
    if not isinstance(parameters, Iterable):
        raise TypeError(f"{owner}: expected an iterable of parameters, got a {type(parameters).__name__}")
    every = list(parameters)
    for one in every:
        if not isinstance(one, Parameter):
            raise TypeError(f"{owner}: expected every one of parameters to be a Parameter, got {type(one).__name__}")
    return [one.hold_arrays() for one in every]
