"""Run the tests on mutants, each in a forked process.

All tests are imported and collected once. Each is then run once on the unchanged engine, which tells how long it takes
and which functions it calls. On a mutant, the tests that call the changed function are run, first those that are short
and have killed before. A mutant that survives, though its function was called when the tests were imported (some make
their layers then), is tried once more with the engine and the tests imported afresh. So are changed defaults, which a
test may read without calling the function.
"""

import gc
import itertools
import json
import math
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest
import torch  # noqa: F401 - before anything is traced, which would take long

from parity_tests.mutation_testing.changed_code import forget, import_afresh, swap
from parity_tests.mutation_testing.equivalents import why_equivalent
from parity_tests.mutation_testing.files import OF_SPEED
from parity_tests.mutation_testing.mutants import Mutant, mutants
from parity_tests.mutation_testing.sample import draw

MEMORY = 16 << 30  # a mutant that asks for more is stopped
SURVIVED, KILLED, UNDECIDED = range(3)  # how a process ends
OPTIONS = [
    "-q",
    "-s",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:terminalreporter",
    "--hypothesis-profile=mutation",
    "--tb=no",
]
OPTIONS += [f"--deselect=parity_tests/tests/{test}" for test in OF_SPEED]
OPTIONS += ["-o", "addopts=--doctest-modules"]  # in this process, where the mutant is, and not in workers


Function = tuple[str, str]  # its file, and its qualified name there


class _Measured(NamedTuple):
    """What a test's run on the unchanged engine tells: its processor time, and the functions that it calls."""

    seconds: float
    called: set[Function]


class _Tracer:
    """Note which functions of some files are called."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.called: set[Function] = set()
        self._paths = {str(Path(path).resolve()): path for path in paths}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if path := self._paths.get(frame.f_code.co_filename):
            self.called.add((path, frame.f_code.co_qualname.split(".<locals>")[0]))

    def __enter__(self) -> None:
        threading.settrace(self)
        sys.settrace(self)

    def __exit__(self, *raised: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


class _Order:
    """Begin with the tests that are short and have killed before."""

    def __init__(self) -> None:
        self.measured: dict[str, _Measured] = {}
        self.kills: Counter[str] = Counter()

    def cost(self, item: pytest.Item) -> float:
        """Return the seconds that a kill by this test is expected to take, up to a factor."""
        known = self.measured.get(item.nodeid)
        return (known.seconds if known else 0.0) / (self.kills[item.nodeid] + 0.1)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the tests in order, when they are collected afresh."""
        items.sort(key=self.cost)


class _Process:
    """A forked process, and the pipe through which it reports what it found."""

    def __init__(self, work: Callable[[], tuple[int, str]]) -> None:
        reading, writing = os.pipe()
        self.number = os.fork()
        if self.number == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            status, told = KILLED, ""
            with suppress(BaseException):  # the mutant broke the import
                status, told = work()
            with suppress(BaseException), os.fdopen(writing, "w") as pipe:
                pipe.write(told)
            os._exit(status)
        os.close(writing)
        self._pipe = os.fdopen(reading)

    def told(self) -> str:
        """Return what it said, once it has ended."""
        with self._pipe:
            return self._pipe.read()


class Run:
    """A pytest plugin that runs the tests on mutants instead of running them as usual.

    Parameters
    ----------
    tests : dict of str to list of str
        The files to mutate, and the tests of each.
    jobs : int
        Processes at once.
    report : callable
        Called with the result of each file.
    count, seed : int
        How many mutants of a file are drawn, and the draw; None for all mutants.
    """

    def __init__(
        self, tests: dict[str, list[str]], jobs: int, report: Callable[[dict], None], count: int | None, seed: int
    ) -> None:
        self.tests, self.jobs, self.report, self.count, self.seed = tests, jobs, report, count, seed
        self.order = _Order()
        self.tracer = _Tracer(tests)
        self.imported: set[Function] = set()
        self.fault = ""

    def start(self) -> None:
        """Collect the tests, and run."""
        listed = list(dict.fromkeys(test for path, tests in self.tests.items() for test in (*tests, path)))
        forget()  # so that the tracer sees what is called when they are imported
        with self.tracer:
            status = pytest.main([*OPTIONS, *listed], plugins=[self])
        if self.fault:
            raise SystemExit(self.fault)
        if status in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
            raise SystemExit(int(status))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that the tests cannot be collected."""
        if report.failed:
            self.fault = f"{report.nodeid}: the tests cannot be collected\n{report.longreprtext}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the mutants instead of the tests."""
        self.tracer.__exit__()
        self.imported = set(self.tracer.called)
        gc.collect()
        gc.disable()
        gc.freeze()
        for path, tests in self.tests.items():
            items = [item for item in session.items if any(_is_of(item.nodeid, test) for test in (*tests, path))]
            if not self.fault:
                self._measure(session, items)
            if not self.fault:
                self.report(self._file(session, path, items))
        return True

    def _measure(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        # In a process of its own, so that nothing that a test leaves in a cache is there when a mutant runs.
        new = [item for item in items if item.nodeid not in self.order.measured]
        process = _Process(lambda: (0, json.dumps(dict(self._measurements(session, new)))))
        told = process.told()
        os.waitpid(process.number, 0)
        if not told:
            self.fault = "the run of the unchanged tests was cut short"
            return
        for test, (seconds, called, passed) in json.loads(told).items():
            self.order.measured[test] = _Measured(seconds, {(path, name) for path, name in called})
            if not passed:
                self.fault = f"{test} fails before anything is changed"

    def _measurements(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Iterator[tuple[str, tuple[float, list[Function], bool]]]:
        for item, following in _followed(items):
            self.tracer.called.clear()
            _clear_caches()
            failed, begun = session.testsfailed, time.process_time()
            with self.tracer:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            seconds = time.process_time() - begun
            yield item.nodeid, (seconds, sorted(self.tracer.called), session.testsfailed == failed)

    def _file(self, session: pytest.Session, path: str, items: list[pytest.Item]) -> dict:
        begun = time.monotonic()
        made = mutants(path)
        mattering = [mutant for mutant in made if not why_equivalent(path, mutant.before, mutant.after)]
        drawn = draw(path, mattering, self.count, self.seed)
        waiting: list[tuple[Mutant, bool]] = [(mutant, False) for mutant in drawn]
        running: dict[int, tuple[Mutant, bool, _Process]] = {}
        survivors, late = [], 0
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant, fresh = waiting.pop(0)
                process = _Process(lambda: self._mutant(session, path, mutant, items, fresh))  # noqa: B023 - called now
                running[process.number] = mutant, fresh, process
            number, status = os.wait()
            mutant, fresh, process = running.pop(number)
            if killer := process.told():
                self.order.kills[killer] += 1
            ended = os.waitstatus_to_exitcode(status)
            if ended == SURVIVED:
                survivors.append(mutant)
            elif ended == UNDECIDED:
                waiting.append((mutant, True))
            late += ended in (-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL)
        return {
            "file": path,
            "mutants": len(made),
            "equivalent": len(made) - len(mattering),
            "drawn": len(drawn),
            "killed": len(drawn) - len(survivors),
            "out of time": late,
            "seconds": round(time.monotonic() - begun, 1),
            "survivors": [mutant._asdict() | {"text": ""} for mutant in survivors],
        }

    def _mutant(
        self, session: pytest.Session, path: str, mutant: Mutant, items: list[pytest.Item], fresh: bool
    ) -> tuple[int, str]:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if fresh:
            return self._fresh(path, mutant, items), ""
        if not swap(path, mutant.text):
            return UNDECIDED, ""
        function = (path, mutant.function)
        chosen = [item for item in items if function in self.order.measured[item.nodeid].called]
        for item, following in _followed(sorted(chosen, key=self.order.cost)):
            # Processor time, not wall-clock time: a busy machine must not kill mutants.
            signal.setitimer(signal.ITIMER_PROF, 5 + 10 * self.order.measured[item.nodeid].seconds)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return KILLED, item.nodeid
        elsewhere = mutant.is_default or not mutant.function or function in self.imported
        return UNDECIDED if elsewhere else SURVIVED, ""

    def _fresh(self, path: str, mutant: Mutant, items: list[pytest.Item]) -> int:
        seconds = math.ceil(30 + 4 * sum(self.order.measured[item.nodeid].seconds for item in items))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        import_afresh(path, mutant.text)
        status = pytest.main([*OPTIONS, "-x", *self.tests[path], path], plugins=[self.order])
        return SURVIVED if status == pytest.ExitCode.OK else KILLED


def _is_of(test: str, listed: str) -> bool:
    return test == listed or test.startswith((f"{listed}::", f"{listed}["))


def _clear_caches() -> None:
    # A cached function is called by the first test alone.
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "scratch":
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _followed(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return itertools.zip_longest(items, items[1:])
