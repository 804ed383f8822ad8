"""What would come of a line if another one had computed a true gradient: so we find which of two is wrong."""

import contextlib

import numpy as np

from parity_tests.diagnosis.lines import statements
from parity_tests.diagnosis.lines.backward import Computed
from parity_tests.diagnosis.lines.gradients import ATOL, Known, same
from parity_tests.diagnosis.lines.made_of import broadcasts, multiple
from parity_tests.diagnosis.lines.recognize import Recognized
from scratch.tape import Node


class Substitution:
    """True gradients in the place of what backward's lines computed.

    Parameters
    ----------
    recognized : Recognized
    """

    def __init__(self, recognized: Recognized) -> None:
        self.recognized, self.forward = recognized, recognized.forward

    def would_mend(self, one: Computed, end: Computed) -> bool:
        """Return whether ``end`` comes out right if ``one`` is replaced by the gradient that its name claims to be."""
        nodes = [self.recognized.meant(one), None if one.whole else one.node]
        return any(
            self._mends(one, end, self.forward.grads[version])
            for node in nodes
            if node is not None and not self.is_that_of(one, node)
            for version in self.forward.versions(node)
            if broadcasts(version.data.shape, one.values.shape, one.values.shape)  # a sum may be forgotten
        )

    def some_would_mend(self, one: Computed, end: Computed) -> bool:
        """Return whether ``end`` comes out right if ``one`` is replaced by some gradient of its shape, or a part."""
        scalar = self.forward.scalar
        if scalar is None:
            return False
        if any(self._mends(one, end, true.values / scalar) for true in self._like(one)):
            return True
        # Or by a multiple of one, which the line takes a mean of. Probabilities alone, before the target is subtracted,
        # are no gradient yet, but right.
        changed = statements.changes_items(one.function, one.line) or "grad" in one.name
        wanted = self.recognized.end(end) if changed else None
        return wanted is not None and any(
            self._is_multiple(self._made(one, end, true.values), wanted) for true in self._wholes_like(one)
        )

    def _is_multiple(self, made: np.ndarray | None, wanted: Node) -> bool:
        return made is not None and bool(multiple(made, self.forward.grads, wanted, "it"))

    def matters(self, one: Computed, end: Computed) -> bool:
        """Return whether a true gradient in the place of ``one`` would change ``end``.

        None does if they differ only where a mask sets the product to 0.
        """
        made = [self._made(one, end, true.values) for true in self._wholes_like(one)]
        return not any(values is not None and same(values, end.values) for values in made)

    def needed(self, one: Computed) -> Node | None:
        """Return the value whose gradient an array has to be for what the next lines make of it to be a gradient."""
        place = next(i for i, other in enumerate(self.recognized.computed) if other is one)
        for later in self.recognized.computed[place + 1 :]:
            if later.name == one.name:
                return None
            if later.function is not one.function or one.name not in statements.names(later.function, later.line):
                continue
            found = [true.node for true in self._wholes_like(one) if self._makes_known(one, later, true.values)]
            if found:
                return next((node for node in found if node in self.forward.names), found[-1])
        return None

    def needed_part(self, one: Computed) -> Known | None:
        """Return the part of a gradient that an array has to be for the next line to come to a whole gradient."""
        place = next(i for i, other in enumerate(self.recognized.computed) if other is one)
        for later in self.recognized.computed[place + 1 :]:
            if later.name == one.name:
                return None
            if later.function is one.function and one.name in statements.names(later.function, later.line):
                parts = [known for known in self._like(one) if not known.whole]
                return next((part for part in parts if self._makes_whole(one, later, part.values)), None)
        return None

    def is_that_of(self, one: Computed, node: Node) -> bool:
        """Return whether an array is the gradient of a value, or of another that a loop calls by its name."""
        return any(self.forward.is_gradient(one.values, version) for version in self.forward.versions(node))

    def _mends(self, one: Computed, end: Computed, true: np.ndarray) -> bool:
        wanted = self.recognized.end(end) or self.recognized.meant(end)
        if wanted is None:
            return self._makes_known(one, end, true)
        made, versions = self._made(one, end, true), self.forward.versions(wanted)
        # What a line adds to a sum is a part.
        adds = statements.is_addition(end.function, end.line)
        known = self.forward.matches(made) if made is not None else []
        return any((one.whole or adds) and one.node in versions for one in known)

    def _makes_known(self, one: Computed, later: Computed, true: np.ndarray) -> bool:
        """Return whether ``later`` computes a gradient, and not the same one, from ``true`` in the place of ``one``."""
        made = self._made(one, later, true)
        return made is not None and not same(made, true) and bool(self.forward.matches(made))

    def _makes_whole(self, one: Computed, later: Computed, part: np.ndarray) -> bool:
        scalar = self.forward.scalar if one.bare and self.forward.scalar is not None else 1.0
        made = self._made(one, later, part / scalar)
        return made is not None and any(known.whole for known in self.forward.matches(made))

    def _made(self, one: Computed, end: Computed, true: np.ndarray) -> np.ndarray | None:
        """Return what the right-hand side of ``end`` is with ``true`` in the place of ``one``."""
        expression = statements.expression(end.function, end.line, end.number, end.name)
        if expression is None or not one.variable.isidentifier():
            return None
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            made = np.asarray(eval(expression, {**end.scope, one.variable: true}))
            return made if made.dtype.kind == "f" else None
        return None

    def _wholes_like(self, one: Computed) -> list[Known]:
        return [true for true in self._like(one) if true.whole]

    def _like(self, one: Computed) -> list[Known]:
        # A gradient that is 0 but for rounding, such as a mean's within a variance, says nothing.
        least = ATOL * np.abs(one.values).max(initial=0)
        known = [true for true in self.forward.known if true.values.shape == one.values.shape]
        return [true for true in known if np.abs(true.values).max(initial=0) > least]
