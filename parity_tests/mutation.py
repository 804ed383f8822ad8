"""Mutation testing: change the engine in small ways, one at a time, and ask whether its tests notice.

    python -m parity_tests.mutation                                    # every file; two jobs take about an hour
    python -m parity_tests.mutation scratch/nn/dropout.py --jobs 1     # one file
    python -m parity_tests.mutation --list scratch/nn/dropout.py       # its mutants, without running them

The mutants are those of mutmut (the extra ``mutation``): another operator, a number more, an argument None or left out,
a condition turned round, an assignment of None. mutmut's own runner leaves out every decorated function, which here
would be half of the forwards and backwards; so this one puts the mutants in front of pytest. It imports everything
once, and forks a process for each mutant, in which the functions get the changed code. What survives is tried once more
with the engine and the tests imported afresh, as some tests make their layers when they are imported. Each file is held
against its own part of the suite (`TESTS`), with few examples (the Hypothesis profile "mutation"): a mutant that only
the whole suite would catch counts as a survivor.

Not mutated, besides docstrings and type hints, since no numbers depend on them:

- what an exception or a warning says (``raise`` and ``warnings.warn``; the conditions before them are mutated), and the
  layer's name and argument's name, handed to the functions of `scratch.checks` and to ``pair`` to say it;
- where a result is kept: ``out=`` arguments and calls of `scratch.memory`, which has tests of its own.

Survivors that are no mistakes are in `parity_tests.mutation_equivalents`, each with the reason why no test could tell.
"""

import argparse
import difflib
import gc
import inspect
import json
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
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
import pytest
import torch  # noqa: F401 - imported here, once, and not by every mutant
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

from parity_tests.mutation_equivalents import EQUIVALENT

LAWS = "parity_tests/test_laws.py"
POOLING = ["parity_tests/test_pooling.py"]
CONV = ["parity_tests/test_patches.py", "parity_tests/test_conv.py"]
CLASSES = ["parity_tests/test_cross_entropy.py"]
OPTIM = [f"{LAWS}::test_optimizers", "parity_tests/test_optim.py"]
MODULE = "parity_tests/test_module.py"

# Which tests a file is held against, besides its own doctests.
TESTS = {
    "scratch/nn/avg_pooling.py": POOLING,
    "scratch/nn/batchnorm.py": ["parity_tests/test_batchnorm.py"],
    "scratch/nn/binary_cross_entropy.py": ["parity_tests/test_loss.py"],
    "scratch/nn/channels.py": ["parity_tests/test_batchnorm.py"],
    "scratch/nn/container.py": ["parity_tests/test_linear.py", MODULE],
    "scratch/nn/conv.py": CONV,
    "scratch/nn/conv_literal.py": CONV,
    "scratch/nn/cross_entropy.py": CLASSES,
    "scratch/nn/dropout.py": ["parity_tests/test_dropout.py", MODULE],
    "scratch/nn/flatten.py": ["parity_tests/test_linear.py", MODULE],
    "scratch/nn/gelu.py": ["parity_tests/test_activation.py"],
    "scratch/nn/images.py": [*POOLING, "parity_tests/test_conv.py"],
    "scratch/nn/init.py": ["parity_tests/test_init.py"],
    "scratch/nn/linear.py": ["parity_tests/test_linear.py", "parity_tests/test_init.py", MODULE],
    "scratch/nn/loss.py": ["parity_tests/test_loss.py"],
    "scratch/nn/max_pooling.py": POOLING,
    "scratch/nn/module.py": [MODULE],
    "scratch/nn/nll.py": CLASSES,
    "scratch/nn/normalization.py": ["parity_tests/test_normalization.py"],
    "scratch/nn/padding.py": CONV,
    "scratch/nn/patch_plan.py": CONV,
    "scratch/nn/patches.py": CONV,
    "scratch/nn/pool_windows.py": POOLING,
    "scratch/nn/relu.py": ["parity_tests/test_activation.py"],
    "scratch/nn/select.py": ["parity_tests/test_special.py", "parity_tests/test_activation.py"],
    "scratch/nn/sigmoid.py": ["parity_tests/test_activation.py"],
    "scratch/nn/softmax.py": ["parity_tests/test_softmax.py"],
    "scratch/nn/special.py": ["parity_tests/test_special.py", "parity_tests/test_activation.py"],
    "scratch/nn/utils.py": ["parity_tests/test_utils.py"],
    "scratch/optim/adam.py": OPTIM,
    "scratch/optim/adamw.py": OPTIM,
    "scratch/optim/flat.py": OPTIM,
    "scratch/optim/optimizer.py": OPTIM,
    "scratch/optim/sgd.py": OPTIM,
    "scratch/policy_gradient.py": ["parity_tests/test_actor_critic.py"],
}
SAYING = {
    "check_array",
    "check_dtype",
    "check_float_dtype",
    "check_grad_output",
    "check_not_inplace",
    "pair",
    "name_of",
}
MEMORY = 16 << 30  # a mutant that asks for more is stopped


class Mutant(NamedTuple):
    """A file's text with one change.

    Attributes
    ----------
    line : int
        Where the change is.
    before, after : str
        The changed lines.
    text : str
        The whole file, changed.
    """

    line: int
    before: str
    after: str
    text: str


class _Visitor(MutationVisitor):
    """mutmut's, with decorated functions and without what no numbers depend on."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        if isinstance(node, (cst.Raise, cst.Decorator)) or m.matches(node, m.Call(func=_attribute("warnings", "warn"))):
            return True
        if isinstance(node, cst.Call) and (
            m.matches(node.func, m.Attribute(value=m.Name("memory"))) or _said_by(node) == "name_of"
        ):
            return True
        return super()._skip_node_and_children(node)

    def _create_mutations(self, node: cst.CSTNode) -> None:
        before = len(self.mutations)
        super()._create_mutations(node)
        if isinstance(node, cst.Call):
            self.mutations[before:] = [made for made in self.mutations[before:] if _matters(node, made.mutated_node)]

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802 - libcst's name
        """Leave out the strings that a check is told for its message."""
        if _said_by(node):
            said = {id(arg.value) for arg in node.args if isinstance(arg.value, cst.SimpleString)}
            self.silent = getattr(self, "silent", set()) | said

    def _should_mutate_node(self, node: cst.CSTNode) -> bool:
        return id(node) not in getattr(self, "silent", ()) and super()._should_mutate_node(node)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note the strings of a check before its arguments are visited."""
        if isinstance(node, cst.Call):
            self.visit_Call(node)
        return super().on_visit(node)


def _attribute(owner: str, name: str) -> m.Attribute:
    return m.Attribute(value=m.Name(owner), attr=m.Name(name))


def _said_by(call: cst.Call) -> str:
    name = call.func.value if isinstance(call.func, cst.Name) else ""
    return name if name in SAYING else ""


def _matters(call: cst.Call, mutated: cst.Call) -> bool:
    # Not the first argument of a check made None, nor an `out=` made None or left out.
    if _said_by(call) and len(mutated.args) == len(call.args) and m.matches(mutated.args[0].value, m.Name("None")):
        return False
    kept = {arg.keyword.value: arg.value for arg in mutated.args if arg.keyword}
    return all(
        kept.get(arg.keyword.value) is arg.value for arg in call.args if arg.keyword and arg.keyword.value == "out"
    )


def mutants(path: str) -> list[Mutant]:
    """Return every mutant of a file."""
    code = Path(path).read_text()
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    inside = [mutation for mutation in visitor.mutations if mutation.contained_by_top_level_function is not None]
    found = []
    for mutation in inside:
        text = wrapper.module.deep_replace(mutation.original_node, mutation.mutated_node).code
        removed, added, line = [], [], 0
        for words in difflib.unified_diff(code.splitlines(), text.splitlines(), n=0, lineterm=""):
            if words.startswith("@@"):
                line = line or int(words.split()[1].split(",")[0][1:])
            elif words.startswith("-") and not words.startswith("---"):
                removed.append(words[1:].strip())
            elif words.startswith("+") and not words.startswith("+++"):
                added.append(words[1:].strip())
        found.append(Mutant(line, " ".join(removed), " ".join(added), text))
    return found


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
    return int(pytest.main([*options, *tests, path], plugins=[_SHORTEST_FIRST]))


def _child(path: str, text: str, tests: list[str], fresh: bool) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if not fresh:
        return _test(path, tests) if _swap(path, text) else 0
    for name in [name for name in sys.modules if name.split(".")[0] in ("scratch", "parity_tests", "benchmarks")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Replaced(path, text))
    return _test(path, tests)


def start(path: str, text: str, tests: list[str], fresh: bool) -> int:
    """Run the tests on a changed file in a process of its own; return the process's number."""
    child = os.fork()
    if child == 0:
        try:
            status = _child(path, text, tests, fresh)
        except BaseException:  # the mutant broke the import
            status = 1
        os._exit(status)
    return child


def run(path: str, jobs: int) -> dict:
    """Run every mutant of a file; return how many were killed, and the survivors."""
    begun, tests = time.monotonic(), TESTS[path]
    status = _test(path, tests)
    if status != 0:
        raise SystemExit(f"{path}: the tests fail before anything is changed (status {status})")
    allowed = 20 + 8 * (time.monotonic() - begun)
    gc.collect()
    gc.disable()
    gc.freeze()
    waiting, running, survivors, late = [(mutant, False) for mutant in mutants(path)], {}, [], 0
    total = len(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, fresh = waiting.pop(0)
            running[start(path, mutant.text, tests, fresh)] = mutant, fresh, time.monotonic()
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            mutant, fresh, _ = running.pop(child)
            if status == 0 and fresh:
                survivors.append(mutant)
            elif status == 0:  # what the tests made when they were imported was made by the original: once more
                waiting.append((mutant, True))
            continue
        for child, (_, _, since) in running.items():
            if time.monotonic() - since > allowed:
                os.kill(child, signal.SIGKILL)  # reaped, and counted as killed, in the next round
                late += 1
        time.sleep(0.005)
    listed = [mutant for mutant in survivors if (path, mutant.before, mutant.after) in EQUIVALENT]
    return {
        "file": path,
        "mutants": total,
        "killed": total - len(survivors),
        "out of time": late,
        "equivalent": len(listed),
        "seconds": round(time.monotonic() - begun, 1),
        "survivors": [mutant._asdict() | {"text": ""} for mutant in survivors if mutant not in listed],
    }


def run_apart(path: str, jobs: int) -> dict:
    """Do the same in a process of its own, whose output goes nowhere."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        try:
            answer = json.dumps(run(path, jobs))
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


def main() -> None:
    """Run the files that are named, or all, and print a line for each, and the survivors."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", default=list(TESTS), metavar="FILE", help="what to change (every file)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--list", action="store_true", help="print the mutants instead of running them")
    parser.add_argument("--out", type=Path, metavar="JSON", help="append a line of JSON for each file")
    args = parser.parse_args()
    if unknown := [path for path in args.files if path not in TESTS]:
        parser.error(f"no tests are listed for {', '.join(unknown)}")
    killed = counted = 0
    for path in args.files:
        if args.list:
            for mutant in mutants(path):
                print(f"{path}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
            continue
        result = run_apart(path, args.jobs)
        mattering = result["mutants"] - result["equivalent"]
        killed, counted = killed + result["killed"], counted + mattering
        print(
            f"{path}: {result['killed']} of {mattering} killed ({result['killed'] / max(mattering, 1):.1%}), "
            f"{result['equivalent']} equivalent, {result['seconds']:.0f} s"
        )
        for mutant in result["survivors"]:
            print(f"  survived, line {mutant['line']}\n    - {mutant['before']}\n    + {mutant['after']}")
        sys.stdout.flush()
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps(result) + "\n")
    if counted:
        print(f"in all: {killed} of {counted} killed ({killed / counted:.1%})")


if __name__ == "__main__":
    main()
