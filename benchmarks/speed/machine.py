"""The machine that a result was measured on: its processor, the libraries, and the two rates that bound any layer."""

import os
import platform
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.environment import caches, cores, load, processor
from benchmarks.speed.timing import come_to_rest
from scratch.kernels import threads as scratch_threads


def describe(threads: list[int]) -> dict[str, object]:
    """Return what one needs to read a result: the machine, how busy it is, versions, the BLAS kernels, threads."""
    import torch
    from threadpoolctl import threadpool_info

    blas = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return {
        "processor": processor(),
        "cores": cores(),
        "caches": caches(),
        "load": load(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torch_simd": torch.backends.cpu.get_cpu_capability(),
        "numpy_blas": blas,
        "kernel_held": {key: os.environ[key] for key in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if key in os.environ},
        "threads": threads,
    }


def lines(machine: dict[str, object]) -> list[str]:
    """Return the machine in words."""
    kernels = ", ".join(
        f"{pool['internal_api']} {pool['version']} ({pool['architecture']})" for pool in machine["numpy_blas"]
    )
    held = "".join(f"; {key}={value} is set" for key, value in machine["kernel_held"].items())
    caches = "".join(f", {name} {_size(size)}" for name, size in machine["caches"].items() if "instruction" not in name)
    load = "" if machine["load"] is None else f"; load {machine['load']:.1f} before"
    threads = " and ".join(map(str, machine["threads"])) + (" thread" if machine["threads"] == [1] else " threads")
    return [
        f"{machine['processor']}, {machine['cores']} cores{caches}; {threads} for each contender{load}",
        f"Python {machine['python']}; NumPy {machine['numpy']} on {kernels}{held}; "
        f"PyTorch {machine['torch']} ({machine['torch_simd']})",
    ]


def _size(size: int) -> str:
    return f"{size / (1 << 20):.3g} MiB" if size >= 1 << 20 else f"{size / (1 << 10):.3g} KiB"


def rates(dtype: str, threads: int) -> dict[str, float]:
    """Measure what bounds a layer: the matrix product (operations a second) and copying memory (bytes a second)."""
    return {"operations": product_rate(dtype, threads), "bytes": copy_rate(1 << 26, threads)}


def product_rate(dtype: str, threads: int) -> float:
    """Measure the operations a second of NumPy's product of two large matrices; a multiply-add counts as two."""
    a, b = (np.random.default_rng(0).random((1536, 1536)).astype(dtype) for _ in range(2))
    product = np.empty_like(a)
    with _threads(threads):
        come_to_rest()
        seconds = min(timeit.repeat(lambda: np.matmul(a, b, out=product), number=1, repeat=15)[3:])
    return 2 * len(a) ** 3 / seconds


def copy_rate(size: int, threads: int) -> float:
    """Measure the bytes a second, read and written, of copying an array of ``size`` bytes.

    The array is split among the threads as the kernels do it, if it is large enough.
    """
    source = np.ones(max(size, 1), np.int8)
    target = np.empty_like(source)
    number = max(1, (1 << 24) // len(source))

    def copy() -> None:
        scratch_threads.each_part(lambda s, t: np.copyto(t, s), source, target)

    with _threads(threads):
        come_to_rest()
        seconds = min(timeit.repeat(copy, number=number, repeat=15)[3:]) / number
    return 2 * len(source) / seconds


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = scratch_threads.get_num_threads()
    scratch_threads.set_num_threads(count)
    try:
        yield
    finally:
        scratch_threads.set_num_threads(before)
