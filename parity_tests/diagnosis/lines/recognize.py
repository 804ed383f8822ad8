"""What each array that backward computed is, and what it is meant to be."""

import itertools

import numpy as np

from parity_tests.diagnosis.lines import made_of
from parity_tests.diagnosis.lines.backward import Backward, Computed
from parity_tests.diagnosis.lines.forward import Forward
from parity_tests.diagnosis.lines.gradients import same
from scratch.tape import Node


class Recognized:
    """Backward's lines, each compared with the true gradients.

    Parameters
    ----------
    forward : Forward
    backward : Backward

    Attributes
    ----------
    computed : list of Computed
        Of the first run, with all that was found out.
    """

    def __init__(self, forward: Forward, backward: Backward) -> None:
        self.forward, self.backward = forward, backward
        self.computed, others = backward.runs
        for one, other in itertools.zip_longest(self.computed, others):
            if one is None or other is None or one.name != other.name:
                break
            one.follows = one.values.shape != other.values.shape or not np.allclose(
                one.values, other.values, rtol=1e-9, atol=0
            )
        names = forward.names.values()
        for one in self.computed if forward.scalar is not None else ():
            # A loss's backward may multiply by the upstream number at its end, or in its caller.
            one.bare = not one.follows
            one.follows = one.follows or (self.meant(one) is not None and one.name not in names)
        for one in self.computed:
            if one.function in forward.functions and one.function is not backward.code:
                one.follows = one.bare = False  # forward's own function, called on other numbers
                continue
            # What backward returns or stores is meant as a gradient even if it does not change with the upstream
            # gradient.
            meant = (one.is_returned and self.is_of_backward(one)) or self.is_stored(one)
            one.follows = meant or (one.follows and backward.takes_upstream)
        for one in self.computed:
            if one.follows:
                self._recognize(one)
            if one.bare and not one.words and (node := self.meant(one)) is not None and not self.end(one):
                one.words = made_of.multiple(self.applied(one), forward.grads, node, forward.word(node))

    def _recognize(self, one: Computed) -> None:
        forward = self.forward
        if one.name in self.backward.steps:
            node, rate = self.backward.steps[one.name]
            one.whole = same((node.data - one.values) / rate, forward.grads[node])
            one.words = f"a step along the gradient of {forward.word(node)}" if one.whole else ""
            return
        wanted = self.meant(one)
        matches = forward.matches(one.values)
        if not matches:
            return
        best = next((k for k in matches if wanted is not None and k.node is wanted), matches[0])
        one.words, one.whole, one.node = best.words, best.whole, best.node

    def meant(self, one: Computed) -> Node | None:
        """Return the value whose gradient an array's name claims to be."""
        if one.name in self.backward.stored and one.scope.get("self") is self.backward.owner:
            return self.backward.stored[one.name]
        return self.forward.meant(one.name, self.backward.owners.get(id(one.scope.get("self")), ""))

    def returned_as(self, one: Computed) -> Node | None:
        """Return the value as whose gradient an array is returned, as it is."""
        for other in self.computed:
            if other.is_returned and other.function is self.backward.code and other.is_in(one.values):
                return self.backward.returned.get(other.number)
        return None

    def is_stored(self, one: Computed) -> bool:
        """Return whether an array is stored as a gradient, in an attribute, a dictionary or a list."""
        return (one.name.startswith("self.") or "[" in one.name) and self.meant(one) is not None

    def is_of_backward(self, one: Computed) -> bool:
        """Return whether an array was computed by backward itself, or by another one of its name that it calls."""
        return one.function is self.backward.code or one.function.co_name == self.backward.name

    def end(self, one: Computed) -> Node | None:
        """Return the value whose gradient an array is meant to be at the end of backward."""
        if one.name in self.backward.steps:
            return self.backward.steps[one.name][0]
        if one.is_returned:
            return self.backward.returned.get(one.number) if one.function is self.backward.code else None
        return self.meant(one) if self.is_stored(one) and self.last_of(one) is one else None

    def last_of(self, one: Computed) -> Computed:
        """Return the last array that was computed under a name."""
        return [other for other in self.computed if other.name == one.name][-1]

    def applied(self, one: Computed) -> np.ndarray:
        """Return an array, times the upstream number where backward leaves that to its end or to its caller."""
        scalar = self.forward.scalar
        return one.values * scalar if one.bare and scalar is not None else one.values
