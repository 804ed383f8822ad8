"""Processes for tests, forked from one that has imported everything, which saves seconds for each.

They are processes like any other: a SIGKILL leaves them no time for anything.
"""

import multiprocessing
import os
from multiprocessing.context import BaseContext

METHOD = "forkserver"
IMPORTS = (
    *("parity_tests.tests.runs.test_kills", "parity_tests.tests.runs.test_distributed"),
    *("torch._dynamo", "torch.optim", "torch.nn.parallel.distributed", "sklearn.datasets", "sklearn.model_selection"),
    *("benchmarks.figures", "benchmarks.commands.tables", "benchmarks.runs.processes"),
)


def context() -> BaseContext:
    """Return what starts them, with the forking process under way, which keeps the environment of now."""
    forking = multiprocessing.get_context(METHOD)
    forking.set_forkserver_preload(list(IMPORTS))
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(threads, "1"))
    first = forking.Process(target=os.getpid)
    first.start()
    first.join()
    for name, value in threads.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    return forking
