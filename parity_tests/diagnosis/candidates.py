"""Which of several losses is meant: the one under which most is right."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.assumed_losses import ORDERS, Loss
from parity_tests.diagnosis.trained import Trained
from parity_tests.harness.report import Quantity

NEAR = 1e-4
"""What a number that guards a logarithm changes at most, as a share."""


@dataclass
class Candidate:
    """A loss, what is right under it and of how many, and what is compared with it.

    ``nearly``: how much is right but for a small number, such as one that guards a logarithm.
    """

    loss: Loss
    right: list[str]
    count: int
    thing: object
    nearly: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything is right under it."""
        return len(self.right) == self.count > 0


def is_nearly_right(quantity: Quantity) -> bool:
    """Return whether a result differs from the expected one by little."""
    got, expected = quantity.got, quantity.expected
    if got.shape != expected.shape or not np.any(expected):
        return False
    return bool(np.abs(got - expected).max() <= NEAR * np.abs(expected).max())


def of_steps(losses: Iterable[Loss], trained: Callable[[Loss], Trained | None]) -> list[Candidate]:
    """Return the losses up to the first under which a step is right, with the network that is trained by each."""
    found: list[Candidate] = []
    for loss in losses:
        one = trained(loss)
        if one is None:
            continue
        right = one.agreeing() if loss.assumed else list(one.parameters)
        names = [one.world.words(place) for place in right]
        found.append(Candidate(loss, names, len(one.parameters), one))
        if found[-1].complete:
            break
    return found


def best(candidates: list[Candidate], what: str) -> tuple[Candidate, list[str]]:
    """Return the loss under which most is right, and what to say of it and of the others."""
    found = max(candidates, key=lambda one: (len(one.right), one.nearly))
    if not found.loss.assumed:
        return found, [found.loss.words] if found.loss.words else []
    if found.complete:
        return found, [f"{_assumed(found.loss)}; under it all is right"]
    if not found.right and found.nearly:
        return found, [f"{_assumed(found.loss)}; under it {found.nearly} of {found.count} are right, or nearly"]
    if not found.right:
        found = next((one for one in candidates if one.loss.fallback), found)
        said = f"nothing is right, neither under it nor under another of {found.loss.among}"
        return found, [f"{_assumed(found.loss)}; {said}"]
    distinct: dict[tuple, Candidate] = {tuple(one.right): one for one in reversed(candidates) if one.right}
    others = [one for one in distinct.values() if one.right != found.right]
    parts = [f"under {one.loss.words}, {what} {' and '.join(one.right)}".replace("  ", " ") for one in others]
    said = _assumed(found.loss) + f"; under it {what} {' and '.join(found.right)}".replace("  ", " ") + " is right"
    return found, [said + "".join(f"; {part}" for part in parts)]


def _assumed(loss: Loss) -> str:
    unsaid = "no name says what the loss is given" if loss.among == ORDERS else "the loss is not in the file"
    return f"{unsaid}: assumed to be {loss.words}"
