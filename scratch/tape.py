r"""The tape: what autograd does. Record every operation of forward, then read the list backwards.

    tape = Tape()
    x = tape.watch(array)               stands for the array; looks like one to NumPy
    y = f(x)                            f is ordinary NumPy code
    grads = tape.gradients(y, grad_y)   grad_y = dL/dy, the upstream gradient
    grads[x]                            dL/dx, of the shape of x

Recording. `Value` defines ``__array_ufunc__`` and ``__array_function__``, the two methods that NumPy calls instead of
its own code when an argument has them. They do what NumPy would have done, and add a `Node` to the tape: which
operation it was, on which operands, and the result. These are the nodes of the graph; an edge leads from each node to
each of its operands.

Order. A gradient may be passed on only once it is complete, that is, once every operation that used the value has sent
back its share. So backward must visit each node before its operands; that is a topological order of the graph. The tape
gives us one for free: an operation is recorded after its operands, so we read it from the end to the beginning.

Adding up. If a value is used twice, a change in it reaches L along two paths, and the effects add up. So do the
gradients. Each edge brings one contribution. This is the multivariate chain rule, and the reason why gradients add up
in a parameter's ``.grad``.

Rules. An operation y = f(a, b, ...) needs one rule for each operand, its vector-Jacobian product: from g = dL/dy to
dL/da = sum_i g_i dy_i/da. The Jacobian itself is never built. The table of rules is in `scratch.vjp`. They can ignore
broadcasting: an operand that was stretched was used many times, so its gradient is the sum over the copies, and
`unbroadcast` takes that sum for every rule.

Writing in place. A rule may need the numbers that an operation saw, so these must not be overwritten. ``x += 1`` and
``x[i] = 0`` therefore make a new node, and x stands for that node from then on. A view of the old memory under another
name is then out of date, and its next use is refused.

Anything that the tape cannot follow raises a `NotFollowedError` that names the operation.

Sources: Wengert, "A Simple Automatic Derivative Evaluation Program", 1964; Griewank and Walther, "Evaluating
Derivatives", 2008, chapter 3. PyTorch's counterpart: ``torch.autograd``, whose nodes are ``tensor.grad_fn`` and whose
edges are ``grad_fn.next_functions``.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from scratch.vjp import COMPOSED, FRESH, RULES, WITHOUT_GRADIENT, NotFollowedError, cast, item, unbroadcast, with_item


class Edge(NamedTuple):
    """From an operation to one operand: argument number ``place``, or, if that is a list, its element ``position``."""

    operand: "Node"
    place: int
    position: int | None


@dataclass(eq=False)
class Node:
    """An operation on the tape, and its result.

    Attributes
    ----------
    tape : Tape
    operation : str
        "add", "getitem"; "watch" for a leaf.
    data : numpy.ndarray
        The result.
    edges : list of Edge
        To the operands.
    rules : tuple of callable
        The vector-Jacobian product for each argument, called with g, the result and the arguments.
    arguments, options : tuple, dict
        What the operation was called with, as plain arrays.
    """

    tape: "Tape"
    operation: str
    data: np.ndarray
    edges: list[Edge]
    rules: tuple
    arguments: tuple
    options: dict


class Contribution(NamedTuple):
    """What one edge adds to the gradient of its operand; ``user`` is None for the upstream gradient itself."""

    user: Node | None
    place: int
    grad: np.ndarray


class Value(NDArrayOperatorsMixin):
    """A stand-in for an array on the tape; ``node`` is its place there."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @property
    def data(self) -> np.ndarray:
        """The numbers."""
        data, overwritten = self.node.data, self.node.tape.overwritten
        if any(np.may_share_memory(data, old) for old in overwritten.get(_owner(data), ())):
            raise NotFollowedError(f"{self.node.operation}: its result was written to in place under another name")
        return data

    shape = property(lambda self: self.node.data.shape)
    ndim = property(lambda self: self.node.data.ndim)
    size = property(lambda self: self.node.data.size)
    dtype = property(lambda self: self.node.data.dtype)
    T = property(lambda self: np.transpose(self))

    def __len__(self) -> int:
        return len(self.node.data)

    def __repr__(self) -> str:
        return f"Value({self.node.operation}, shape={self.shape}, dtype={self.dtype})"

    def __array_ufunc__(self, ufunc: Callable, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__":
            raise NotFollowedError(f"numpy.{ufunc.__name__}.{method}: the tape does not know its gradient")
        return self.__array_function__(ufunc, (), inputs, options if out is None else {**options, "out": out[0]})

    def __array_function__(self, function: Callable, types: object, args: tuple, options: dict) -> Any:
        if options.get("out") is not None:
            out = options["out"]
            result = self.__array_function__(function, types, args, {k: v for k, v in options.items() if k != "out"})
            if not isinstance(out, Value) or not isinstance(result, Value):
                raise NotFollowedError(f"numpy.{function.__name__}: writes into an array that is not on the tape")
            out.overwrite(result)
            return out
        if function in WITHOUT_GRADIENT:
            return function(*_plain(args), **{name: _plain(option) for name, option in options.items()})
        if function in COMPOSED:
            return COMPOSED[function](*args, **options)
        if function in FRESH:
            fresh = function(*_plain(args), **options)
            return self.node.tape.watch(fresh) if fresh.dtype.kind == "f" else fresh
        if function not in RULES:
            name = f"{getattr(function, '__module__', 'numpy')}.{function.__name__}"
            raise NotFollowedError(f"{name}: the tape does not know its gradient")
        return self.node.tape.record(function.__name__, function, RULES[function], args, options)

    def __getitem__(self, index: Any) -> "Value":
        return self.node.tape.record("getitem", item, RULES[item], (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        # x[i] += 1 has already written to the view x[i]; now x itself has to follow.
        view, tape = self.node.data[index], self.node.tape
        known = tape.overwritten.get(_owner(view), [])
        known[:] = [one for one in known if one.__array_interface__ != view.__array_interface__]
        self.overwrite(tape.record("setitem", with_item, RULES[with_item], (self, index, value), {}))

    def overwrite(self, result: "Value") -> None:
        """Stand for ``result`` from now on."""
        if result.shape != self.shape or not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise NotFollowedError(f"{result.node.operation}: {result!r} does not fit into {self!r} in place")
        result = result if result.dtype == self.dtype else result.astype(self.dtype)
        self.node.tape.overwritten.setdefault(_owner(self.node.data), []).append(self.node.data)
        self.node = result.node

    def __getattr__(self, name: str) -> Callable:
        # x.sum(axis=0) is np.sum(x, axis=0); NumPy then calls __array_function__.
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a value on the tape has no attribute {name!r}")
        if not (callable(getattr(np, name, None)) and callable(getattr(np.ndarray, name))):
            raise NotFollowedError(f"numpy.ndarray.{name}: the tape does not know its gradient")
        return functools.partial(getattr(np, name), self)

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """Return np.reshape(self, shape), the shape in one argument or in several."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        """Return np.transpose(self, axes), the axes in one argument or in several."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self) -> Any:
        """Return a copy with one axis."""
        return np.ravel(np.copy(self))

    def astype(self, dtype: Any, **options: Any) -> Any:
        """Return the values in another dtype, on the tape if that is a floating-point one."""
        if np.dtype(dtype).kind != "f":
            return self.data.astype(dtype)
        return self.node.tape.record("astype", cast, RULES[cast], (self, dtype), {})

    def _leave(self, *args: Any, **options: Any) -> Any:
        raise NotFollowedError(f"{self.node.operation}: its result was turned into a plain array or a Python number")

    __array__ = __float__ = __int__ = __bool__ = item = tolist = _leave


class Tape:
    """A list of operations, each after its operands.

    Attributes
    ----------
    nodes : list of Node

    Examples
    --------
    >>> tape = Tape()
    >>> x = tape.watch(np.array([1.0, 2.0, 3.0]))
    >>> y = (x * x).sum() + x[0]
    >>> grads = tape.gradients(y, 1.0)
    >>> grads[x]
    array([3., 4., 6.])
    >>> [(one.user.operation, one.grad.tolist()) for one in grads.contributions(x)]
    [('getitem', [1.0, 0.0, 0.0]), ('multiply', [1.0, 2.0, 3.0]), ('multiply', [1.0, 2.0, 3.0])]
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.overwritten: dict[int, list[np.ndarray]] = {}  # by the array that owns the memory

    def watch(self, array: np.ndarray) -> Value:
        """Return a `Value` that stands for a floating-point array; the array itself is never written to."""
        array = np.array(array)
        if array.dtype.kind != "f":
            raise TypeError(f"Tape.watch: expected an array of floating-point numbers, got dtype {array.dtype}")
        return self._add(Node(self, "watch", array, [], (), (), {}))

    def _add(self, node: Node) -> Value:
        self.nodes.append(node)
        return Value(node)

    def record(self, operation: str, function: Callable, rules: tuple, args: tuple, options: dict) -> Value:
        """Call a function, and record what backward needs; ``rules`` are those of its arguments."""
        edges = []
        for place, argument in enumerate(args):
            several = isinstance(argument, (list, tuple))
            for position, one in enumerate(argument if several else [argument]):
                if isinstance(one, Value):
                    edges.append(Edge(one.node, place, position if several else None))
        for operand, place, _ in edges:
            if operand.tape is not self:
                raise ValueError(f"{operation}: expected values of one tape, got values of two")
            if place >= len(rules) or rules[place] is None:
                raise NotFollowedError(f"{operation}: the tape knows no gradient for its argument {place}")
            try:
                inspect.signature(rules[place]).bind(None, None, *args, **options)
            except TypeError as error:
                raise NotFollowedError(f"{operation}: the tape does not know this form of it: {error}") from None
        if len(edges) < len(_values([*args, *options.values()])):
            raise NotFollowedError(f"{operation}: the tape does not follow arguments passed by name or in nested lists")
        plain = _plain(args)
        return self._add(Node(self, operation, np.asarray(function(*plain, **options)), edges, rules, plain, options))

    @np.errstate(all="ignore")
    def gradients(self, y: Any, grad_y: Any) -> "Gradients":
        """Return the gradients of L = sum(grad_y * y) with respect to every value on the tape.

        Parameters
        ----------
        y : Value or sequence of Value
            The output, or several of them.
        grad_y : array_like or sequence of array_like
            The upstream gradient of each, of the same shape.

        Raises
        ------
        TypeError, ValueError
            If ``y`` is not on this tape, or ``grad_y`` has another shape.
        """
        contributions: dict[Node, list[Contribution]] = {}
        for output, grad in zip(y, grad_y, strict=True) if isinstance(y, (list, tuple)) else [(y, grad_y)]:
            if not isinstance(output, Value) or output.node.tape is not self:
                raise TypeError(f"Tape.gradients: expected a value of this tape, got {type(output).__name__}")
            if np.shape(grad) != output.shape:
                raise ValueError(f"Tape.gradients: expected grad_y of shape {output.shape}, got {np.shape(grad)}")
            contributions.setdefault(output.node, []).append(Contribution(None, 0, np.asarray(grad, output.dtype)))
        for node in reversed(self.nodes):
            if node not in contributions:
                continue  # y does not depend on it
            grad = _sum(contributions[node])
            for operand, place, position in node.edges:
                share = node.rules[place](grad, node.data, *node.arguments, **node.options)
                share = unbroadcast(share if position is None else share[position], operand.data.shape)
                share = share.astype(operand.data.dtype, copy=False)
                contributions.setdefault(operand, []).append(Contribution(node, place, share))
        return Gradients(contributions)


class Gradients:
    """What `Tape.gradients` found, by value or by node."""

    def __init__(self, contributions: dict[Node, list[Contribution]]) -> None:
        self._contributions = contributions

    def contributions(self, value: Value | Node) -> list[Contribution]:
        """Return what each use of a value adds to its gradient, the last use first."""
        return self._contributions.get(value.node if isinstance(value, Value) else value, [])

    def __getitem__(self, value: Value | Node) -> np.ndarray:
        found = self.contributions(value)
        return _sum(found) if found else np.zeros(value.data.shape, value.data.dtype)


def _owner(array: np.ndarray) -> int:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array)


def _sum(contributions: Sequence[Contribution]) -> np.ndarray:
    return functools.reduce(np.add, [one.grad for one in contributions])


def _values(argument: Any) -> list[Value]:
    if isinstance(argument, (list, tuple)):
        return [value for one in argument for value in _values(one)]
    return [argument] if isinstance(argument, Value) else []


def _plain(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.data
    if type(argument) in (list, tuple):
        return type(argument)(_plain(one) for one in argument)
    # A constant may be written to later; the rules need it as it was.
    return argument.copy() if isinstance(argument, np.ndarray) else argument
