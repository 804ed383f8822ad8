"""Where a gradient is read."""

from dataclasses import dataclass

from parity_tests.diagnosis.reading.place import Place


@dataclass(frozen=True)
class Source:
    """Where a gradient is read: at a place, in what backward returned, or from the step that backward took.

    An array that is used in several parts may have a part of its gradient at each of several places: ``more``.
    What is called its gradient, too, and is not read is ``beside`` it.
    """

    place: Place | None = None
    more: tuple[Place, ...] = ()
    beside: tuple[Place, ...] = ()
    leaf: str | None = None
    step: bool = False
    rate: float = 1.0
    optimizer: Place | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place that the gradient is read from."""
        return () if self.place is None else (self.place, *self.more)

    def words(self, world: object, backward: str) -> str:
        """Return it in words."""
        if self.step:
            return f"gradient from the step that {backward} takes"
        if self.places:
            return f"gradient in {' + '.join(map(world.words, self.places))}"
        name = f"{self.leaf} of " if self.leaf else ""
        return f"gradient in {name}what {backward} returns"
