"""A forward on the tape: the name and the true gradient of every value, and the parts that gradients are sums of."""

import contextlib
import itertools
import types
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.lines import operations
from parity_tests.diagnosis.lines.gradients import (
    FilledGradients,
    Known,
    KnownGradients,
    cosine,
    same,
    shape_of,
    spread_from,
)
from parity_tests.diagnosis.lines.layers import Layers
from parity_tests.diagnosis.reading import names as words
from scratch.tape import Contribution, Node, Tape, Value

Names = dict[Node, str]
"""What forward calls its values."""
LATER = "the later "
"""What is put before a name that was another value's before."""


class Forward:
    """What the tape knows of a forward.

    Parameters
    ----------
    tape : Tape
        On which it ran.
    outputs : list of Value
    upstream : tuple of numpy.ndarray
        An upstream gradient for each output.
    names : dict of Node to str
    scalar : float, optional
        The upstream gradient of a loss whose backward may leave it out: its end or its caller may multiply by it.
    functions : set of code
        The functions that forward called: where backward calls one of them, its lines compute no gradients.
    bound : dict of str to set of Node
        All that forward's own variables, attributes and keys have been.
    fills : bool
        Whether forward fills new arrays, or makes them of lists: in a loop, a name stands for several values.
    has_gradients : bool
        Whether forward also computes the gradients, which it returns beside the loss: they are none of its values.
    layers : Layers, optional
        The objects that forward called.

    Attributes
    ----------
    grads : FilledGradients
        The true gradient of every value.
    known : KnownGradients
        These and their parts in words, those of the outputs first, then those of values with a name.
    """

    def __init__(
        self,
        tape: Tape,
        outputs: list[Value],
        upstream: tuple[np.ndarray, ...],
        names: Names,
        scalar: float | None = None,
        functions: frozenset[types.CodeType] = frozenset(),
        bound: dict[str, set[Node]] | None = None,
        fills: bool = False,
        has_gradients: bool = False,
        layers: Layers | None = None,
    ) -> None:
        self.tape, self.upstream, self.names, self.scalar = tape, upstream, names, scalar
        self.functions, self.bound, self.fills = functions, bound or {}, fills
        self.layers = layers or Layers()
        self.grads = FilledGradients(tape.gradients(outputs, list(upstream)))
        self._values = tape.nodes
        if has_gradients:
            self._values = [node for node in tape.nodes if self.grads.contributions(node)]
            self.names = names = {node: name for node, name in names.items() if self.grads.contributions(node)}
        self.known = KnownGradients(self._known(outputs))
        self._meant: dict[tuple[str, str], Node | None] = {}
        self._versions: dict[str, list[Node]] = {}
        for node, name in names.items():
            self._versions.setdefault(_first(name), []).append(node)

    def word(self, node: Node, depth: int = 0) -> str:
        """Return a value's name, or the expression that computed it."""
        if node in self.names:
            return self.names[node]
        return operations.expression(node, lambda other: self.word(other, depth + 1) if depth < 3 else "...")

    def named(self, name: str) -> Node | None:
        """Return the value that has a name."""
        return next((node for node, one in self.names.items() if one == name), None)

    def meant(self, name: str, owner: str = "") -> Node | None:
        """Return the value whose gradient a name claims to be: of h for dh, self.grad_h, grads["dh"], self.h.grad.

        ``owner`` is the path to the object whose method it is: of two layers' weights, its own are meant.
        """
        if (name, owner) not in self._meant:
            self._meant[name, owner] = self._look_up(name, owner)
        return self._meant[name, owner]

    def _look_up(self, name: str, owner: str) -> Node | None:
        name = name.removeprefix("self.")
        base, _, key = name.partition("[")
        key = key.rstrip("]").strip("'\"")
        wanted: set[str] = set()
        if name.endswith((".grad", ".gradient")):
            wanted.add(name.rpartition(".")[0])
        elif key.isdigit():
            wanted |= {f"{owner}.{key}" for owner in words.undressed(base)}
        elif key:
            wanted |= words.undressed(key) | ({key} if "grad" in base else set())
        else:
            wanted |= words.undressed(base)
        found = []
        for one in wanted:
            for node, named in self.names.items():
                last = named if key.isdigit() else named.rpartition(".")[2]
                if last == one or words.alike(last, one):
                    found.append((node, named))
        near = f"{owner}.{base}." if owner and key else f"{base}." if key else f"{owner}."
        return next((node for node, named in found if named.startswith(near)), found[0][0] if found else None)

    def versions(self, node: Node) -> list[Node]:
        """Return the values that forward calls by one name, one after the other, as in a loop."""
        name = self.names.get(node, "")
        return self._versions[_first(name)] if name else [node]

    def same(self, values: np.ndarray, true: np.ndarray) -> bool:
        """Return whether an array is a true gradient, or becomes it times the upstream gradient of a loss."""
        return same(values, true) or (self.scalar is not None and same(values * self.scalar, true))

    def matches(self, values: np.ndarray) -> list[Known]:
        """Return the true gradients that an array is, or a part of one, perhaps times the loss's upstream gradient."""
        scaled = [] if self.scalar is None else self.known.same_as(values * self.scalar)
        return self.known.same_as(values) + scaled

    def is_gradient(self, values: np.ndarray, node: Node) -> bool:
        """Return whether an array is the gradient of a value; zeros are that of a value that has no influence."""
        true = self.grads[node]
        if shape_of(values) != shape_of(true):
            return False
        return self.same(values, true) or (not np.any(true) and not np.any(values))

    def is_value(self, values: np.ndarray) -> bool:
        """Return whether forward computed an array."""
        return any(same(values, node.data) for node in self._values)

    def multiple_of(self, values: np.ndarray) -> Node | None:
        """Return the value of whose gradient an array is a multiple, None if it may be that of several."""
        found = self.known.multiples_of(values)
        unclear = not found or any(not one.whole or not same(one.values, found[0].values) for one in found)
        return None if unclear else found[0].node

    def closest(self, values: np.ndarray) -> Node | None:
        """Return the value with a name whose gradient an array is most nearly a multiple of, None if it is far off."""
        if values.size == 1:
            return None  # it has no direction
        wholes = [one for one in self.known if one.whole and one.values.shape == values.shape]
        near = {one.node: cosine(one.values, values) for one in wholes if one.node in self.names}
        best = max(near, key=near.__getitem__, default=None)
        return best if best is not None and near[best] > 0.3 else None

    def _known(self, outputs: list[Value]) -> Iterator[Known]:
        grads = self.grads
        for output, grad in zip(outputs, self.upstream, strict=True):
            yield Known(grad, f"the gradient of {self.word(output.node)}", output.node, True)
        nodes = sorted(self.tape.nodes, key=lambda node: node not in self.names)
        for node in nodes:
            if grads.contributions(node):
                yield Known(grads[node], f"the gradient of {self.word(node)}", node, True)
        for node in nodes:
            yield from self._parts(node)
            grad = spread_from(grads[node])
            if grad.size < node.data.size:
                yield Known(grad, f"the gradient of {self.word(node)}, not yet spread over its elements", node, False)

    def _parts(self, node: Node) -> Iterator[Known]:
        contributions = [one for one in self.grads.contributions(node) if one.user is not None]
        for one in contributions:
            through = self.word(one.user)
            if len(contributions) > 1:
                yield Known(
                    one.grad, f"part of the gradient of {self.word(node)}: the path through {through}", node, False
                )
            raw = self._before_summing(one, node)
            if raw is not None:
                said = f"the gradient of {self.word(node)}, not yet summed over the broadcast axes"
                yield Known(raw, said, node, False)
        for count in range(2, len(contributions)) if len(contributions) <= 5 else ():
            for some in itertools.combinations(contributions, count):
                paths = " and ".join(self.word(one.user) for one in some)
                total = sum(one.grad for one in some)
                yield Known(total, f"part of the gradient of {self.word(node)}: the paths through {paths}", node, False)

    def _before_summing(self, one: Contribution, node: Node) -> np.ndarray | None:
        with contextlib.suppress(Exception):
            user = one.user
            raw = user.rules[one.place](self.grads[user], user.data, *user.arguments, **user.options)
            if isinstance(raw, np.ndarray) and raw.shape != node.data.shape:
                return raw
        return None


def name_locals(names: Names, frame: types.FrameType, forward: str) -> None:
    """Give the values among a frame's local variables their names; ``forward`` is what the function is called."""
    for name, value in frame.f_locals.items():
        if isinstance(value, Value) and (node := _node(value)) is not None and node not in names:
            own = _is_forward(frame, forward)
            said = name if own else f"{name} in {frame.f_code.co_name}"
            names[node] = f"{LATER}{said}" if said in names.values() else said


def _first(name: str) -> str:
    return name.removeprefix(LATER)


def bind(bound: dict[str, set[Node]], frame: types.FrameType, forward: str) -> None:
    """Note what a frame's local variables are, and what their attributes and keys are, if it is forward's own."""
    for name, value in frame.f_locals.items() if _is_forward(frame, forward) else ():
        held = value if isinstance(value, dict) else getattr(value, "__dict__", {}) if name == "self" else {}
        inner = {key: one for _, some in held.items() if isinstance(some, dict) for key, one in some.items()}
        for key, one in [(name, value), *held.items(), *inner.items()]:
            if isinstance(one, Value) and (node := _node(one)) is not None:
                bound.setdefault(str(key), set()).add(node)


def _is_forward(frame: types.FrameType, forward: str) -> bool:
    return frame.f_code.co_name == forward or "forward" in frame.f_code.co_name


def _node(value: Value) -> Node | None:
    # None while the value is still being made.
    return value.__dict__.get("node")
