"""The first wrong line.

An intermediate line may be right without being the gradient of a single value: what it flows into decides. So we go
back from what is wrong at the end, along the names that each line uses.
"""

import numpy as np

from parity_tests.diagnosis.lines import statements
from parity_tests.diagnosis.lines.backward import Computed
from parity_tests.diagnosis.lines.gradients import same
from parity_tests.diagnosis.lines.recognize import Recognized
from parity_tests.diagnosis.lines.substitution import Substitution


class FirstWrong:
    """What of backward's lines is wrong.

    Parameters
    ----------
    recognized : Recognized

    Attributes
    ----------
    suspicious : list of Computed
        What is meant as a gradient, and is no true gradient nor a part of one.
    instead : Substitution
    """

    def __init__(self, recognized: Recognized) -> None:
        self.recognized, self.forward = recognized, recognized.forward
        self.computed, self.instead = recognized.computed, Substitution(recognized)
        found = [one for one in self.computed if one.follows and not one.words and not self._is_given(one)]
        self.suspicious = [one for one in found if not self._is_unfinished(one)]

    def find(self) -> Computed | None:
        """Return what the first wrong line computed, None if no line is wrong."""
        wrong = [one for one in self.suspicious if one.is_returned or self.recognized.is_stored(one)]
        # What a helper returns, a reshaped array, may be right without being a gradient.
        ends = [one for one in wrong if not one.is_returned or self.recognized.is_of_backward(one)]
        wrong_ends = ends or [one for one in self.suspicious if one.name in self.recognized.backward.steps]
        candidates = [self._origin(end, set()) for end in wrong_ends]
        for one in self.computed:
            # A true gradient, but of another value than the one it is returned or stored for.
            node = self.recognized.end(one)
            recognized = one.follows and one.words and not one.words.startswith("a step")
            if recognized and node is not None and not self.forward.is_gradient(one.values, node):
                candidates.append(self._origin(one, set()))
        left = [one for one in self.suspicious if not (one.is_argument or _is_rearranged(one))]
        candidates = candidates or [self._origin(end, set()) for end in wrong if end in left]
        order = {id(one): number for number, one in enumerate(self.computed)}
        if not candidates and left:
            return self._origin(left[0], set())
        return min(candidates, key=lambda one: order[id(one)]) if candidates else None

    def is_sure(self, one: Computed) -> bool:
        """Return whether a line is surely wrong: backward ends with it, or with a true gradient it would be right.

        A step on the way to the end may be right without being a gradient, and so may a sum that another line began.
        """
        recognized = self.recognized
        ends = one.is_returned or one.is_argument or recognized.is_stored(one) or one.name in recognized.backward.steps
        known = ends or bool(one.words) or recognized.returned_as(one) is not None
        needed = known or self.instead.needed(one) is not None or self.instead.needed_part(one) is not None
        # An item of what a loop runs over, or a part that was stored as it is, was computed before.
        is_handed_over = statements.is_loop(one.function, one.line) or (
            one.words.startswith("part of") and statements.assigns_a_name(one.function, one.line)
        )
        return not (self._goes_on(one) or is_handed_over or self._reads_what_is_unclear(one)) and needed

    def _goes_on(self, one: Computed) -> bool:
        """Return whether a line changes what another line computed, and that was not recognized either."""
        place = next((i for i, other in enumerate(self.computed) if other is one), 0)
        earlier = [o for o in self.computed[:place] if o.name == one.name and o.function is one.function]
        changed = next((o for o in reversed(earlier) if o.line != one.line and np.any(o.values)), None)
        unclear = changed is not None and not changed.words and not self.forward.matches(changed.values)
        return unclear and statements.adds_to(one.function, one.line, one.name)

    def _reads_what_is_unclear(self, one: Computed) -> bool:
        """Return whether a line reads an array whose items were changed, and that is nothing known: it may be wrong."""
        used = statements.names(one.function, one.line, one.number, one.name)
        place = next(i for i, other in enumerate(self.computed) if other is one)
        read = {o.name: o for o in self.computed[:place] if o.function is one.function and o.name in used}
        return any(
            other.name != one.name
            and statements.changes_items(other.function, other.line)
            and not self.forward.matches(other.values)
            and not self.forward.is_value(other.values)
            and not self.forward.known.multiples_of(other.values)
            for other in read.values()
        )

    def _is_unfinished(self, one: Computed) -> bool:
        # An array of zeros that is not filled yet, or a partial sum of what is right in the end.
        last = self.recognized.last_of(one)
        adds = statements.adds_to(one.function, one.line, one.name)
        return last is not one and (not np.any(one.values) or (bool(last.whole) and adds))

    def _is_given(self, one: Computed) -> bool:
        return any(same(one.values, grad) for grad in self.forward.upstream)

    def _origin(self, end: Computed, seen: set[int]) -> Computed:
        seen.add(id(end))
        place = next(i for i, one in enumerate(self.computed) if one is end)
        before = self.computed[:place]
        twin = next((one for one in before if self._is_handed_on(one, end) and _identical(one, end)), None)
        if twin is not None and id(twin) not in seen:
            return self._origin(twin, seen)
        inner = next((one for one in reversed(before) if self._is_changed_inside(one, end)), None)
        if inner is not None and id(inner) not in seen:
            return self._origin(inner, seen)
        used = statements.names(end.function, end.line, end.number, end.name)
        local = [one for one in before if one.function is end.function and _base(one) in used]
        passed = [one for one in before if one.is_argument_of(end.function) and one.variable in used]
        latest = {one.variable: one for one in (*passed, *local)}
        for one in latest.values():
            # In a loop, what a line hands on may depend on what it computed the last time.
            beside = one.function is end.function and one.line == end.line
            if id(one) in seen or (beside and (one.is_argument or not end.is_argument)):
                continue
            handed_over = _identical(one, end)
            meant = self.recognized.meant(one)
            right = meant is not None and (self.instead.is_that_of(one, meant) or one.words.startswith("part of"))
            computed = one.follows or (one.bare and not self.forward.is_value(one.values))
            if handed_over and end.is_returned and computed and not right:
                return self._origin(one, seen)
            if one in self.suspicious and not self._flows_into_right(one) and self.instead.matters(one, end):
                return self._origin(one, seen)
            if one not in self.suspicious and not (handed_over and right) and self.instead.would_mend(one, end):
                return one
            if (
                one.bare
                and not one.words
                and not self.forward.is_value(one.values)
                and not any(known.whole for known in self.forward.matches(one.values))
                and not self._is_multiple_that_serves(one)
                and not self._adds_up_right(one)
                and self.instead.some_would_mend(one, end)
            ):
                return self._origin(one, seen)
        return self._giver(end, used - set(latest), before, seen) or end

    def _is_handed_on(self, one: Computed, end: Computed) -> bool:
        # By a function that backward calls: what it computes need not depend on the upstream gradient.
        inside = one.function is not end.function and not one.whole and not one.words.startswith("part of")
        return one in self.suspicious or (inside and one.function not in self.forward.functions)

    def _is_changed_inside(self, one: Computed, end: Computed) -> bool:
        # The same array, under another name, by a function that the line calls.
        held = end.name.startswith("self.") and not statements.assigns(end.function, end.line, end.name)
        return held and one.function is not end.function and not one.is_argument and _identical(one, end)

    def _giver(self, end: Computed, used: set[str], before: list[Computed], seen: set[int]) -> Computed | None:
        """Return what another function handed over that is wrong, or that is a part of a gradient taken for the whole.

        ``used`` are the arguments among the names that the line reads.
        """
        given = [end.scope[name] for name in used if isinstance(end.scope.get(name), np.ndarray)]
        others = [one for one in reversed(before) if one.function is not end.function and any(map(one.is_in, given))]
        part = next((one for one in others if one.is_returned and one.words.startswith("part of")), None)
        here = [one for one in reversed(before) if one.caller == (end.function, end.line) and not _is_rearranged(one)]
        wrong = next((one for one in (*others, *here) if one in self.suspicious and id(one) not in seen), None)
        return part if part is not None or wrong is None else self._origin(wrong, seen)

    def _is_multiple_that_serves(self, one: Computed) -> bool:
        # Where another line makes a gradient of it, the factor is left out after it.
        multiples = self.forward.known.multiples_of(one.values)
        return any(known.whole for known in multiples) and self._flows_into_right(one)

    def _flows_into_right(self, one: Computed) -> bool:
        return any(
            other.whole
            and self._takes(other, one)
            and not (other.is_returned or other.is_argument)
            and other.follows
            and one.name in statements.names(other.function, other.line, target=other.name)
            and other.line > one.line
            for other in self.computed
            if other.function is one.function
        )

    def _adds_up_right(self, one: Computed) -> bool:
        """Return whether what a line makes of an array ends as the gradient that it is meant to be."""
        users = [other for other in self.computed if other.function is one.function and self._reads(other, one)]
        ends = [(self.recognized.last_of(other), self.recognized.meant(other)) for other in users]
        return any(node is not None and self.instead.is_that_of(last, node) for last, node in ends)

    def _reads(self, other: Computed, one: Computed) -> bool:
        return one.name in statements.names(other.function, other.line, target=other.name)

    def _takes(self, later: Computed, one: Computed) -> bool:
        # In a loop, a name means another array each time, and the loop takes the items it runs over one by one.
        if statements.is_loop(later.function, later.line):
            return _identical(one, later)
        place = next(i for i, other in enumerate(self.computed) if other is later)
        earlier = reversed(self.computed[:place])
        return next((o for o in earlier if o.name == one.name and o.function is one.function), None) is one


def _identical(one: Computed, other: Computed) -> bool:
    return one.is_in(other.values)


def _is_rearranged(one: Computed) -> bool:
    """Return whether a line or a helper only moved the numbers of an array that it had to other places."""
    held = [values for values in one.scope.values() if isinstance(values, np.ndarray) and values is not one.values]
    own = np.sort(one.values, axis=None)
    others = [v for v in held if v.size == own.size and not one.is_in(v)]
    return any(np.array_equal(own, np.sort(values, axis=None)) for values in others)


def _base(one: Computed) -> str:
    return one.name.partition("[")[0]
