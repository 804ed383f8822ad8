"""Processes that work together: if one dies, all end, and it is said which one and why; if their parent dies, too."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess


def run(work: Callable, processes: int, args: tuple, on_message: Callable[[object], None]) -> object:
    """Call ``work(rank, processes, send, *args)`` in new processes; return what rank 0 returned.

    Raises
    ------
    RuntimeError
        If a process raised an error, or was killed.
    """
    context = multiprocessing.get_context("spawn")
    started: list[tuple[BaseProcess, Connection]] = []
    try:
        with _deaf_to_interrupts():  # Ctrl-C reaches every process of a terminal; the parent alone answers it
            for rank in range(processes):
                receiving, sending = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(work, rank, processes, sending, args), daemon=True)
                process.start()
                sending.close()  # the child holds the only one, so that its death closes the pipe
                started.append((process, receiving))
        return _watch(started, on_message)
    finally:
        for process, receiving in started:
            process.kill()
            process.join()
            receiving.close()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started here ignore Ctrl-C, as only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _watch(started: list[tuple[BaseProcess, Connection]], on_message: Callable[[object], None]) -> object:
    """Read what the processes send until all are done; return the result of the first."""
    ranks = {receiving: rank for rank, (_, receiving) in enumerate(started)}
    results, errors, deaths = {}, {}, {}
    while ranks:
        # After the first failure others follow, because they wait for the one that failed: a second to hear them all.
        ready = wait(ranks, 1 if errors or deaths else None)
        if not ready:
            break
        for receiving in ready:
            rank = ranks[receiving]
            try:
                kind, content = receiving.recv()
            except (EOFError, ConnectionError):
                kind, content = "death", _how_it_ended(started[rank][0])
            if kind == "message":
                on_message(content)
            else:
                {"result": results, "error": errors, "death": deaths}[kind][rank] = content
                del ranks[receiving]
    if deaths or errors:
        # The first error is the cause, and a death is the cause of any error: those that lost a companion complain.
        rank = min(deaths or errors, key=errors.get if not deaths else None)
        cause = deaths[rank] if deaths else errors[rank][1]
        raise RuntimeError(f"process {rank} of {len(started)} {cause}; the others were ended")
    return results[0]


def _how_it_ended(process: BaseProcess) -> str:
    process.join()
    if process.exitcode < 0:
        return f"was killed by {signal.Signals(-process.exitcode).name}"
    return f"ended with status {process.exitcode}"


def _work(work: Callable, rank: int, processes: int, sending: Connection, args: tuple) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    send = (lambda message: sending.send(("message", message))) if rank == 0 else (lambda message: None)
    try:
        result = work(rank, processes, send, *args)
    except Exception as error:
        sending.send(("error", (time.monotonic(), f"failed: {type(error).__name__}: {error}")))
    else:
        sending.send(("result", result if rank == 0 else None))


def _end_with_the_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
