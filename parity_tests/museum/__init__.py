"""A museum of wrong forwards and backwards: classic mistakes, kept on purpose, and which test catches each of them.

Each exhibit is the right class with one method overridden, a few lines long; its docstring says what was forgotten, and
then what the learner would see. Three witnesses examine it:

- torch: `parity_tests.harness.compare.check` against PyTorch, in float64 with a random upstream gradient;
- differences: the same against finite differences of the exhibit's own forward, which cannot see a wrong forward whose
  backward fits it;
- laws: `parity_tests.laws`, which need no reference.

They are compared with the check that many projects make do with: an upstream gradient of ones, one shape, default
options, ordinary numbers, float32, gradients within a hundredth of PyTorch's. ``backprop mistakes`` prints what each
finds.
"""

import importlib
import pkgutil

from parity_tests.museum.exhibit import EXHIBITS, WITNESSES, Exhibit

for _info in pkgutil.iter_modules(__path__):  # each topic's file hangs its exhibits
    importlib.import_module(f"{__name__}.{_info.name}")

__all__ = ["EXHIBITS", "WITNESSES", "Exhibit"]
