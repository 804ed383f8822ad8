"""What is found out about a layer: its parameters, its inputs with a gradient, its state, its constants."""

from dataclasses import dataclass, field

from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.views import View


@dataclass
class Learned:
    """A parameter of the learner's: where it lies, how PyTorch would have it, and where its gradient comes from."""

    place: Place
    shape: tuple[int, ...]
    view: View
    gradient: Source | None = None
    name: str = ""
    moves: bool = True
    integer: bool = False
    prefix: str = ""

    @property
    def own_name(self) -> str:
        """Its place's name, without the ``.data`` of an object around it; behind the prefix if another has the name."""
        return self.prefix + self.place.name.removesuffix(".data").removesuffix(".value")


@dataclass
class Reading:
    """What was found out about a layer, in the order in which it is reported.

    Attributes
    ----------
    learned : list of Learned
        The parameters.
    inputs : dict of int to Source
        Where the gradient of each input is, of those that have one.
    unseen : list of (Place, shape)
        What the output depends on, and what has no gradient.
    state : list of (Place, shape)
        What forward writes.
    constants : list of (Place, shape)
        What the output depends on, and what should have no gradient.
    beside : list of (name, shape)
        What forward returns beside its outputs, and what is not compared.
    adaptive : dict of Place to Place
        The parameters whose step tells no gradient, each with the optimizer that takes it.
    unused : list of (Place, shape)
        What has a weight's name, and what forward does not use.
    flush : str
        The method that empties the lists that grow with each forward.
    outside : list of str
        The files that forward reads.
    strays : list of str
        What backward returns, and what is the gradient of nothing that was found.
    """

    learned: list[Learned] = field(default_factory=list)
    inputs: dict[int, Source] = field(default_factory=dict)
    unseen: list[tuple[Place, tuple]] = field(default_factory=list)
    state: list[tuple[Place, tuple]] = field(default_factory=list)
    constants: list[tuple[Place, tuple]] = field(default_factory=list)
    beside: list[tuple[str, tuple]] = field(default_factory=list)
    adaptive: dict[Place, Place] = field(default_factory=dict)
    unused: list[tuple[Place, tuple]] = field(default_factory=list)
    flush: str = ""
    outside: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
