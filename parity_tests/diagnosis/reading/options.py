"""What the caller says about the code."""

from dataclasses import dataclass, field


@dataclass
class Options:
    """Forward's further arguments, the mode, which input is a target, and where the examples lie.

    ``columns``: our arrays have the examples in rows, like PyTorch's, and the learner's have them in columns.
    ``in_columns``: both have them in columns. ``classes``: how many there are, if not as many as the input's features.
    ``keeping``: flags of forward that have to be True for backward to run.
    """

    extras: dict[str, object] = field(default_factory=dict)
    training: bool = True
    target: int | None = None
    torch_order: bool = False
    columns: bool = False
    in_columns: bool = False
    classes: int = 0
    keeping: tuple[str, ...] = ()
    file: str = ""
