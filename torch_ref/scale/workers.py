"""Processes that work together: all end if one dies, with an error that says which and why, or if their parent dies."""

import contextlib
import multiprocessing
import multiprocessing.resource_tracker
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

START: Final = "spawn"  # not "fork": a forked process inherits threads and devices in whatever state they are in


def run(
    work: Callable, processes: int, args: tuple, on_message: Callable[[object], Any], folder: str | None = None
) -> object:
    """Call ``work(rank, processes, send, *args)`` in new processes; return what rank 0 returned.

    ``send(message)`` in rank 0 returns what ``on_message(message)`` returns here; in the others it does nothing.
    ``folder`` is one that belongs to them: if this process is killed, they remove it on their way out.

    Raises
    ------
    RuntimeError
        If a process raised an error, or was killed.
    """
    context = multiprocessing.get_context(START)
    started: list[tuple[BaseProcess, Connection]] = []
    try:
        with _deaf_to_interrupts():
            for rank in range(processes):
                here, there = context.Pipe()
                process = context.Process(target=_work, args=(work, rank, processes, there, args, folder), daemon=True)
                process.start()
                there.close()  # the child holds the only copy, so that its death closes the pipe
                started.append((process, here))
        return _watch(started, on_message)
    finally:
        for one, connection in started:
            one.kill()
            one.join()
            connection.close()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started here never see Ctrl-C or SIGTERM, which may be sent to all: the parent handles it.

    The signals are blocked, not ignored, so that one that arrives in the meantime is not lost to the parent.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # starting it later would unblock the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(started: list[tuple[BaseProcess, Connection]], on_message: Callable[[object], Any]) -> object:
    """Read what the processes send until all are done; return the result of the first."""
    ranks: dict[Any, int] = {connection: rank for rank, (_, connection) in enumerate(started)}
    results: dict[int, Any] = {}
    errors: dict[int, Any] = {}
    deaths: dict[int, str] = {}
    while ranks:
        # After the first failure others follow, because they wait for the one that failed: allow a second to hear them
        # all.
        ready: list[Any] = wait(ranks, 1 if errors or deaths else None)
        if not ready:
            break
        for connection in ready:
            rank = ranks[connection]
            try:
                kind, content = connection.recv()
            except (EOFError, ConnectionError):
                kind, content = "death", _how_it_ended(started[rank][0])
            if kind == "message":
                answer = on_message(content)
                with contextlib.suppress(ConnectionError):  # a death, which is read next
                    connection.send(answer)
            else:
                {"result": results, "error": errors, "death": deaths}[kind][rank] = content
                del ranks[connection]
    if deaths or errors:
        # The first error is the cause, unless a process died: then the errors come from those that lost it.
        rank = min(deaths) if deaths else min(errors, key=errors.__getitem__)
        cause = deaths[rank] if deaths else errors[rank][1]
        raise RuntimeError(f"process {rank} of {len(started)} {cause}; the others were ended")
    return results[0]


def _how_it_ended(process: BaseProcess) -> str:
    process.join()
    if process.exitcode is not None and process.exitcode < 0:
        return f"was killed by {signal.Signals(-process.exitcode).name}"
    return f"ended with status {process.exitcode}"


def _work(work: Callable, rank: int, processes: int, connection: Connection, args: tuple, folder: str | None) -> None:
    threading.Thread(target=_end_with_the_parent, args=(folder,), daemon=True).start()

    def send(message: object) -> object:
        if rank == 0:
            connection.send(("message", message))
            return connection.recv()
        return None

    try:
        result = work(rank, processes, send, *args)
    except Exception as error:
        connection.send(("error", (time.monotonic(), f"failed: {type(error).__name__}: {error}")))
    else:
        connection.send(("result", result if rank == 0 else None))
    sys.stdout.flush()
    os._exit(0)  # without tearing down what a library's threads may still use


def _end_with_the_parent(folder: str | None) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
