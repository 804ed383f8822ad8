"""The likely mistakes in optimizers: each as the rule that it leads to, with the sentence that names it."""

from collections.abc import Callable

import numpy as np

Rule = Callable[[np.ndarray, np.ndarray, dict, int, dict], np.ndarray]


def adam(**changed: object) -> Rule:
    """Return Adam's rule with parts of it changed."""

    def step(w: np.ndarray, g: np.ndarray, state: dict, t: int, options: dict) -> np.ndarray:
        lr, (b1, b2), eps = options.get("lr", 1e-3), options.get("betas", (0.9, 0.999)), options.get("eps", 1e-8)
        if changed.get("swapped"):
            b1, b2 = b2, b1
        decay = options.get("weight_decay", 0.0) * changed.get("decay", 1.0)
        g = g + decay * w * (not changed.get("decoupled"))
        m, v = state.get("m", 0 * w), state.get("v", 0 * w)
        m = b1 * m + (1.0 if changed.get("unweighted") else 1 - b1) * g
        v = b2 * v + (1 - b2) * (np.abs(g) if changed.get("unsquared") else g**2)
        t = t + changed.get("late", 0)
        power1, power2 = (b1, b2) if changed.get("no_power") else (b1**t, b2**t)
        up = changed.get("multiplied")
        c1, c2 = ((1 - power1), (1 - power2))
        m_hat, v_hat = (m * c1, v * c2) if up else (m / c1, v / c2)
        if changed.get("uncorrected"):
            m_hat, v_hat = m, v
        if changed.get("first_only"):
            v_hat = v
        if changed.get("second_only"):
            m_hat = m
        state["m"], state["v"] = (m_hat, v_hat) if changed.get("stored") else (m, v)
        root = np.sqrt(v_hat + eps) if changed.get("eps_inside") else np.sqrt(v_hat) + eps
        root = v_hat + eps if changed.get("no_root") else root
        if small := changed.get("eps_first"):
            root = (np.sqrt(v) + small) / np.sqrt(c2)
        moved = w - lr * m_hat / root * (-1 if changed.get("uphill") else 1)
        rate = 1.0 if changed.get("decay_alone") else lr
        return moved - rate * decay * w * bool(changed.get("decoupled"))

    return step


def sgd(**changed: object) -> Rule:
    """Return SGD's rule with parts of it changed."""

    def step(w: np.ndarray, g: np.ndarray, state: dict, t: int, options: dict) -> np.ndarray:
        lr, mu, decay = options.get("lr", 1e-3), options.get("momentum", 0.0), options.get("weight_decay", 0.0)
        g = g + decay * w * changed.get("decay", 1.0)
        before = state.get("b", 0 * w)
        b = mu * before + (1 - mu if changed.get("averaged") else 1.0) * g
        state["b"] = b
        direction = g + mu * b if changed.get("nesterov", options.get("nesterov")) else b
        if changed.get("forgotten"):
            direction = g
        return w - lr * direction * (-1 if changed.get("uphill") else 1)

    return step


def rmsprop(**changed: object) -> Rule:
    """Return RMSprop's rule with parts of it changed."""

    def step(w: np.ndarray, g: np.ndarray, state: dict, t: int, options: dict) -> np.ndarray:
        lr, rho, eps = options.get("lr", 1e-2), options.get("alpha", 0.99), options.get("eps", 1e-8)
        s = state.get("s", 0 * w)
        s = (1 - rho) * s + rho * g**2 if changed.get("reversed") else rho * s + (1 - rho) * g**2
        s = state.get("s", 0 * w) + g**2 if changed.get("summed") else s
        state["s"] = s
        root = np.sqrt(s + eps) if changed.get("eps_inside") else np.sqrt(s) + eps
        root = s + eps if changed.get("no_root") else root
        return w - lr * g / root * (-1 if changed.get("uphill") else 1)

    return step


EPS = (
    "eps is added under the root; PyTorch adds it to the root. Neither is wrong: with another eps both train alike, "
    "but the numbers are not PyTorch's"
)
EPS_FIRST = (
    "eps, {:g}, is added to the root of the uncorrected second moment; PyTorch adds it to that of the corrected one. "
    "Neither is wrong: the paper gives this form, too, as the faster one"
)
OTHER_OPTION = "this is plain {}: one of the options {} is not followed"


def _adam_variants(**kind: object) -> dict[str, Rule]:
    return {
        "the bias correction multiplies by 1 - beta^t; it has to divide": adam(multiplied=True, **kind),
        "the bias correction is by 1 - beta, the same at each step; it has to be 1 - beta^t": adam(
            no_power=True, **kind
        ),
        "the corrected moments are stored back; keep the uncorrected ones for the next step": adam(stored=True, **kind),
        "the bias correction is missing: the first steps are too short": adam(uncorrected=True, **kind),
        "the second moment is not corrected for its start at 0": adam(first_only=True, **kind),
        "the first moment is not corrected for its start at 0": adam(second_only=True, **kind),
        EPS: adam(eps_inside=True, **kind),
        EPS_FIRST.format(1e-8): adam(eps_first=1e-8, **kind),
        EPS_FIRST.format(1e-7): adam(eps_first=1e-7, **kind),
        "the step is divided by the second moment; take its root": adam(no_root=True, **kind),
        "the second moment averages the gradient's magnitude; it has to be its square": adam(unsquared=True, **kind),
        "beta1 and beta2 are swapped": adam(swapped=True, **kind),
        "the step count is one ahead: count the first step as t = 1": adam(late=1, **kind),
        "the first moment adds the gradient without the factor 1 - beta1": adam(unweighted=True, **kind),
        "the step goes uphill: the sign is flipped": adam(uphill=True, **kind),
        OTHER_OPTION.format("Adam", "amsgrad and maximize"): adam(**kind),
        "the weight decay is left out": adam(decay=0.0),
    }


VARIANTS: dict[str, dict[str, Rule]] = {
    "Adam": _adam_variants() | {"the weight decay is decoupled, as in AdamW": adam(decoupled=True)},
    "AdamW": _adam_variants(decoupled=True)
    | {
        "the weight decay goes into the gradient and its moments, as in Adam; AdamW subtracts it from the weights": (
            adam()
        ),
        "the weight decay is not multiplied by the learning rate": adam(decoupled=True, decay_alone=True),
    },
    "SGD": {
        "the momentum is left out": sgd(forgotten=True),
        "the momentum buffer averages, (1 - mu) g; PyTorch's adds g": sgd(averaged=True),
        "this is Nesterov's momentum": sgd(nesterov=True),
        "this is momentum without Nesterov's step ahead": sgd(nesterov=False),
        OTHER_OPTION.format("SGD", "dampening and maximize"): sgd(),
        "the weight decay is twice what it should be": sgd(decay=2.0),
        "the weight decay is left out": sgd(decay=0.0),
        "the step goes uphill: the sign is flipped": sgd(uphill=True),
    },
    "RMSprop": {
        EPS: rmsprop(eps_inside=True),
        "the weight of the new square is rho; it has to be 1 - rho": rmsprop(reversed=True),
        "the squares are summed, as in Adagrad; RMSprop averages them": rmsprop(summed=True),
        "the step is divided by the mean square; take its root": rmsprop(no_root=True),
        OTHER_OPTION.format("RMSprop", "centered, momentum, weight_decay and maximize"): rmsprop(),
        "the step goes uphill: the sign is flipped": rmsprop(uphill=True),
    },
}
