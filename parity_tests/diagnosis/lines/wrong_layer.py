"""A true gradient that is handed to the wrong layer: a container skips a layer, or mixes up two.

Within that layer each line is right for what it gets, and none computes a true gradient. So what a layer gets is
compared with the gradients of what its forward returned.
"""

from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.lines.backward import Computed
from parity_tests.diagnosis.lines.recognize import Recognized


def handed(recognized: Recognized, first: Computed) -> Computed | None:
    """Return the gradient that is handed to the layer in which the first wrong line lies, if it is another layer's."""
    layers, forward = recognized.backward.layers, recognized.forward
    layer = layers.of(first.scope.get("self"))
    if layer is None:
        return None
    for one in _handed_before(recognized.computed, first):
        own = [n for n in forward.layers.returned.get(layer, []) if n.data.shape == one.values.shape]
        from_outside = layers.of(one.taker) == layer != layers.of(one.scope.get("self"))
        if not own or not from_outside or not one.whole or forward.layers.computes(layer, one.node):
            continue
        if not any(forward.is_gradient(one.values, node) for node in own):
            return one
    return None


def words(one: Computed) -> str:
    """Return what is the matter with a gradient that is handed to the wrong layer."""
    layer = type(one.taker).__name__
    return (
        f"this is {one.words}, which is not what {layer}'s forward returned: a layer in between is left out, or two "
        "are mixed up"
    )


def _handed_before(computed: list[Computed], first: Computed) -> Iterator[Computed]:
    for one in computed:
        if one is first:
            return
        if one.is_argument and np.any(one.values):
            yield one
