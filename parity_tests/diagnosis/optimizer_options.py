"""An optimizer's options, under the names that people give them."""

import inspect
from collections.abc import Callable

OPTIONS = {
    "lr": ("lr", "learning_rate", "eta", "alpha", "current_learning_rate", "step_size", "l_rate", "learning_rate_init"),
    "beta1": ("beta1", "beta_1", "b1", "beta1_"),
    "beta2": ("beta2", "beta_2", "b2"),
    "eps": ("eps", "epsilon", "e"),
    "momentum": ("momentum", "mu", "beta", "gamma"),
    "alpha": ("rho", "decay_rate", "decay", "alpha_", "gamma", "beta"),
    "weight_decay": ("weight_decay", "wd", "l2"),
    "nesterov": ("nesterov",),
}


def is_option(name: str) -> bool:
    """Return whether an argument of a constructor is called as an option."""
    return name == "betas" or any(name in names for names in OPTIONS.values())


def renamed(cls: Callable, named: dict) -> dict:
    """Return PyTorch's options under the names that ``cls`` takes."""
    accepted = list(inspect.signature(cls).parameters)
    found = {}
    for key, value in named.items():
        if key == "betas":
            for one, name in zip(value, ("beta1", "beta2"), strict=True):
                found[next((p for p in accepted if p in OPTIONS[name]), name)] = one
        else:
            found[next((p for p in accepted if p in OPTIONS.get(key, (key,))), key)] = value
    return found


def options_of(optimizer: object) -> dict:
    """Return the options that an optimizer holds, under PyTorch's names."""
    held = {**getattr(optimizer, "__dict__", {}), **getattr(optimizer, "defaults", {})}
    found = {}
    for option, names in OPTIONS.items():
        for name in names:
            if isinstance(held.get(name), float | int | bool):
                found[option] = held[name]
                break
    if isinstance(held.get("betas"), tuple):
        found["beta1"], found["beta2"] = held["betas"]
    return found
