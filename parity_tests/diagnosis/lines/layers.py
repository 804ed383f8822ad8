"""The objects whose methods a forward calls, numbered in the order in which they first return.

They are other objects in each run, as everything is put back in between; the order stays.
"""

import types

from scratch.tape import Node, Tape, Value


class Layers:
    """The objects whose methods a forward called, and what these returned.

    Parameters
    ----------
    tape : Tape, optional
        On which it ran.

    Attributes
    ----------
    numbers : dict of int to int
        The number of each object, by its identity.
    returned : dict of int to list of Node
        The values that its methods returned, by the object's number.
    """

    def __init__(self, tape: Tape | None = None) -> None:
        self.tape = tape
        self.numbers: dict[int, int] = {}
        self.returned: dict[int, list[Node]] = {}
        self._inside: dict[int, set[Node]] = {}
        self._begins: dict[int, int] = {}
        self._kept: list[object] = []

    def __call__(self, frame: types.FrameType, event: str, argument: object) -> None:
        """Take note of an event of a function."""
        layer = frame.f_locals.get("self")
        if layer is None or event not in ("call", "return"):
            return
        count = len(self.tape.nodes) if self.tape is not None else 0
        if event == "call":
            self._begins[id(frame)] = count
            return
        if id(layer) not in self.numbers:
            self._kept.append(layer)  # so that no other gets its identity
        number = self.numbers.setdefault(id(layer), len(self.numbers))
        if self.tape is not None:
            begin = self._begins.pop(id(frame), count)
            self._inside.setdefault(number, set()).update(self.tape.nodes[begin:count])
            parts = argument if isinstance(argument, tuple | list) else (argument,)
            self.returned.setdefault(number, []).extend(one.node for one in parts if isinstance(one, Value))

    def of(self, layer: object) -> int | None:
        """Return an object's number, None if none of its methods was called."""
        return self.numbers.get(id(layer))

    def computes(self, number: int, node: Node) -> bool:
        """Return whether a value was computed by an object's own methods, or what these called."""
        return node in self._inside.get(number, ())
