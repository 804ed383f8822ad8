"""log(1 + e) for e from 0 to 1, without cancellation; NumPy's log1p works element by element.

It is e N(e) / D(e), of degrees 3 and 3 for float32 (to within 1e-9, relative) and 6 and 6 for float64 (6e-18).
LogSigmoid and Softplus need no other e, since log(1 + exp(x)) = max(0, x) + log(1 + exp(-|x|)).
"""

import numpy as np

from scratch.kernels.quotient import Quotient

_ratio = Quotient(
    float32=(
        (0.99999999902232295, 1.0660879237350544, 0.23808442898364782, 0.0034152130750997760),
        (1.0, 1.5660877905327358, 0.68779795114394420, 0.075259391370779128),
    ),
    float64=(
        (
            0.99999999999999999,
            2.4524153921843369,
            2.1706533637834526,
            0.83936836192415989,
            0.13522472655590263,
            0.0068278070858273701,
            2.2920453432218508e-5,
        ),
        (
            1.0,
            2.9524153921843340,
            3.3135277265425157,
            1.7619937611269545,
            0.44981621309740732,
            0.048970178687034586,
            0.0015742634563727305,
        ),
    ),
)


def log1p_and_sigmoid(x: np.ndarray, log: np.ndarray, sigmoid: np.ndarray) -> None:
    """Write log(1 + exp(-|x|)) and the sigmoid of ``x``, of an array with one axis."""
    e = np.abs(x, out=sigmoid)
    np.negative(e, out=e)
    np.exp(e, out=e)
    _ratio(e, log)
    log *= e
    # The sigmoid is 1 / (1 + e) to the right of 0, and e / (1 + e) to the left.
    above = np.maximum(e, np.greater_equal(x, 0.0))
    e += 1.0
    np.divide(above, e, out=sigmoid)
