"""A layer's outputs that have a gradient, and an upstream gradient for each of them."""

from typing import Any

import numpy as np


def with_gradient(returned: Any) -> list[np.ndarray]:
    """Return the floating-point arrays that a forward returned, in their order; indices have no gradient."""
    outputs = map(np.asarray, returned if isinstance(returned, tuple) else (returned,))
    return [output for output in outputs if output.dtype.kind == "f"]


def upstream_for(returned: Any, rng: np.random.Generator) -> list[np.ndarray | float]:
    """Return what to pass to backward after a forward: random numbers for each output, a float for a loss."""
    drawn = [rng.normal(size=output.shape).astype(output.dtype) for output in with_gradient(returned)]
    return [grad if grad.ndim else float(grad) for grad in drawn]
