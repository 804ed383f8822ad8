"""The path to an array in a learner's object, and how the code writes it."""

import re
from dataclasses import dataclass

from parity_tests.diagnosis.reading.holders import Step


@dataclass(frozen=True)
class Place:
    """A path from one of the roots, in the steps of `parity_tests.diagnosis.reading.holders`."""

    root: int
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The keys joined with dots: "layers.0.W"; of ``self.__W`` "Linear__W", as a base class may have another."""
        return ".".join(str(key).lstrip("_" * (kind == "private")) for kind, key in self.steps)

    @property
    def last(self) -> str:
        """The last key that is a name: "W" of ``params["W"]``, of ``W.data`` and of ``self.__W``."""
        named = [step for step in self.steps if isinstance(step[1], str)]
        names = [_plain(step).removeprefix("__" * (step[0] == "private")) for step in named]
        if len(names) > 1 and names[-1] in ("data", "value", "val", "values", "array", "grad", "gradient", "g"):
            return names[-2]
        return names[-1] if names else ""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Its last name, alone and behind the one before: "mean" and "running_mean" of ``self.running["mean"]``."""
        named = [_plain(step) for step in self.steps if isinstance(step[1], str)]
        return self.last, "_".join(named[-2:])

    @property
    def private_to(self) -> str:
        """The class whose private attribute it is: "_Linear" of ``self.__W``."""
        kind, key = self.steps[-1]
        return str(key).removesuffix(_plain(self.steps[-1])) if kind == "private" else ""

    def words(self, prefix: str = "self") -> str:
        """Return it as the code writes it: ``self.layers[0].params["W"]``."""
        said = prefix
        for kind, key in self.steps:
            if kind in ("attr", "private"):
                plain = _plain((kind, key))
                said += f".{plain}" if said else plain
            elif kind == "cell":
                said += f".{key}" if said else str(key)
            else:
                said += f"[{key!r}]".replace("'", '"')
        return said


def _plain(step: Step) -> str:
    # ``_Linear__W`` is what Python makes of ``__W`` in a class.
    kind, key = step
    return re.sub(r"^_.*?[^_](?=__)", "", key) if kind == "private" else str(key)
