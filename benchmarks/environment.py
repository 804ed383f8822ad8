"""What a result was computed on: the versions of the packages, the processor, the threads."""

import contextlib
import functools
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
PACKAGES = ("backprop-reference", "numpy", "torch", "torchvision", "scikit-learn", "matplotlib", "safetensors")


@functools.cache
def version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that a result depends on."""
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
    """Return the processor's name, as far as the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def caches() -> dict[str, int]:
    """Return the bytes of the caches that a core has or shares, by name: "L1 data", "L2"; empty unless on Linux."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            name = f"L{int(level)}" + ("" if kind == "Unified" else f" {kind.lower()}")
            found[name] = int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20}[size[-1]]
    return found


def load() -> float | None:
    """Return the load average of the last minute, this process included; None on Windows."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


@contextlib.contextmanager
def processes_with_threads(count: int) -> Iterator[None]:
    """Make processes that are started inside the ``with`` block begin with ``count`` threads, whatever their BLAS.

    Not every BLAS can change its number of threads while it runs.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
