"""How a call of ours was made up, for the report on what it raised: what each argument got, and an adapter."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity_tests.diagnosis.reading import adapters

if TYPE_CHECKING:
    from parity_tests.diagnosis.reading.plans import Plan


def told(plan: "Plan") -> str:
    """Return how forward or backward was called last, in words, and an adapter in case backward is meant otherwise."""
    found, file = plan.found, plan.options.file
    if not plan.given:
        said = ", ".join(f"{name} = {_shaped('an array', value)}" for name, value in plan.filled.items())
        return f"\n\nread as:\n  {found.forward_name}({said})" if said else ""
    said = ", ".join(f"{name} = {_words(plan, value)}" for name, value in plan.given.items())
    adapter = adapters.of_object(found.owner, file)
    if found.owner is None:
        adapter = adapters.of_functions(found.forward, found.backward, file, [])
    return (
        f"\n\nread as:\n  {found.backward_name}({said})\n\n"
        f"If it is meant otherwise, an adapter to fill in, as {Path(file or 'my.py').stem}_adapter.py:\n\n{adapter}"
    )


def _words(plan: "Plan", value: object) -> str:
    names = plan.input_names(len(plan.inputs))
    known = list(zip(plan.inputs, names, strict=False))
    known += [(one, "the upstream gradient") for one in plan.passed]
    if plan.made is not None:
        known += [(one, f"{plan.made.name(i)} of {plan.found.forward_name}") for i, one in enumerate(plan.made.values)]
    for one, name in known:
        if value is one or (isinstance(value, float) and np.ndim(one) == 0 and value == one):
            return _shaped(name, value)
    return _shaped("an array", value)


def _shaped(name: str, value: object) -> str:
    if isinstance(value, np.ndarray | float):
        return f"{name} {np.shape(value)}"
    return repr(value) if isinstance(value, int | str) else f"a {type(value).__name__}"
