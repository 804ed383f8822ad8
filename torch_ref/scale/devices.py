"""Which device PyTorch computes on: CUDA if there is one, else Apple's MPS, else the CPU; and why.

What a device is called and what is there is asked here. Layers and the plain training loop take tensors on any device.
"""

import re
from typing import NamedTuple

import torch

PREFERRED = ("cuda", "mps")


class Choice(NamedTuple):
    """A device by PyTorch's name, and in words why it was chosen."""

    device: str
    reason: str


def choose(name: str = "auto", dtype: str = "float32") -> Choice:
    """Return the device to compute on.

    Parameters
    ----------
    name : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    dtype : str
        "float32" or "float64", which MPS does not have: "auto" passes it over, and asking for both is an error.

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        If there is no such name, or the device does not have the dtype.
    RuntimeError
        If this machine does not have the device.

    Examples
    --------
    >>> choose("cpu")
    Choice(device='cpu', reason='it was asked for')
    """
    if name == "auto":
        return _best(dtype)
    if re.fullmatch(r"cuda(:[0-9]+)?", name):
        found = count("cuda")
        if int(name.partition(":")[2] or 0) >= found:
            devices = f"{found} CUDA device{'s' if found > 1 else ''}" if found else "no CUDA devices"
            raise RuntimeError(f"{name}: PyTorch finds {devices} here; use cpu, or auto for what is available")
    elif name == "mps":
        if dtype == "float64":
            raise ValueError("mps: Apple's GPUs have no float64; use float32, or cpu")
        if not count("mps"):
            raise RuntimeError("mps: PyTorch finds no Apple GPU here; use cpu, or auto for what is available")
    elif name != "cpu":
        raise ValueError(f"{name}: no such device; choose from auto, cpu, cuda, cuda:N, mps")
    return Choice(name, "it was asked for")


def _best(dtype: str) -> Choice:
    kind = accelerator()
    if kind is None:
        return Choice("cpu", "PyTorch finds neither a CUDA device nor an Apple GPU here")
    if kind == "mps" and dtype == "float64":
        return Choice("cpu", "Apple's GPUs have no float64")
    return Choice(kind, f"PyTorch finds {describe(kind)} here")


def accelerator() -> str | None:
    """Return "cuda", "mps", or None where PyTorch can use neither now."""
    # If there is none, current_accelerator raises an error in some releases, and in others names what PyTorch was built
    # for.
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found is not None and found.type in PREFERRED else None


def count(kind: str) -> int:
    """Return how many devices of a kind PyTorch can use here; there is one CPU."""
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return int(torch.backends.mps.is_available()) if kind == "mps" else 1


def describe(device: str) -> str:
    """Return in words what a device is: the model of the card, where PyTorch tells it."""
    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else {"mps": "an Apple GPU", "cpu": "the CPU"}[kind]


def synchronize(device: str) -> None:
    """Wait until a device has finished all its work; without this a clock measures only how long it took to launch."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()
