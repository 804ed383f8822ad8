"""The machine that a result was measured on: its processor, the libraries, and the two rates that bound any layer."""

import os
import platform

import numpy as np

from benchmarks.environment import cores, processor


def describe(threads: int) -> dict[str, object]:
    """Return what a result has to be read with: processor, versions, the BLAS kernels that ran, threads."""
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
    return [
        f"{machine['processor']}, {machine['cores']} cores; {machine['threads']} threads for each contender",
        f"Python {machine['python']}; NumPy {machine['numpy']} on {kernels}{held}; "
        f"PyTorch {machine['torch']} ({machine['torch_simd']})",
    ]


def rates(dtype: str) -> dict[str, float]:
    """Measure what bounds a layer: NumPy's matrix product (operations a second) and copying memory (bytes a second)."""
    from torch.utils.benchmark import Timer

    a, b = (np.random.default_rng(0).random((1536, 1536)).astype(dtype) for _ in range(2))
    product = np.empty_like(a)
    matmul = Timer("np.matmul(a, b, out=c)", globals={"np": np, "a": a, "b": b, "c": product})
    matmul.timeit(3)
    source = np.ones(1 << 24, dtype)
    target = np.empty_like(source)
    copy = Timer("np.copyto(t, s)", globals={"np": np, "s": source, "t": target})
    copy.timeit(3)
    return {
        "operations": 2 * len(a) ** 3 / min(matmul.timeit(1).mean for _ in range(12)),
        "bytes": 2 * source.nbytes / min(copy.timeit(1).mean for _ in range(12)),
    }
