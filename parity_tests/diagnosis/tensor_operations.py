"""The operations of a class of arrays that record them: its operators, its properties, its methods."""

import inspect
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parity_tests.diagnosis import scalars

Shapes = tuple[tuple[int, ...], ...]

ONE: tuple[Shapes, ...] = (((3, 4),),)
TWO: tuple[Shapes, ...] = (((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 4), (3, 1)), ((4,), (3, 4)))
PRODUCT: tuple[Shapes, ...] = (((3, 4), (4, 2)),)
METHODS_OF_TWO = dict.fromkeys(("add", "sub", "mul", "div"), TWO) | dict.fromkeys(("dot", "matmul", "mm"), PRODUCT)
CONSTANTS = (*scalars.NOT_OPERATIONS, "grad", "data", "copy", "clone", "astype", "round", "sign", "argmax", "argmin")


@dataclass(frozen=True)
class Operation:
    """An operation: how it is written, the method that makes it, the shapes of its operands, and what to run."""

    name: str
    method: str
    shapes: tuple[Shapes, ...]
    run: Callable


def weighing(cls: type) -> list[Operation]:
    """Return the operations with which a result becomes a weighted sum; one that cannot run if there are none."""
    if not (hasattr(cls, "__mul__") and hasattr(cls, "sum")):
        return [Operation("", "", ONE, lambda a: None)]
    return [Operation("a * b", "__mul__", TWO[:1], operator.mul), Operation("a.sum()", "sum", ONE, lambda a: a.sum())]


def operations(cls: type) -> Iterator[Operation]:
    """Yield the operations of a class; methods that need more than the operands are left out."""
    own = {name for one in cls.__mro__[:-1] for name in vars(one)}
    for method in (method for method in scalars.BINARY if method in own):
        yield from _of_two(method)
    if "__matmul__" in own:
        yield Operation("a @ b", "__matmul__", PRODUCT, operator.matmul)
    for method, name, run in (
        ("__neg__", "-a", operator.neg),
        ("__pow__", "a ** 3", lambda a: a**3),
        ("__rsub__", "3 - a", lambda a: 3.0 - a),
        ("__rtruediv__", "3 / a", lambda a: 3.0 / a),
        ("__getitem__", "a[1:]", lambda a: a[1:]),
    ):
        if method in own:
            yield Operation(name, method, ONE, run)
    for name in sorted(name for name in own if not name.startswith("_") and name not in CONSTANTS):
        yield from _named(cls, name)


def _of_two(method: str) -> Iterator[Operation]:
    run, written = scalars.BINARY[method], scalars.SIGNS[method]
    sign = written[2]
    yield Operation(written, method, TWO, run)
    yield Operation(f"a {sign} 3", method, ONE, lambda a: run(a, 3.0))
    yield Operation(f"a {sign} a, an array used twice", method, ONE, lambda a: run(a, a))
    name = f"c {sign} (c {sign} b) with c = a {sign} b, a result used twice"
    yield Operation(name, method, TWO[:1], lambda a, b: scalars.shared(run, a, b))


def _named(cls: type, name: str) -> Iterator[Operation]:
    value = inspect.getattr_static(cls, name)
    if isinstance(value, property):
        yield Operation(f"a.{name}", name, ONE, lambda a: getattr(a, name))
        return
    if not inspect.isfunction(value):
        return
    _, *parameters = inspect.signature(value).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if name in METHODS_OF_TWO and len(required) == 1:
        yield Operation(f"a.{name}(b)", name, METHODS_OF_TWO[name], lambda a, b: getattr(a, name)(b))
    if not required:
        yield Operation(f"a.{name}()", name, ONE, lambda a: getattr(a, name)())
    for axis in (0, 1) if any(p.name == "axis" for p in parameters) else ():
        yield Operation(f"a.{name}(axis={axis})", name, ONE, lambda a, axis=axis: getattr(a, name)(axis=axis))
