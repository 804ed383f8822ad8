"""Well-known programs, each written twice: by hand on `scratch`, and on PyTorch.

A file holds a program's model and its training step in both engines, from one seed, in float64. The constructors and
the forwards are the same, line by line; the ``backward`` methods do by hand what autograd does. `by_hand` and
`by_autograd` yield the loss of each step; ``parity_tests/tests/engine/test_ports.py`` checks that the two agree to
1e-12.
"""

from pathlib import Path

PORTS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
"""The names of the programs."""

STEPS = 20
"""How many steps each takes."""
