"""Hold mutants against tests, a forked process each."""

import gc
import inspect
import json
import math
import os
import resource
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from parity_tests.mutation_testing.equivalents import why_equivalent
from parity_tests.mutation_testing.mutants import mutants

MEMORY = 16 << 30  # a mutant that asks for more is stopped


class _Replaced(MetaPathFinder):
    """An importer of one module from a given text."""

    def __init__(self, path: str, text: str) -> None:
        self.name, self.path, self.text = _module_name(path), str(Path(path).resolve()), text

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Find the module."""
        return spec_from_loader(fullname, self, origin=self.path) if fullname == self.name else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Take the usual kind of module."""

    def exec_module(self, module: object) -> None:
        """Run the text."""
        module.__file__ = self.path
        exec(compile(self.text, self.path, "exec"), module.__dict__)


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _functions(module: ModuleType) -> dict[str, FunctionType]:
    """Return a module's own functions and methods by their qualified names, without their decorators."""
    found = {}
    classes = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    for owner in (module, *[value for value in classes if isinstance(value, type)]):
        for value in vars(owner).values():
            function = getattr(value, "fget", None) or inspect.unwrap(getattr(value, "__func__", value))
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                found[function.__qualname__] = function
    return found


def _swap(path: str, text: str) -> bool:
    """Give the imported module's functions the code of the changed text; return whether that can be done."""
    name = _module_name(path)
    changed = ModuleType(name)
    exec(compile(text, "<mutant>", "exec"), changed.__dict__)
    ours, others = _functions(sys.modules[name]), _functions(changed)
    if any(others[key].__code__.co_freevars != ours[key].__code__.co_freevars for key in others):
        return False
    for key, function in others.items():
        if function.__code__.co_filename == "<mutant>":
            ours[key].__code__ = function.__code__
            ours[key].__defaults__, ours[key].__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return True


class _ShortestFirst:
    """Measure how long each test takes, and from the second session on begin with the shortest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


_SHORTEST_FIRST = _ShortestFirst()


def _test(path: str, tests: list[str]) -> int:
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutation", "--tb=no", "--no-header"]
    options += ["-o", "addopts=--doctest-modules"]  # in this process, where the mutant is, and not in workers
    return int(pytest.main([*options, *tests, path], plugins=[_SHORTEST_FIRST]))


def _child(path: str, text: str, tests: list[str], fresh: bool, seconds: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    if not fresh:
        return _test(path, tests) if _swap(path, text) else 0
    for name in [name for name in sys.modules if name.split(".")[0] in ("scratch", "parity_tests", "benchmarks")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Replaced(path, text))
    return _test(path, tests)


def start(path: str, text: str, tests: list[str], fresh: bool, seconds: int) -> int:
    """Run the tests on a changed file in a process of its own, for so long at most; return the process's number."""
    child = os.fork()
    if child == 0:
        try:
            status = _child(path, text, tests, fresh, seconds)
        except BaseException:  # the mutant broke the import
            status = 1
        os._exit(status)
    return child


def run(path: str, tests: list[str], jobs: int) -> dict:
    """Run every mutant of a file; return how many were killed, and the survivors."""
    begun = time.monotonic()
    status = _test(path, tests)
    if status != 0:
        raise SystemExit(f"{path}: the tests fail before anything is changed (status {status})")
    # Of the processor's time, not the clock's: a machine that is busy kills no mutants.
    seconds = math.ceil(10 + 4 * time.process_time())
    gc.collect()
    gc.disable()
    gc.freeze()
    waiting, running, survivors, late = [(mutant, False) for mutant in mutants(path)], {}, [], 0
    total = len(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, fresh = waiting.pop(0)
            running[start(path, mutant.text, tests, fresh, seconds)] = mutant, fresh
        child, status = os.wait()
        mutant, fresh = running.pop(child)
        late += os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        if status == 0 and fresh:
            survivors.append(mutant)
        elif status == 0:  # what the tests made when they were imported was made by the original: once more
            waiting.append((mutant, True))
    listed = [mutant for mutant in survivors if why_equivalent(path, mutant.before, mutant.after)]
    return {
        "file": path,
        "mutants": total,
        "killed": total - len(survivors),
        "out of time": late,
        "equivalent": len(listed),
        "seconds": round(time.monotonic() - begun, 1),
        "survivors": [mutant._asdict() | {"text": ""} for mutant in survivors if mutant not in listed],
    }


def run_apart(path: str, tests: list[str], jobs: int) -> dict:
    """Do the same in a process of its own, whose output goes nowhere."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        try:
            answer = json.dumps(run(path, tests, jobs))
        except BaseException as error:
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        with os.fdopen(writing, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        result = json.loads(pipe.read())
    os.waitpid(child, 0)
    if "error" in result:
        raise SystemExit(result["error"])
    return result
