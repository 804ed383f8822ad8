"""What a result was computed on: the versions of the packages, the processor, the threads."""

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("backprop-reference", "numpy", "torch", "torchvision", "scikit-learn", "matplotlib", "safetensors")


def version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages whose results these are."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def machine() -> dict[str, object]:
    """Return the system, the processor, how many cores it has, and what the environment says about threads."""
    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": {key: value for key, value in os.environ.items() if key.endswith("_NUM_THREADS")},
    }


def processor() -> str:
    """Return the processor's name, as well as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
