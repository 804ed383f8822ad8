"""Processes for tests, forked from one that has imported everything, which saves seconds for each.

They are ordinary processes: a SIGKILL leaves them no time to clean up.
"""

import multiprocessing
import os
from collections.abc import Iterable
from multiprocessing.context import BaseContext

METHOD = "forkserver"
FREEZE = "parity_tests.harness.freeze"


def context(modules: Iterable[str]) -> BaseContext:
    """Return the context that starts them, with its fork server already running in the current environment.

    Parameters
    ----------
    modules : iterable of str
        What the fork server imports; if another test of this process has started it already, it stays as it is.
    """
    forking = multiprocessing.get_context(METHOD)
    forking.set_forkserver_preload([*modules, FREEZE])
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(threads, "1"))
    first = forking.Process(target=os.getpid)
    first.start()
    first.join()
    for name, value in threads.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    return forking
